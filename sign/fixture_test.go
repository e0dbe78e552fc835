package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/ecrkit/ecrkit/transfer/content"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// memory is a [Source] that has what a test puts there, and fails as it says.
type memory struct {
	data      map[digest.Digest][]byte
	tags      map[string]content.Manifest
	referrers map[digest.Digest][]content.Descriptor
	// fail returns the error of a request: "referrers sha256:…", "tag NAME", "manifest
	// sha256:…", "blob sha256:…".
	fail map[string]error
}

const memoryName = "registry.example/app"

func newMemory() *memory {
	return &memory{
		data: map[digest.Digest][]byte{}, tags: map[string]content.Manifest{},
		referrers: map[digest.Digest][]content.Descriptor{}, fail: map[string]error{},
	}
}

func (m *memory) String() string { return memoryName }

func (m *memory) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	if err := m.fail["tag "+reference]; err != nil {
		return content.Manifest{}, err
	}
	found, ok := m.tags[reference]
	if !ok {
		return content.Manifest{}, fmt.Errorf("%s: %w", reference, content.ErrNotFound)
	}
	return found, nil
}

func (m *memory) Manifests(_ context.Context, list []content.Descriptor) (manifests []content.Manifest, err error) {
	for _, d := range list {
		if err := m.fail["manifest "+string(d.Digest)]; err != nil {
			return nil, err
		}
		data, ok := m.data[d.Digest]
		if !ok {
			return nil, fmt.Errorf("manifest %s: %w", d.Digest, content.ErrNotFound)
		}
		manifests = append(manifests, content.Manifest{Descriptor: d, Content: data})
	}
	return manifests, nil
}

func (m *memory) Blob(_ context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if err := m.fail["blob "+string(d.Digest)]; err != nil {
		return nil, err
	}
	data, ok := m.data[d.Digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, content.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (m *memory) Referrers(_ context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	return m.referrers[subject], m.fail["referrers "+string(subject)]
}

// put stores content and describes it.
func (m *memory) put(mediaType string, data []byte) content.Descriptor {
	d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	m.data[d.Digest] = data
	return d
}

// putJSON stores a manifest.
func (m *memory) putJSON(mediaType string, v any) content.Manifest {
	data := must(json.Marshal(v))
	return content.Manifest{Descriptor: m.put(mediaType, data), Content: data}
}

// image makes an image; another name makes another image.
func (m *memory) image(name string) content.Manifest {
	var doc ocispec.Manifest
	doc.SchemaVersion, doc.MediaType = 2, ocispec.MediaTypeImageManifest
	doc.Config = m.put(ocispec.MediaTypeImageConfig, []byte(`{"architecture":"amd64","os":"linux"}`))
	doc.Annotations = map[string]string{"name": name}
	return m.putJSON(doc.MediaType, doc)
}

// index makes an index of images.
func (m *memory) index(entries ...content.Descriptor) content.Manifest {
	var doc ocispec.Index
	doc.SchemaVersion, doc.MediaType, doc.Manifests = 2, ocispec.MediaTypeImageIndex, entries
	return m.putJSON(doc.MediaType, doc)
}

// refer attaches layers to an image; listed is the artifact type that the registry
// lists.
func (m *memory) refer(image content.Manifest, artifactType, listed string, annotations map[string]string, layers ...content.Descriptor) content.Descriptor {
	subject := image.Descriptor
	doc := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType, Config: ocispec.DescriptorEmptyJSON,
		Layers: layers, Subject: &subject, Annotations: annotations}
	doc.SchemaVersion = 2
	d := m.putJSON(doc.MediaType, doc).Descriptor
	d.ArtifactType = listed
	m.referrers[subject.Digest] = append(m.referrers[subject.Digest], d)
	return d
}

// bundle attaches a bundle of these bytes.
func (m *memory) bundle(image content.Manifest, data []byte) content.Descriptor {
	return m.refer(image, bundleMediaType, bundleMediaType, nil, m.put(bundleMediaType, data))
}

// tag returns an image a manifest below the tag of a kind.
func (m *memory) tag(image content.Manifest, kind string, layers ...content.Descriptor) {
	doc := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: m.put(ocispec.MediaTypeImageConfig, []byte(`{}`)), Layers: layers}
	doc.SchemaVersion = 2
	m.tags[content.DigestTag(image.Descriptor.Digest, kind)] = m.putJSON(doc.MediaType, doc)
}

// testKey is a key that signs.
type testKey struct {
	*Key
	signer signature.Signer
}

func newTestKey(t *testing.T, name string) testKey {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	key, err := NewKey(name, private.Public())
	check(t, err)
	return testKey{key, must(signature.LoadSigner(private, crypto.SHA256))}
}

func (k testKey) sign(message []byte) []byte {
	return must(k.signer.SignMessage(bytes.NewReader(message)))
}

// signatureOf is the statement that signs an image.
func signatureOf(image content.Manifest, annotations map[string]string) statement {
	return statement{
		subjects:      []subject{{digest: image.Descriptor.Digest, annotations: annotations}},
		predicateType: signaturePredicateType, predicate: json.RawMessage("{}"),
	}
}

// attestationOf is a statement of another type.
func attestationOf(image content.Manifest, predicateType string) statement {
	s := signatureOf(image, nil)
	s.predicateType = predicateType
	return s
}

// bundle is a bundle of a statement.
func (k testKey) bundle(s statement) []byte { return k.bundleOf(must(encodeStatement(s))) }

// bundleOf is a bundle of any payload.
func (k testKey) bundleOf(payload []byte) []byte {
	b := bundle{payload: payload, hint: k.hint()}
	b.signature = k.sign(b.signed())
	return must(encodeBundle(b))
}

// payload stores a legacy signature and returns its layer.
func (k testKey) payload(m *memory, image content.Manifest, annotations map[string]string) content.Descriptor {
	return k.payloadOf(m, must(encodePayload(simplePayload{repository: memoryName, digest: image.Descriptor.Digest, annotations: annotations})))
}

// payloadOf stores a legacy signature over any payload.
func (k testKey) payloadOf(m *memory, payload []byte) content.Descriptor {
	layer := m.put(payloadMediaType, payload)
	layer.Annotations = map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(k.sign(payload))}
	return layer
}

// envelope stores a legacy attestation and returns its layer.
func (k testKey) envelope(m *memory, s statement) content.Descriptor {
	b := bundle{payload: must(encodeStatement(s))}
	return m.put(envelopeMediaType, must(json.Marshal(map[string]any{
		"payloadType": statementMediaType, "payload": base64.StdEncoding.EncodeToString(b.payload),
		"signatures": []map[string]string{{"keyid": "", "sig": base64.StdEncoding.EncodeToString(k.sign(b.signed()))}},
	})))
}

// attachedTag is the tag sha256-HEX with a suffix.
func attachedTag(d digest.Digest, suffix string) string {
	return content.DigestTag(d, content.DigestTagReferrers) + suffix
}
