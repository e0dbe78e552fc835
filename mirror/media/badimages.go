package media

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// IncompleteError is why images are not in a set that is whole without them: their manifests cannot be read, whenever that is tried.
type IncompleteError struct {
	Images []*mirror.CopyError // in the order of their names
}

func (e *IncompleteError) Error() string { return errors.Join(e.Unwrap()...).Error() }

// Unwrap returns the errors of the images.
func (e *IncompleteError) Unwrap() []error {
	errs := make([]error, len(e.Images))
	for i, err := range e.Images {
		errs[i] = err
	}
	return errs
}

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

// incomplete returns the error of a set without the bad images, nil if there are none.
func (b *badImages) incomplete() error {
	if len(b.errs) == 0 {
		return nil
	}
	slices.SortFunc(b.errs, func(a, b *mirror.CopyError) int { return cmp.Compare(a.From, b.From) })
	return &IncompleteError{b.errs}
}

// noSet returns the error of an export that the bad images keep from a set, nil if there are none.
func (b *badImages) noSet() error {
	if left, ok := b.incomplete().(*IncompleteError); ok {
		return errors.Join(left.Unwrap()...)
	}
	return nil
}
