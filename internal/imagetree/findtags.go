package imagetree

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// foundAtOnce is how many tags findEach asks for at the same time.
const foundAtOnce = 16

// ResolveTags asks for each tag, for several at once.
func ResolveTags(ctx context.Context, tags []string, resolve func(ctx context.Context, tag string) (content.Manifest, error)) (map[string]content.Manifest, error) {
	found := map[string]content.Manifest{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(foundAtOnce)
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(tags))) {
		group.Go(func() error {
			m, err := resolve(ctx, tag)
			if errors.Is(err, content.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[tag] = m
			return nil
		})
	}
	return found, group.Wait()
}
