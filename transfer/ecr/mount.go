package ecr

import (
	"context"
	"net/url"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// mount asks the registry to take a layer from another of its repositories. If it
// was asked and does not, upload is where the layer is to be sent.
func (e *Repository) mount(ctx context.Context, client *v2.Client, d content.Descriptor, from content.Source) (upload *url.URL, mounted bool, err error) {
	var repository string
	src, ok := from.(*Repository)
	if ok && src.registry.Host == e.registry.Host && src.registry.Account == e.registry.Account && src.registry.Region == e.registry.Region && src.repository != e.repository {
		repository = src.repository
	}
	mounted, err = e.v2.Mount(ctx, repository, func() (mounted bool, err error) {
		upload, mounted, err = client.Begin(ctx, e.repository, d.Digest, repository)
		return mounted, err
	})
	return upload, mounted, err
}
