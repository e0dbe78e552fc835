package registry

import (
	"context"
	"net/url"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// mount asks the registry to take a blob from another of its repositories. If it was
// asked and does not, upload is where the blob is to be sent.
func (r *Repository) mount(ctx context.Context, d content.Descriptor, source content.Source) (upload *url.URL, mounted bool, err error) {
	from := r.mountable(source)
	mounted, err = r.state.Mount(ctx, from, func() (mounted bool, err error) {
		c, err := r.client(ctx, actionsPush, from)
		if err != nil {
			return false, err
		}
		upload, mounted, err = c.Begin(ctx, r.repository, d.Digest, from)
		return mounted, err
	})
	return upload, mounted, err
}

// mountable returns the repository that a blob of a source can be mounted from, "" if it is
// in none of the registry.
func (r *Repository) mountable(source content.Source) string {
	if src, ok := source.(*Repository); ok && src.registry == r.registry && src.repository != r.repository {
		return src.repository
	}
	return ""
}

var _ content.BlobSharer = (*Repository)(nil)

// SharesBlob reports whether the repository takes content. Others of the registry then mount a blob that it has, or read it here.
func (r *Repository) SharesBlob(ctx context.Context, _ digest.Digest) bool {
	c, err := r.client(ctx, actionsPush, "")
	if err != nil {
		return false
	}
	upload, _, err := c.Begin(ctx, r.repository, "", "")
	if err != nil {
		return false
	}
	c.Cancel(ctx, upload)
	return true
}

// MountBlob has the registry mount a blob, if it does. That it refused another one says
// nothing: the caller may guess where blobs are.
func (r *Repository) MountBlob(ctx context.Context, d digest.Digest, source content.Source) (mounted bool, err error) {
	from := r.mountable(source)
	if from == "" {
		return false, nil
	}
	c, err := r.client(ctx, actionsPush, from)
	if err == nil {
		_, mounted, err = c.Begin(ctx, r.repository, d, from)
	}
	if err != nil {
		return false, r.fail("blob "+string(d), err)
	}
	return mounted, nil
}
