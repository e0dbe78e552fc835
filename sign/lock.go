package sign

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"
)

// lockInterval is how often a lock is asked for that another signer has.
const lockInterval = 20 * time.Millisecond

// lock waits until no other signer of this machine is at work on an image in a store.
// dir is Options.LockDir.
func lock(ctx context.Context, dir string, store Store, image digest.Digest) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock of signers: %w", err)
	}
	// The files stay, so there are few of them. Two images may have the same.
	name := digest.FromString(store.String() + "@" + string(image)).Encoded()[:2]
	l := flock.New(filepath.Join(dir, name), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockInterval); err != nil {
		return nil, fmt.Errorf("lock of signers %s: %w", l.Path(), err)
	}
	return func() { _ = l.Close() }, nil
}
