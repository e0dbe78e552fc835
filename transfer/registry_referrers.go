package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Referrers asks the referrers API, and where a registry does not have that reads
// the list that clients keep by a tag. Any other refusal, and an answer that is no
// list, is an error:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers.
func (r *Registry) Referrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	found, err := r.referrers(ctx, c, subject)
	if err != nil {
		return nil, r.fail("referrers of "+string(subject), err)
	}
	return found, nil
}

func (r *Registry) referrers(ctx context.Context, c *v2Client, subject digest.Digest) ([]Descriptor, error) {
	var all []Descriptor
	total := 0
	header := http.Header{"Accept": {ocispec.MediaTypeImageIndex}}
	err := c.pages(ctx, c.url(r.repository+"/referrers/"+string(subject), nil), header, func(a answer) error {
		if err := checkReferrerType(a.header); err != nil {
			return err
		}
		if total += len(a.body); total > maxListBytes {
			return fmt.Errorf("%w: its list of referrers has more than %d bytes", ErrUnsupported, maxListBytes)
		}
		page, err := decodeReferrers(a.body)
		all = append(all, page...)
		if len(all) > maxReferrers {
			return fmt.Errorf("%w: more than %d manifests refer to it", ErrUnsupported, maxReferrers)
		}
		return err
	})
	var refused *v2Error
	if errors.As(err, &refused) && refused.hasNoReferrers() {
		list, err := r.referrerList(ctx, c, subject)
		return list.Manifests, err
	}
	return all, err
}

// findTags asks for each tag, and reads what is there.
func (r *Registry) findTags(ctx context.Context, tags []string) (map[string]Manifest, error) {
	c, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	return findEach(ctx, tags, func(ctx context.Context, tag string) (Manifest, error) {
		var m Manifest
		_, err := c.head(ctx, r.repository, tag)
		if err == nil {
			m, err = r.manifest(ctx, c, tag, MaxManifestSize)
		}
		if err != nil {
			return Manifest{}, r.fail("image "+tag, err)
		}
		return m, nil
	})
}

// hasNoReferrers tells the answers of registries without the referrers API. The
// specification has 404; some say with a code that they do not support it.
func (e *v2Error) hasNoReferrers() bool {
	switch e.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return e.status < http.StatusInternalServerError && e.code == "UNSUPPORTED"
}

// checkReferrerType refuses what is no index: a page of a proxy is not an empty list.
func checkReferrerType(h http.Header) error {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || mediaType != ocispec.MediaTypeImageIndex {
		return fmt.Errorf("%w: a list of referrers of the type %.100q", errProtocol, h.Get("Content-Type"))
	}
	return nil
}

// decodeReferrers reads a list of referrers; every descriptor in it is checked.
func decodeReferrers(data []byte) ([]Descriptor, error) {
	index, err := decodeReferrerList(data)
	return index.Manifests, err
}

func decodeReferrerList(data []byte) (ocispec.Index, error) {
	var members struct{ Manifests json.RawMessage }
	var index ocispec.Index
	err := json.Unmarshal(data, &index)
	if err == nil {
		err = json.Unmarshal(data, &members)
	}
	if err != nil {
		return ocispec.Index{}, fmt.Errorf("%w: not a list of referrers: %w", errProtocol, err)
	}
	if members.Manifests == nil || index.SchemaVersion != 2 || index.MediaType != "" && index.MediaType != ocispec.MediaTypeImageIndex {
		return ocispec.Index{}, fmt.Errorf("%w: not a list of referrers, but a document of version %d and type %.100q", errProtocol, index.SchemaVersion, index.MediaType)
	}
	for _, d := range index.Manifests {
		if err := checkDescriptor(d); err != nil {
			return ocispec.Index{}, err
		}
	}
	return index, nil
}

// referrerList reads the list that clients keep by a tag; none is empty:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema.
func (r *Registry) referrerList(ctx context.Context, c *v2Client, subject digest.Digest) (ocispec.Index, error) {
	m, err := r.manifest(ctx, c, DigestTag(subject, DigestTagReferrers), MaxManifestSize)
	if errors.Is(err, ErrNotFound) {
		return ocispec.Index{}, nil
	}
	if err != nil {
		return ocispec.Index{}, err
	}
	return decodeReferrerList(m.Content)
}

