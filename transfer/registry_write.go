package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// MissingBlobs asks for each blob, for several at once.
func (r *Registry) MissingBlobs(ctx context.Context, blobs []Descriptor) ([]Descriptor, error) {
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return nil, err
	}
	has := make([]bool, len(blobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i, d := range blobs {
		group.Go(func() (err error) {
			if has[i], err = c.hasBlob(ctx, r.repository, d); err != nil {
				return r.fail("blob "+string(d.Digest), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []Descriptor
	for i, d := range blobs {
		if !has[i] {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// PutBlob uploads a blob.
func (r *Registry) PutBlob(ctx context.Context, d Descriptor, content io.Reader) error {
	return r.PutLayer(ctx, d, onceContent(content), singleUpload())
}

// onceContent is content that can be read once only.
func onceContent(r io.Reader) *streamContent {
	opened := false
	return &streamContent{memory: newPartMemory(), open: func(context.Context) (io.ReadCloser, error) {
		if opened {
			return nil, errors.New("the content cannot be read a second time")
		}
		opened = true
		return io.NopCloser(r), nil
	}}
}

// singleUpload is an upload for which nobody waits but the caller.
func singleUpload() uploads {
	ignore := func(int64) {}
	return uploads{connections: 1, slots: semaphore.NewWeighted(1), sent: ignore, resumed: ignore, mounted: func() {}}
}

// PutLayer uploads a blob with one POST and one PUT, or mounts it from another
// repository of the registry.
func (r *Registry) PutLayer(ctx context.Context, d Descriptor, content layerContent, how uploads) error {
	err := r.putLayer(ctx, d, content, how)
	if err != nil {
		return r.fail("blob "+string(d.Digest), err)
	}
	return nil
}

func (r *Registry) putLayer(ctx context.Context, d Descriptor, content layerContent, how uploads) error {
	var from string
	if src, ok := how.from.(*Registry); ok && src.registry == r.registry && src.repository != r.repository {
		from = src.repository
	}
	var upload *url.URL
	mounted, err := r.state.mount(ctx, from, func() (mounted bool, err error) {
		c, err := r.client(ctx, actionsPush, from)
		if err != nil {
			return false, err
		}
		upload, mounted, err = c.begin(ctx, r.repository, d.Digest, from)
		return mounted, err
	})
	if err != nil {
		return err
	}
	if mounted {
		how.mounted()
		return nil
	}
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return err
	}
	return c.putBlob(ctx, r.repository, d, content, how, upload)
}

// PutManifest stores a manifest under its digest.
func (r *Registry) PutManifest(ctx context.Context, m Manifest) error {
	return r.PutTagged(ctx, m, "")
}

// PutTagged stores a manifest with one request. If it refers to another and the
// registry does not keep a list of that, the list is kept by its tag.
func (r *Registry) PutTagged(ctx context.Context, m Manifest, tag string) error {
	object, reference := "image "+string(m.Descriptor.Digest), tag
	if tag == "" {
		reference = string(m.Descriptor.Digest)
	} else {
		object += " (tag " + tag + ")"
	}
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return err
	}
	header, err := c.send(ctx, http.MethodPut, r.repository+"/manifests/"+reference,
		http.Header{"Content-Type": {m.Descriptor.MediaType}}, m.Content, http.StatusCreated, http.StatusOK)
	var refused *v2Error
	switch {
	case tag != "" && errors.As(err, &refused) && refused.isImmutable():
		return r.conflict(ctx, m, tag)
	case err == nil:
		err = checkDigestHeader(header, m.Descriptor.Digest)
	}
	if err == nil && header.Get("OCI-Subject") == "" {
		err = r.keepReferrer(ctx, c, m)
	}
	if err != nil {
		return r.fail(object, err)
	}
	return nil
}

// conflict looks up what a tag names that may not be moved: the same image is no
// conflict.
func (r *Registry) conflict(ctx context.Context, m Manifest, tag string) error {
	// If it cannot be looked up, the conflict is still the error to report.
	have, _ := r.Resolve(ctx, tag)
	if have.Descriptor.Digest == m.Descriptor.Digest {
		return nil
	}
	return &ConflictError{Image: r.String() + ":" + tag, Have: have.Descriptor.Digest, Want: m.Descriptor.Digest}
}

// HasImage asks for each tag, or without one for the digest, what it names.
func (r *Registry) HasImage(ctx context.Context, d Descriptor, tags []string) (bool, error) {
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return false, err
	}
	if len(tags) == 0 {
		tags = []string{string(d.Digest)}
	}
	var others atomic.Bool
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for _, reference := range tags {
		group.Go(func() error {
			got, err := c.head(ctx, r.repository, reference)
			if got != d.Digest {
				others.Store(true)
			}
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return false, r.fail("image "+string(d.Digest), err)
	}
	return !others.Load(), nil
}

// Delete removes a tag, or with a digest an image with all its tags. The error
// wraps [ErrNotFound] if it is not there, and [ErrUnsupported] if the registry
// deletes nothing, or no tags.
func (r *Registry) Delete(ctx context.Context, reference string) error {
	c, err := r.client(ctx, actionsDelete, "")
	if err != nil {
		return err
	}
	_, err = c.send(ctx, http.MethodDelete, r.repository+"/manifests/"+reference, nil, nil, http.StatusAccepted, http.StatusOK, http.StatusNoContent)
	var refused *v2Error
	if errors.As(err, &refused) && (refused.status == http.StatusMethodNotAllowed || refused.code == "UNSUPPORTED") {
		err = fmt.Errorf("%w: the registry does not delete it; many delete by digest only, or not at all: %w", ErrUnsupported, err)
	}
	if err != nil {
		return r.fail("image "+reference, err)
	}
	return nil
}
