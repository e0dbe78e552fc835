package sign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
)

// lock waits until no other signer of this machine is at work on any of the images in
// a store. dir is Options.LockDir; without one that can be written to, nobody waits.
func lock(ctx context.Context, dir string, store Store, images []digest.Digest) (unlock func(), err error) {
	var held []*files.Lock
	unlock = func() {
		for _, l := range held {
			l.Release()
		}
	}
	if dir == "" {
		return unlock, nil
	}
	err = os.MkdirAll(dir, 0o700)
	for _, name := range lockNames(store, images) {
		if err != nil {
			break
		}
		var l *files.Lock
		if l, err = files.Acquire(ctx, filepath.Join(dir, name)); err == nil {
			held = append(held, l)
		}
	}
	if err != nil {
		unlock()
		if files.IsReadOnly(err) {
			return func() {}, nil
		}
		return nil, fmt.Errorf("signing: %w", err)
	}
	return unlock, nil
}

// lockNames returns the names of the lock files of images, each once. All signers take
// them in this order, so that no two wait for each other. The files stay, so there are
// few of them: two images may have the same.
func lockNames(store Store, images []digest.Digest) []string {
	var names []string
	for _, image := range images {
		names = append(names, digest.FromString(store.String() + "@" + string(image)).Encoded()[:2])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
