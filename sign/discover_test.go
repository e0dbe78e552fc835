package sign

import (
	"errors"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

func TestList(t *testing.T) {
	m, key := newMemory(), newTestKey(t, "A")
	image := m.image("image")
	m.refer(image, bundleMediaType, ocispec.MediaTypeEmptyJSON, map[string]string{"k": "v"}, m.put(bundleMediaType, key.bundle(signatureOf(image, nil))))
	m.bundle(image, key.bundle(attestationOf(image, spdx)))
	m.bundle(image, []byte("{}"))
	m.refer(image, oci11ArtifactType, oci11ArtifactType, nil, key.payload(m, image, nil))
	m.refer(image, notationMediaType, notationMediaType, nil, m.put("application/jose+json", []byte("{}")))
	m.refer(image, "application/vnd.cyclonedx+json", "", nil, m.put("application/vnd.cyclonedx+json", []byte("{}")))
	m.refer(image, "application/x", "application/x", nil)
	m.tag(image, content.DigestTagSignatures, key.payload(m, image, nil), key.payload(m, image, map[string]string{"a": "b"}))
	m.tag(image, content.DigestTagAttestation, key.envelope(m, attestationOf(image, spdx)))
	m.tag(image, content.DigestTagSBOM, m.put("text/spdx", []byte("SPDX")))
	list, err := List(t.Context(), m, image)
	check(t, err)
	wants := []struct {
		kind          AttachmentKind
		format        Format
		artifactType  string
		tagKind       string
		contents      int
		predicateType string
		problem       string
	}{
		{kind: KindSignature, format: FormatBundle, artifactType: bundleMediaType, contents: 1, predicateType: signaturePredicateType},
		{kind: KindAttestation, format: FormatBundle, artifactType: bundleMediaType, contents: 1, predicateType: spdx},
		{kind: KindSignature, format: FormatBundle, artifactType: bundleMediaType, contents: 1, problem: "bundle: its media type is \"\", not application/vnd.dev.sigstore.bundle.v0.3+json"},
		{kind: KindSignature, format: FormatOCI11, artifactType: oci11ArtifactType, contents: 1},
		{kind: KindNotation, artifactType: notationMediaType},
		{kind: KindSBOM, artifactType: "application/vnd.cyclonedx+json"},
		{kind: KindOther, artifactType: "application/x"},
		{kind: KindSignature, format: FormatLegacy, artifactType: ocispec.MediaTypeImageConfig, tagKind: content.DigestTagSignatures, contents: 2},
		{kind: KindAttestation, format: FormatLegacy, artifactType: ocispec.MediaTypeImageConfig, tagKind: content.DigestTagAttestation, contents: 1, predicateType: spdx},
		{kind: KindSBOM, artifactType: ocispec.MediaTypeImageConfig, tagKind: content.DigestTagSBOM},
	}
	if len(list) != len(wants) {
		t.Fatalf("got %d attachments: %+v", len(list), list)
	}
	for i, want := range wants {
		a := list[i]
		tag := ""
		if want.tagKind != "" {
			tag = content.DigestTag(image.Descriptor.Digest, want.tagKind)
		}
		if a.Kind != want.kind || a.Format != want.format || a.ArtifactType != want.artifactType || a.Tag != tag || len(a.Contents) != want.contents || a.Problem != "" || a.Size == 0 {
			t.Errorf("%d: got %+v, want %+v", i, a, want)
		}
		for _, c := range a.Contents {
			if c.PredicateType != want.predicateType || c.Problem != want.problem {
				t.Errorf("%d: got %+v, want %+v", i, c, want)
			}
			if isKey := c.Key == string(key.Fingerprint()); isKey != (want.format == FormatBundle && want.problem == "") {
				t.Errorf("%d: key %q", i, c.Key)
			}
		}
	}
	if list[0].Annotations["k"] != "v" {
		t.Errorf("annotations %v", list[0].Annotations)
	}
	refused := errors.New("500")
	m.fail["tag "+content.DigestTag(image.Descriptor.Digest, content.DigestTagSBOM)] = refused
	if _, err := List(t.Context(), m, image); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestListOfNothing(t *testing.T) {
	m := newMemory()
	if list, err := List(t.Context(), m, m.image("image")); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

// FuzzAttachment has the manifest of a referrer.
func FuzzAttachment(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":659,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}],"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":-1}]}`))
	f.Add([]byte(`{"manifests":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, tag := range []string{"", "sha256-00.sig"} {
			a := attachmentOf(content.Manifest{Content: data}, tag)
			if len(a.layers) != len(a.Contents) {
				t.Errorf("%d layers, %d contents", len(a.layers), len(a.Contents))
			}
			for _, l := range a.layers {
				if l.Size < 0 || l.Size > maxBundleSize || l.Digest.Validate() != nil {
					t.Errorf("layer %+v", l)
				}
			}
		}
	})
}

// FuzzEvidence has the blobs of signatures that nobody has made.
func FuzzEvidence(f *testing.F) {
	mediaTypes := []string{payloadMediaType, bundleMediaType, envelopeMediaType}
	f.Add(uint8(0), []byte(cosignPayload))
	f.Add(uint8(1), []byte(cosignBundle()))
	f.Add(uint8(2), []byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"MEUCIQ=="}]}`))
	v := checker{requirements: Requirements{Keys: []*Key{must(ParsePublicKey("k", []byte(fuzzKey)))}}}
	f.Fuzz(func(t *testing.T, kind uint8, blob []byte) {
		layer := content.Descriptor{MediaType: mediaTypes[int(kind)%len(mediaTypes)], Annotations: map[string]string{signatureAnnotation: "MEUCIQ=="}}
		e := decodeEvidence(layer, blob)
		if o := v.check("sha256:"+cosignHex, Attachment{Format: FormatBundle, Kind: KindSignature}, e); o.reason == "" {
			t.Errorf("a signature that was never made is accepted: %s", blob)
		}
	})
}

const fuzzKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
`
