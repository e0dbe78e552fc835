package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// annotationKind is the kind of an entry of a layout of cosign save, which has no name:
// https://github.com/sigstore/cosign/blob/v3.1.3/pkg/oci/layout/index.go.
const annotationKind = "kind"

// Values of [annotationKind].
const (
	kindCosignImage        = "dev.cosignproject.cosign/image"
	kindCosignIndex        = "dev.cosignproject.cosign/imageIndex"
	kindCosignSignatures   = "dev.cosignproject.cosign/sigs"
	kindCosignAttestations = "dev.cosignproject.cosign/atts"
)

// nameCosign adds the tags that signatures and attestations have in a registry to the index of
// a layout that cosign save wrote. In a registry the tag says which image they belong to; in
// such a layout that is the only image.
func nameCosign(index []content.Descriptor) {
	var subject digest.Digest
	for _, d := range index {
		switch d.Annotations[annotationKind] {
		case kindCosignImage, kindCosignIndex:
			if subject != "" && subject != d.Digest {
				return // none of them is certain
			}
			subject = d.Digest
		}
	}
	if subject == "" {
		return
	}
	kinds := map[string]string{kindCosignSignatures: content.DigestTagSignatures, kindCosignAttestations: content.DigestTagAttestation}
	for i, d := range index {
		kind, ok := kinds[d.Annotations[annotationKind]]
		if !ok || d.Annotations[ocispec.AnnotationRefName] != "" {
			continue
		}
		index[i].Annotations = maps.Clone(d.Annotations)
		index[i].Annotations[ocispec.AnnotationRefName] = content.DigestTag(subject, kind)
	}
}

// maxManifestBlobs bounds the size in bytes of blobs in which a manifest is looked for
// that index.json does not name: the manifest of a bundle has about 1 KiB.
const maxManifestBlobs = 64 << 10

// unlisted returns the manifests of a layout of cosign save that are blobs without an
// entry in index.json, as it leaves bundles; nothing for other layouts.
func (l Reader) unlisted(ctx context.Context, index []content.Descriptor) ([]content.Descriptor, error) {
	if !slices.ContainsFunc(index, func(d content.Descriptor) bool {
		kind := d.Annotations[annotationKind]
		return kind == kindCosignImage || kind == kindCosignIndex
	}) {
		return nil, nil
	}
	files, err := fs.ReadDir(l.files, path.Dir(BlobPath(index[0].Digest)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: its blobs cannot be listed, and some may be signatures: %w", l.name, err)
	}
	var found []content.Descriptor
	for _, file := range files {
		d := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.NewDigestFromEncoded(digest.SHA256, file.Name())}
		info, err := file.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxManifestBlobs || content.CheckDescriptor(d) != nil || imagetree.HasDescriptor(index, d) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.Size = info.Size()
		read, err := l.Manifests(ctx, []content.Descriptor{d})
		if err != nil || content.VerifyManifest(read[0], d) != nil {
			continue
		}
		if c, err := content.DecodeManifest(read[0].Content, ""); err == nil && c.Manifests == nil {
			d.MediaType = c.MediaType
			found = append(found, d)
		}
	}
	return found, nil
}
