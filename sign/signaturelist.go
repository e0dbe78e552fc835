package sign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// signatureList is the manifest that a tag sha256-HEX.sig names: an image with one
// layer for each signature, from whatever signer.
type signatureList struct {
	digest   digest.Digest // "" if there is none yet
	manifest ocispec.Manifest
}

func newSignatureList() signatureList {
	return signatureList{manifest: ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.Descriptor{MediaType: ocispec.MediaTypeImageConfig},
	}}
}

// decodeSignatureList reads the list. What is none is refused: it would be lost if a
// list were written in its place.
func decodeSignatureList(m content.Manifest) (signatureList, error) {
	l := signatureList{digest: m.Descriptor.Digest}
	var index struct{ Manifests json.RawMessage }
	err := checkContent(m.Descriptor, m.Content)
	if err == nil {
		err = checkJSON(m.Content, content.MaxManifestSize)
	}
	if err == nil {
		err = json.Unmarshal(m.Content, &l.manifest)
	}
	if err == nil {
		err = json.Unmarshal(m.Content, &index)
	}
	if err == nil && (index.Manifests != nil || l.manifest.Config.MediaType == "") {
		err = errors.New("it is not an image")
	}
	if err == nil {
		err = checkSignatureLayers(l.manifest.Layers)
	}
	if err != nil {
		return signatureList{}, fmt.Errorf("its manifest %s is no list of signatures: %w", m.Descriptor.Digest, err)
	}
	if l.manifest.MediaType == "" {
		l.manifest.MediaType = m.Descriptor.MediaType
	}
	return l, nil
}

func checkSignatureLayers(layers []content.Descriptor) error {
	for _, layer := range layers {
		if _, err := parseDigest(string(layer.Digest)); err != nil {
			return err
		}
		if layer.MediaType != payloadMediaType {
			return fmt.Errorf("it has a layer of media type %.100q", layer.MediaType)
		}
	}
	return nil
}

// find returns the place of a layer, -1 if there is none.
func (l signatureList) find(layer func(content.Descriptor) bool) int {
	return slices.IndexFunc(l.manifest.Layers, layer)
}

// with returns the list with one layer more, without those that it replaces, and its
// config, which names the layers too.
func (l signatureList) with(layer content.Descriptor, replaced func(content.Descriptor) bool) (content.Manifest, blob, error) {
	layers := slices.DeleteFunc(slices.Clone(l.manifest.Layers), replaced)
	if len(layers) >= maxContents {
		return content.Manifest{}, blob{}, fmt.Errorf("it has %d signatures, and no more are read of one tag; sign in the format %s", len(layers), FormatBundle)
	}
	l.manifest.Layers = append(layers, layer)
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, each := range l.manifest.Layers {
		// A payload is not compressed: this is the digest of its content.
		hash, err := v1.NewHash(string(each.Digest))
		if err != nil {
			return content.Manifest{}, blob{}, err
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, hash)
		config.History = append(config.History, v1.History{})
	}
	data, err := encodeJSON(config)
	if err != nil {
		return content.Manifest{}, blob{}, err
	}
	b := newBlob(l.manifest.Config.MediaType, data)
	l.manifest.Config = b.Descriptor
	data, err = encodeJSON(l.manifest)
	if err != nil {
		return content.Manifest{}, blob{}, err
	}
	if len(data) > content.MaxManifestSize {
		return content.Manifest{}, blob{}, fmt.Errorf("with one signature more its manifest has %d bytes, and Amazon ECR takes at most %d; sign in the format %s", len(data), content.MaxManifestSize, FormatBundle)
	}
	return content.Manifest{Descriptor: newBlob(l.manifest.MediaType, data).Descriptor, Content: data}, b, nil
}
