package registry

import (
	"context"
	"net/url"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// mount asks the registry to take a blob from another of its repositories. If it was
// asked and does not, upload is where the blob is to be sent.
func (r *Repository) mount(ctx context.Context, d content.Descriptor, source content.Source) (upload *url.URL, mounted bool, err error) {
	var from string
	if src, ok := source.(*Repository); ok && src.registry == r.registry && src.repository != r.repository {
		from = src.repository
	}
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
