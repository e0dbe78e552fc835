package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// memory is an endpoint of one's own: a repository in memory.
type memory struct {
	mu        sync.Mutex
	manifests map[string]content.Manifest // by tag and by digest
	blobs     map[digest.Digest][]byte
}

var _ content.Endpoint = (*memory)(nil)

func newMemory() *memory {
	return &memory{manifests: map[string]content.Manifest{}, blobs: map[digest.Digest][]byte{}}
}

func (m *memory) String() string { return "a repository in memory" }

func (m *memory) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.manifests[reference]
	if !ok {
		return found, fmt.Errorf("%s: image %s: %w", m, reference, content.ErrNotFound)
	}
	return found, nil
}

func (m *memory) Manifests(ctx context.Context, descriptors []content.Descriptor) (found []content.Manifest, err error) {
	for _, d := range descriptors {
		one, err := m.Resolve(ctx, string(d.Digest))
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (m *memory) Blob(_ context.Context, d content.Descriptor) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("%s: blob %s: %w", m, d.Digest, content.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (m *memory) MissingBlobs(_ context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(blobs), func(d content.Descriptor) bool { return m.blobs[d.Digest] != nil }), nil
}

func (m *memory) PutBlob(_ context.Context, d content.Descriptor, r io.Reader) error {
	data, err := io.ReadAll(r) // the error says so if it is not what d names
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[d.Digest] = data
	return nil
}

func (m *memory) PutManifest(ctx context.Context, manifest content.Manifest) error {
	return m.PutTagged(ctx, manifest, "")
}

func (m *memory) PutTagged(_ context.Context, manifest content.Manifest, tag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.manifests[string(manifest.Descriptor.Digest)] = manifest
	if tag != "" {
		m.manifests[tag] = manifest
	}
	return nil
}

// An endpoint of one's own has the methods of Source, to be copied from, or of Target, to be
// copied to. Here it has both, and an image is copied from one to another.
func Example() {
	ctx := context.Background()
	src, dst := newMemory(), newMemory()
	descriptor := func(text, mediaType string) string {
		d := content.NewManifest([]byte(text), mediaType).Descriptor
		if err := src.PutBlob(ctx, d, strings.NewReader(text)); err != nil {
			log.Fatal(err)
		}
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size)
	}
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":` + descriptor(`{"architecture":"arm64","os":"linux"}`, "application/vnd.oci.image.config.v1+json") +
		`,"layers":[` + descriptor("the bytes of a layer", "application/vnd.oci.image.layer.v1.tar") + `]}`
	if err := src.PutTagged(ctx, content.NewManifest([]byte(manifest), "application/vnd.oci.image.manifest.v1+json"), "1.0"); err != nil {
		log.Fatal(err)
	}

	result, err := transfer.Copy(ctx, src, dst, transfer.Options{Reference: "1.0", Tags: []string{"1.0"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.BlobsSent, "blobs,", result.BytesSent, "bytes")
	_, err = dst.Resolve(ctx, "2.0")
	fmt.Println(err)
	// Output:
	// 2 blobs, 57 bytes
	// a repository in memory: image 2.0: not found
}

// What a stranger sends for a digest is checked before anything in it counts.
func ExampleVerifyManifest() {
	wanted := content.NewManifest([]byte(`{"schemaVersion":2}`), "application/vnd.oci.image.manifest.v1+json").Descriptor
	received := content.Manifest{Content: []byte(`{"schemaVersion":1}`), Descriptor: wanted}
	err := content.VerifyManifest(received, wanted)
	fmt.Println(errors.Is(err, content.ErrIntegrity))
	// Output: true
}

// A platform that is wanted, as people write it, selects an image of an index.
func ExampleParsePlatform() {
	wanted, err := content.ParsePlatform("aarch64")
	if err != nil {
		log.Fatal(err)
	}
	offered, err := content.ParsePlatform("linux/arm64/v8")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(wanted, wanted.Matches(offered))
	// Output: linux/arm64 true
}