// keepReferrer enters a manifest that has a subject into the list of its subject's
// referrers, which the registry does not keep itself.
func (r *Registry) keepReferrer(ctx context.Context, c *v2Client, m Manifest) error {
	entry, subject, err := referrerOf(m)
	if err != nil || subject == "" {
		return err
	}
	// Two writers may read the same list, and the second takes away the entry of
	// the first: no registry must know If-Match. So each looks once more, after the
	// time that a writer needs which read before.
	for range maxReferrerTries {
		start := time.Now()
		list, err := r.referrerList(ctx, c, subject)
		if err != nil {
			return err
		}
		if !hasDescriptor(list.Manifests, entry) {
			list.Manifests = append(list.Manifests, entry)
			if err := r.putReferrerList(ctx, c, subject, list); err != nil {
				return err
			}
			took := time.Since(start)
			select {
			case <-time.After(max(2*took, r.referrerPause) + rand.N(took+time.Millisecond)):
			case <-ctx.Done():
				return ctx.Err()
			}
			if list, err = r.referrerList(ctx, c, subject); err != nil {
				return err
			}
		}
		if hasDescriptor(list.Manifests, entry) {
			return nil
		}
	}
	return fmt.Errorf("the list of referrers, tag %s: other clients replace it all the time; push again later", DigestTag(subject, DigestTagReferrers))
}

const (
	// maxReferrerTries is how often an entry is made in a list of referrers.
	maxReferrerTries = 10
	// referrerPause is the shortest time after which the list is read again: a writer
	// on a busy machine may take that long where the registry is near.
	referrerPause = 300 * time.Millisecond
)

func hasDescriptor(list []Descriptor, d Descriptor) bool {
	return slices.ContainsFunc(list, func(other Descriptor) bool { return other.Digest == d.Digest })
}

func (r *Registry) putReferrerList(ctx context.Context, c *v2Client, subject digest.Digest, list ocispec.Index) error {
	list.Versioned, list.MediaType = specs.Versioned{SchemaVersion: 2}, ocispec.MediaTypeImageIndex
	content, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if len(content) > MaxManifestSize {
		return fmt.Errorf("%w: the list of referrers, tag %s, is full", ErrUnsupported, DigestTag(subject, DigestTagReferrers))
	}
	_, err = c.send(ctx, http.MethodPut, r.repository+"/manifests/"+DigestTag(subject, DigestTagReferrers),
		http.Header{"Content-Type": {ocispec.MediaTypeImageIndex}}, content, http.StatusCreated, http.StatusOK)
	var refused *v2Error
	if errors.As(err, &refused) && refused.isImmutable() {
		err = fmt.Errorf("%w: the registry lists no referrers itself, and the tag %s, by which clients list them, is immutable: let tags like sha256-* move", ErrConflict, DigestTag(subject, DigestTagReferrers))
	}
	return err
}

// referrerOf gives the entry of a manifest in the list of its subject's referrers;
// subject is "" if it has none.
func referrerOf(m Manifest) (entry Descriptor, subject digest.Digest, err error) {
	var doc struct {
		ArtifactType string
		Config       struct{ MediaType string }
		Annotations  map[string]string
		Subject      *Descriptor
	}
	if err := json.Unmarshal(m.Content, &doc); err != nil {
		return Descriptor{}, "", fmt.Errorf("%w: not a manifest: %w", ErrIntegrity, err)
	}
	if doc.Subject == nil {
		return Descriptor{}, "", nil
	}
	if err := checkDescriptor(*doc.Subject); err != nil {
		return Descriptor{}, "", fmt.Errorf("subject: %w", err)
	}
	entry = Descriptor{MediaType: m.Descriptor.MediaType, Digest: m.Descriptor.Digest, Size: m.Descriptor.Size, ArtifactType: doc.ArtifactType, Annotations: doc.Annotations}
	if entry.ArtifactType == "" {
		entry.ArtifactType = doc.Config.MediaType
	}
	return entry, doc.Subject.Digest, nil
}
