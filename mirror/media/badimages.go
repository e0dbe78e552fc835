package media

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// badImages are images that cannot be exported, whenever that is tried. So that all of them are known after one try, the others are
// read all the same.
type badImages struct {
	mu   sync.Mutex
	errs []*mirror.CopyError
}

// add returns err as one of an image, or nil after it has noted it as one of a bad image.
func (b *badImages) add(repository string, image mirror.SelectedImage, err error) error {
	if err == nil {
		return nil
	}
	failed := &mirror.CopyError{From: repository + "@" + string(image.Digest), Err: err}
	if !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, content.ErrNotFound) && !errors.Is(err, content.ErrUnsupported) {
		return failed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, failed)
	return nil
}

// err is the error about all bad images, in the order of their names; nil if there are none.
func (b *badImages) err() error {
	slices.SortFunc(b.errs, func(a, b *mirror.CopyError) int { return cmp.Compare(a.From, b.From) })
	var errs []error
	for _, err := range b.errs {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
