package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// contentAnnotation says at a bundle's manifest, unsigned, what form the bundle has.
const contentAnnotation = "dev.sigstore.bundle.content"

// bundleJob writes a statement about an image as a bundle that refers to it:
// https://github.com/sigstore/cosign/blob/v3.1.3/specs/BUNDLE_SPEC.md.
type bundleJob struct {
	store     Store
	image     content.Descriptor
	signer    *Signer
	statement statement
	force     bool
	now       func() time.Time

	bundle   []byte
	manifest content.Manifest
	result   Signed
}

func newBundleJob(store Store, image content.Manifest, signer *Signer, predicateType string, predicate []byte, opts Options) *bundleJob {
	d := image.Descriptor
	return &bundleJob{
		store: store, image: d, signer: signer, force: opts.Force, now: opts.Now,
		statement: statement{
			subjects: []subject{{digest: d.Digest, annotations: opts.Annotations}}, predicateType: predicateType, predicate: predicate,
		},
		result: Signed{Digest: d.Digest, Format: FormatBundle},
	}
}

func (j *bundleJob) signed() *Signed { return &j.result }
func (j *bundleJob) appends() bool   { return false }

// make signs the statement and builds the manifest as cosign does, down to the
// artifact type of the config: what cosign writes, registries are known to take.
func (j *bundleJob) make(ctx context.Context) error {
	payload, err := encodeStatement(j.statement)
	if err != nil {
		return err
	}
	b := bundle{payload: payload, hint: j.signer.Key.hint()}
	if b.signature, err = j.signer.sign(ctx, b.signed()); err != nil {
		return fmt.Errorf("image %s: %w", j.image.Digest, err)
	}
	if j.bundle, err = encodeBundle(b); err != nil {
		return err
	}
	layer := newBlob(bundleMediaType, j.bundle).Descriptor
	config := ocispec.DescriptorEmptyJSON
	config.Data, config.ArtifactType = nil, bundleMediaType
	data, err := encodeJSON(ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: bundleMediaType,
		Config:       config,
		Layers:       []content.Descriptor{layer},
		Subject:      &content.Descriptor{MediaType: j.image.MediaType, Digest: j.image.Digest, Size: j.image.Size},
		Annotations: map[string]string{
			contentAnnotation:         "dsse-envelope",
			predicateTypeAnnotation:   j.statement.predicateType,
			ocispec.AnnotationCreated: j.now().UTC().Format(time.RFC3339),
		},
	})
	if err != nil {
		return err
	}
	j.manifest = content.Manifest{Descriptor: newBlob(ocispec.MediaTypeImageManifest, data).Descriptor, Content: data}
	j.result.Signature, j.result.Bundle = j.manifest.Descriptor.Digest, j.bundle
	return nil
}

func (j *bundleJob) blobs() []blob {
	return []blob{newBlob(ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data), newBlob(bundleMediaType, j.bundle)}
}

func (j *bundleJob) write(ctx context.Context) error { return j.store.PutManifest(ctx, j.manifest) }

// maxBundleRest is how many bytes a bundle may have beside its statement, for a
// certificate or entries of transparency logs, to be read in search of an earlier one:
// others may attach to the image as much as they like.
const maxBundleRest = 256 << 10

// find looks among the referrers of the image for a bundle by the same key that
// says the same, whoever wrote it.
func (j *bundleJob) find(ctx context.Context) (bool, error) {
	if j.force {
		return false, nil
	}
	attached, err := discoverReferrers(ctx, j.store, j.image.Digest)
	if err != nil {
		return false, fmt.Errorf("looking for earlier signatures of %s: %w", j.image.Digest, err)
	}
	payload, err := encodeStatement(j.statement)
	if err != nil {
		return false, err
	}
	limit := 2*int64(len(payload)) + maxBundleRest
	for _, a := range attached {
		t := a.Annotations[predicateTypeAnnotation]
		if a.Format != FormatBundle || len(a.layers) != 1 || a.layers[0].Size > limit || t != "" && t != j.statement.predicateType {
			continue
		}
		data, err := readBlob(ctx, j.store, a.layers[0])
		if isMalformed(err) || errors.Is(err, content.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if j.says(data) {
			j.result.Signature, j.result.Bundle = a.Digest, data
			return true, nil
		}
	}
	return false, nil
}

// says reports whether data is a bundle by the same key that says the same.
func (j *bundleJob) says(data []byte) bool {
	b, err := decodeBundle(data)
	if err != nil {
		return false
	}
	s, err := decodeStatement(b.payload)
	if err != nil || s.predicateType != j.statement.predicateType || len(s.subjects) != 1 {
		return false
	}
	about, ok := s.about(j.image.Digest)
	if !ok || !maps.Equal(about.annotations, j.statement.subjects[0].annotations) {
		return false
	}
	var predicate bytes.Buffer
	if err := json.Compact(&predicate, s.predicate); err != nil || !bytes.Equal(predicate.Bytes(), j.statement.predicate) {
		return false
	}
	_, ok = j.signer.Key.verify(b.signed(), b.signature, nil)
	return ok
}
