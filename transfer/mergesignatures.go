package transfer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// signatureMediaTypes are those of the layers of an image that is a list: one layer
// for each signature or attestation.
var signatureMediaTypes = []string{
	"application/vnd.dev.cosign.simplesigning.v1+json",
	"application/vnd.dsse.envelope.v1+json",
}

// signatureList is an image that is a list of signatures.
type signatureList struct {
	mediaType string
	fields    map[string]json.RawMessage
	layers    []content.Descriptor
	raw       []json.RawMessage // the layers, as they are
}

// mergeSignatures returns an image with the signatures of both: one of the two if it
// has all, otherwise have with those of more at its end, and then its config too.
// The error wraps [content.ErrConflict] if they are no lists of signatures.
func mergeSignatures(have, more content.Manifest) (content.Manifest, []byte, error) {
	if have.Descriptor.Digest == more.Descriptor.Digest {
		return have, nil, nil
	}
	old, err := decodeSignatures(have)
	if err != nil {
		return content.Manifest{}, nil, fmt.Errorf("%w: it names %s already (%w)", content.ErrConflict, have.Descriptor.Digest, err)
	}
	added, err := decodeSignatures(more)
	if err != nil {
		return content.Manifest{}, nil, fmt.Errorf("%w: it names %s already, and %s cannot be added to that (%w)", content.ErrConflict, have.Descriptor.Digest, more.Descriptor.Digest, err)
	}
	has, hasAdded := old.signatures(), added.signatures()
	switch {
	case has.hasAll(hasAdded):
		return have, nil, nil
	case hasAdded.hasAll(has):
		return more, nil, nil
	}
	for i, layer := range added.layers {
		if s := signatureOf(layer); !has[s] {
			has[s] = true
			old.layers, old.raw = append(old.layers, layer), append(old.raw, added.raw[i])
		}
	}
	return old.encode()
}

// HasSignatures reports whether have, a list of signatures, has all of more: a copy with [Options.Referrers] would
// leave it as it is.
func HasSignatures(have, more content.Manifest) bool {
	merged, _, err := mergeSignatures(have, more)
	return err == nil && merged.Descriptor.Digest == have.Descriptor.Digest
}

func decodeSignatures(m content.Manifest) (signatureList, error) {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return signatureList{}, err
	}
	l := signatureList{mediaType: c.MediaType}
	if err = json.Unmarshal(m.Content, &l.fields); err == nil && c.Manifests == nil {
		err = json.Unmarshal(l.fields["layers"], &l.raw)
	}
	if err != nil || len(c.Blobs) == 0 || len(l.raw) != len(c.Blobs)-1 {
		return signatureList{}, fmt.Errorf("%s is no list of signatures", m.Descriptor.Digest)
	}
	l.layers = c.Blobs[1:]
	for _, layer := range l.layers {
		if !slices.Contains(signatureMediaTypes, layer.MediaType) {
			return signatureList{}, fmt.Errorf("%s has a layer that is no signature, but %.100q", m.Descriptor.Digest, layer.MediaType)
		}
	}
	return l, nil
}

// signature is what distinguishes signatures. The payload of two may be the same: the signature itself is in the
// annotations of the layer.
type signature struct {
	digest      digest.Digest
	mediaType   string
	annotations string // as JSON, which has them in an order
}

func signatureOf(layer content.Descriptor) signature {
	s := signature{digest: layer.Digest, mediaType: layer.MediaType}
	if len(layer.Annotations) > 0 {
		text, _ := json.Marshal(layer.Annotations) // strings only: no error
		s.annotations = string(text)
	}
	return s
}

// signatureSet are the signatures of a list, which may have tens of thousands.
type signatureSet map[signature]bool

func (l signatureList) signatures() signatureSet {
	set := signatureSet{}
	for _, layer := range l.layers {
		set[signatureOf(layer)] = true
	}
	return set
}

func (s signatureSet) hasAll(other signatureSet) bool {
	for one := range other {
		if !s[one] {
			return false
		}
	}
	return true
}

// encode returns the image and its config, which names each layer as cosign's does.
func (l signatureList) encode() (content.Manifest, []byte, error) {
	never := time.Time{}
	image := ocispec.Image{Created: &never, RootFS: ocispec.RootFS{Type: "layers"}}
	for _, layer := range l.layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, layer.Digest) // it is not compressed
		image.History = append(image.History, ocispec.History{Created: &never})
	}
	config, err := json.Marshal(image)
	if err != nil {
		return content.Manifest{}, nil, err
	}
	fields := maps.Clone(l.fields)
	for name, value := range map[string]any{"config": configDescriptor(config), "layers": l.raw} {
		if fields[name], err = json.Marshal(value); err != nil {
			return content.Manifest{}, nil, err
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return content.Manifest{}, nil, err
	}
	if len(data) > content.MaxManifestSize {
		return content.Manifest{}, nil, fmt.Errorf("%w: with %d signatures its manifest has %d bytes; Amazon ECR takes at most %d", content.ErrUnsupported, len(l.layers), len(data), content.MaxManifestSize)
	}
	d := content.Descriptor{MediaType: l.mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return content.Manifest{Descriptor: d, Content: data}, config, nil
}

// configDescriptor describes the config of an image.
func configDescriptor(config []byte) content.Descriptor {
	return content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
}
