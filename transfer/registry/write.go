package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// MissingBlobs asks for each blob, for several at once.
func (r *Repository) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return nil, err
	}
	has := make([]bool, len(blobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i, d := range blobs {
		group.Go(func() (err error) {
			if has[i], err = c.HasBlob(ctx, r.repository, d); err != nil {
				return r.fail("blob "+string(d.Digest), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []content.Descriptor
	for i, d := range blobs {
		if !has[i] {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// PutBlob uploads a blob as [Repository.UploadBlob] does. Up to 10 MiB are read into memory unless source is a file or
// other content that can be read again.
func (r *Repository) PutBlob(ctx context.Context, d content.Descriptor, source io.Reader) error {
	data, err := parts.FromReader(source, d.Size)
	if err != nil {
		return r.fail("blob "+string(d.Digest), err)
	}
	return r.UploadBlob(ctx, d, data, parts.Single())
}

// UploadBlob uploads a blob with one POST and one PUT, or mounts it from another
// repository of the registry.
func (r *Repository) UploadBlob(ctx context.Context, d content.Descriptor, content content.PartReader, how content.Upload) error {
	err := unsupported(r.putLayer(ctx, d, content, parts.Complete(how)), "take content")
	if err != nil {
		return r.fail("blob "+string(d.Digest), err)
	}
	return nil
}

func (r *Repository) putLayer(ctx context.Context, d content.Descriptor, content content.PartReader, how content.Upload) error {
	upload, mounted, err := r.mount(ctx, d, how.From)
	if err != nil {
		return err
	}
	if mounted {
		how.Mounted()
		return nil
	}
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return err
	}
	if r.mountable(how.From) != "" {
		// The registry may answer no other request before it has the whole blob: the only one that reads it is sent before that.
		inOrder, done := parts.InOrder(content)
		defer done()
		content = inOrder
	}
	return c.PutBlob(ctx, r.repository, d, content, how, upload, v2.Put{})
}

// PutManifest stores a manifest under its digest.
func (r *Repository) PutManifest(ctx context.Context, m content.Manifest) error {
	return r.PutTagged(ctx, m, "")
}

// PutTagged stores a manifest with one request. If it refers to another and the
// registry does not keep a list of that, the list is kept by its tag.
func (r *Repository) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
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
	header, err := c.Send(ctx, http.MethodPut, r.repository+"/manifests/"+reference,
		http.Header{"Content-Type": {m.Descriptor.MediaType}}, m.Content, http.StatusCreated, http.StatusOK)
	var refused *v2.Error
	switch {
	case tag != "" && errors.As(err, &refused) && refused.IsImmutable():
		return r.conflict(ctx, m, tag)
	case err == nil:
		err = v2.CheckDigestHeader(header, m.Descriptor.Digest)
	}
	if err == nil && header.Get("OCI-Subject") == "" {
		err = r.keepReferrer(ctx, c, m)
	}
	if err != nil {
		return r.fail(object, unsupported(err, "take content"))
	}
	return nil
}

// conflict looks up what a tag names that may not be moved: the same image is no
// conflict.
func (r *Repository) conflict(ctx context.Context, m content.Manifest, tag string) error {
	// If it cannot be looked up, the conflict is still the error to report.
	have, _ := r.Resolve(ctx, tag)
	if have.Descriptor.Digest == m.Descriptor.Digest {
		return nil
	}
	return &content.ConflictError{Image: r.String() + ":" + tag, Have: have.Descriptor.Digest, Want: m.Descriptor.Digest}
}

// HasImage asks for each tag, or without one for the digest, what it names.
func (r *Repository) HasImage(ctx context.Context, d content.Descriptor, tags []string) (bool, error) {
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
			got, err := c.Head(ctx, r.repository, reference)
			if got != d.Digest {
				others.Store(true)
			}
			if errors.Is(err, content.ErrNotFound) {
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
