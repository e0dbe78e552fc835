package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// makePartial is "partial DIR [FLAW...]": an OCI layout of which the tag 1 is an index for linux/amd64,
// linux/arm64 and linux/arm/v7. FLAW is what is wrong with it:
//
//	absent       of linux/arm64 there is nothing, as docker save writes it
//	absentlayer  of linux/arm/v7 there is no layer
//	attestation  of linux/amd64 there is an attestation in the index, and no manifest of it
//	size         the index has a wrong size of linux/arm64
//	data         manifest, config and layer of linux/arm64 are only in their descriptors
//	wrongdata    and the layer is another one there
func makePartial(ts *testscript.TestScript, _ bool, args []string) {
	dir, flaws := ts.MkAbs(args[0]), args[1:]
	has := func(flaw string) bool { return slices.Contains(flaws, flaw) }
	blobs := filepath.Join(dir, "blobs", "sha256")
	ts.Check(os.MkdirAll(blobs, 0o755))
	add := func(mediaType string, data []byte, keep, embed bool) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if embed {
			d.Data = data
		}
		if keep && !embed {
			ts.Check(os.WriteFile(filepath.Join(blobs, d.Digest.Encoded()), data, 0o644))
		}
		return d
	}
	marshal := func(v any) []byte {
		data, err := json.Marshal(v)
		ts.Check(err)
		return data
	}
	image := func(p ocispec.Platform) ocispec.Descriptor {
		arm64 := p.Architecture == "arm64"
		keep, embed := !has("absent") || !arm64, arm64 && (has("data") || has("wrongdata"))
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		ts.Check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p.Architecture, Mode: 0o644}))
		ts.Check(w.Close())
		l := add(ocispec.MediaTypeImageLayer, layer.Bytes(), keep && (!has("absentlayer") || p.Variant == ""), embed)
		config := marshal(ocispec.Image{Platform: p, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{l.Digest}}})
		if has("wrongdata") && embed {
			l.Data = slices.Clone(l.Data)
			l.Data[0]++
		}
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: add(ocispec.MediaTypeImageConfig, config, keep, embed), Layers: []ocispec.Descriptor{l}}
		m.SchemaVersion = 2
		d := add(ocispec.MediaTypeImageManifest, marshal(m), keep, embed)
		d.Platform = &p
		return d
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{
		image(ocispec.Platform{OS: "linux", Architecture: "amd64"}),
		image(ocispec.Platform{OS: "linux", Architecture: "arm64"}),
		image(ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}),
	}}
	index.SchemaVersion = 2
	if has("attestation") {
		d := add(ocispec.MediaTypeImageManifest, []byte("{}"), false, false)
		d.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
		d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": string(index.Manifests[0].Digest)}
		index.Manifests = append(index.Manifests, d)
	}
	if has("size") {
		index.Manifests[1].Size++
	}
	root := add(ocispec.MediaTypeImageIndex, marshal(index), true, false)
	root.Annotations = map[string]string{ocispec.AnnotationRefName: "1"}
	top := ocispec.Index{Manifests: []ocispec.Descriptor{root}}
	top.SchemaVersion = 2
	ts.Check(os.WriteFile(filepath.Join(dir, "index.json"), marshal(top), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}
