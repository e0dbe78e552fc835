package imagetree

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// ResolveTyped returns the manifest with its media type.
func ResolveTyped(ctx context.Context, r NamedResolver, reference string) (content.Manifest, error) {
	m, err := ResolveVerified(ctx, r, reference)
	if err != nil || m.Descriptor.MediaType != "" {
		return m, err
	}
	c, err := content.DecodeManifest(m.Content, "")
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s: manifest %s: %w", r, m.Descriptor.Digest, err)
	}
	m.Descriptor.MediaType = c.MediaType
	return m, nil
}

// NamedResolver is a [content.Resolver] with a name for messages.
type NamedResolver interface {
	content.Resolver
	fmt.Stringer
}

// ResolveVerified returns the manifest that reference names, and checks it.
func ResolveVerified(ctx context.Context, src NamedResolver, reference string) (content.Manifest, error) {
	m, err := src.Resolve(ctx, reference)
	if err != nil {
		return content.Manifest{}, err
	}
	return m, CheckResolved(src, reference, m)
}

// CheckResolved checks that m is what src may have for reference.
func CheckResolved(src fmt.Stringer, reference string, m content.Manifest) error {
	if err := content.CheckDescriptor(m.Descriptor); err != nil {
		return Named(src, err)
	}
	if err := content.VerifyManifest(m, m.Descriptor); err != nil {
		return Named(src, err)
	}
	if asked, err := digest.Parse(reference); err == nil && asked != m.Descriptor.Digest {
		return fmt.Errorf("%s: %w: asked for %s, got %s", src, content.ErrIntegrity, asked, m.Descriptor.Digest)
	}
	return nil
}
