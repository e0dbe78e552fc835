package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/referrerlist"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// Referrers asks the referrers API, and where a registry does not have that reads
// the list that clients keep by a tag. Any other refusal, and an answer that is no
// list, is an error:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers.
func (r *Repository) Referrers(ctx context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	return r.ReferrersAmong(ctx, subject, nil)
}

// ReferrersAmong implements [content.TagAwareReferrerLister].
func (r *Repository) ReferrersAmong(ctx context.Context, subject digest.Digest, tags map[string]bool) ([]content.Descriptor, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	found, err := r.listReferrers(ctx, c, subject, tags)
	if err != nil {
		return nil, r.fail("referrers of "+string(subject), err)
	}
	return found, nil
}

func (r *Repository) listReferrers(ctx context.Context, c *v2.Client, subject digest.Digest, tags map[string]bool) ([]content.Descriptor, error) {
	var all []content.Descriptor
	total := 0
	header := http.Header{"Accept": {ocispec.MediaTypeImageIndex}}
	err := c.Pages(ctx, c.URL(r.repository+"/referrers/"+string(subject), nil), header, func(a v2.Answer) error {
		if err := checkReferrerType(a.Header); err != nil {
			return err
		}
		if total += len(a.Body); total > r.maxReferrerBytes {
			return fmt.Errorf("%w: its list of referrers has more than %d bytes", content.ErrUnsupported, r.maxReferrerBytes)
		}
		page, err := referrerlist.Decode(a.Body)
		all = append(all, page.Manifests...)
		if len(all) > content.MaxReferrers {
			return fmt.Errorf("%w: more than %d manifests refer to it", content.ErrUnsupported, content.MaxReferrers)
		}
		return err
	})
	var refused *v2.Error
	if errors.As(err, &refused) && refused.HasNoReferrers() {
		// Some registries say instead that they do not have the subject.
		if refused.Code != "MANIFEST_UNKNOWN" && refused.Code != "NAME_UNKNOWN" {
			r.referrersByTag.Store(true)
		}
		if tags != nil && !tags[content.DigestTag(subject, content.DigestTagReferrers)] {
			return nil, nil
		}
		list, err := r.referrerList(ctx, c, subject)
		if errors.Is(err, errTagOfImage) {
			return nil, nil
		}
		return list.Manifests, err
	}
	return all, err
}

// errTagOfImage means that the tag of a list of referrers names the image itself. cosign copy leaves it so,
// beside the signatures with tags of their own: there is no list yet.
var errTagOfImage = errors.New("the tag of its list of referrers names the image itself")

// ReferrersByTag implements [content.ReferrerTagger].
func (r *Repository) ReferrersByTag() bool { return r.referrersByTag.Load() }

// FindTags asks for each tag, and reads what is there.
func (r *Repository) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	c, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	return imagetree.ResolveTags(ctx, tags, func(ctx context.Context, tag string) (content.Manifest, error) {
		var m content.Manifest
		_, err := c.Head(ctx, r.repository, tag)
		if err == nil {
			m, err = r.manifest(ctx, c, tag, content.MaxManifestSize)
		}
		if err != nil {
			return content.Manifest{}, r.fail("image "+tag, err)
		}
		return m, nil
	})
}

// FindDigests makes a HEAD request for each tag. Where the answer has no digest, the manifest is read.
func (r *Repository) FindDigests(ctx context.Context, tags []string) (map[string]digest.Digest, error) {
	c, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	found, err := imagetree.ResolveTags(ctx, tags, func(ctx context.Context, tag string) (m content.Manifest, err error) {
		if m.Descriptor.Digest, err = c.Head(ctx, r.repository, tag); err == nil && m.Descriptor.Digest == "" {
			m, err = r.manifest(ctx, c, tag, content.MaxManifestSize)
		}
		if err != nil {
			err = r.fail("image "+tag, err)
		}
		return m, err
	})
	digests := make(map[string]digest.Digest, len(found))
	for tag, m := range found {
		digests[tag] = m.Descriptor.Digest
	}
	return digests, err
}

// checkReferrerType refuses what is no index: a page of a proxy is not an empty list.
func checkReferrerType(h http.Header) error {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || mediaType != ocispec.MediaTypeImageIndex {
		return fmt.Errorf("%w: a list of referrers of the type %.100q", content.ErrProtocol, h.Get("Content-Type"))
	}
	return nil
}

// referrerList reads the list that clients keep by a tag; none is empty. The error is [errTagOfImage] if the tag
// is the subject's own:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema.
func (r *Repository) referrerList(ctx context.Context, c *v2.Client, subject digest.Digest) (ocispec.Index, error) {
	m, err := r.manifest(ctx, c, content.DigestTag(subject, content.DigestTagReferrers), content.MaxManifestSize)
	if errors.Is(err, content.ErrNotFound) {
		return ocispec.Index{}, nil
	}
	if err != nil {
		return ocispec.Index{}, err
	}
	if digest.FromBytes(m.Content) == subject {
		return ocispec.Index{}, errTagOfImage
	}
	return referrerlist.Decode(m.Content)
}

// keepReferrer enters a manifest that has a subject into the list of its subject's
// referrers, which the registry does not keep itself.
func (r *Repository) keepReferrer(ctx context.Context, c *v2.Client, m content.Manifest) error {
	entry, subject, err := content.ReferrerOf(m)
	if err != nil || subject == "" {
		return err
	}
	err = retry.Settle(ctx, retry.MaxSettleTries, r.referrerPause, func(ctx context.Context) (func(context.Context) error, error) {
		list, err := r.referrerList(ctx, c, subject)
		if err != nil || imagetree.HasDescriptor(list.Manifests, entry) {
			return nil, err
		}
		list.Manifests = append(list.Manifests, entry)
		return func(ctx context.Context) error { return r.putReferrerList(ctx, c, subject, list) }, nil
	})
	tag := content.DigestTag(subject, content.DigestTagReferrers)
	if errors.Is(err, retry.ErrUnsettled) {
		return fmt.Errorf("the list of referrers, tag %s: %w; push again later", tag, err)
	}
	if errors.Is(err, errTagOfImage) {
		return fmt.Errorf("%w: the registry lists no referrers itself, and the tag %s, by which clients list them, names the image itself, as cosign copy sets it: remove the tag, or copy the image to another repository", content.ErrConflict, tag)
	}
	return err
}

func (r *Repository) putReferrerList(ctx context.Context, c *v2.Client, subject digest.Digest, list ocispec.Index) error {
	list.Versioned, list.MediaType = specs.Versioned{SchemaVersion: 2}, ocispec.MediaTypeImageIndex
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if len(data) > content.MaxManifestSize {
		return fmt.Errorf("%w: the list of referrers, tag %s, is full", content.ErrUnsupported, content.DigestTag(subject, content.DigestTagReferrers))
	}
	_, err = c.Send(ctx, http.MethodPut, r.repository+"/manifests/"+content.DigestTag(subject, content.DigestTagReferrers),
		http.Header{"Content-Type": {ocispec.MediaTypeImageIndex}}, data, http.StatusCreated, http.StatusOK)
	var refused *v2.Error
	if errors.As(err, &refused) && refused.IsImmutable() {
		err = fmt.Errorf("%w: the registry lists no referrers itself, and the tag %s, by which clients list them, is immutable: let tags like sha256-* move", content.ErrConflict, content.DigestTag(subject, content.DigestTagReferrers))
	}
	return err
}
