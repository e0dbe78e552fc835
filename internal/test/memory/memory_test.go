package memory

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const layerSize = 10 << 20

// newSource has an image of one layer under the tag "1".
func newSource(t *testing.T) *Store {
	t.Helper()
	s := New("memory:src")
	put := func(mediaType string, data []byte) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		s.blobs[d.Digest] = data
		return d
	}
	layer := make([]byte, layerSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(layer)
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: put(ocispec.MediaTypeImageConfig, []byte("{}")),
		Layers: []content.Descriptor{put(ocispec.MediaTypeImageLayer, layer)},
	})
	check(t, err)
	check(t, s.PutTagged(t.Context(), content.NewManifest(manifest, ocispec.MediaTypeImageManifest), "1"))
	s.calls = map[string]int{}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRangesAndResume cuts one range of a layer: the next copy reads what is missing,
// and nothing else.
func TestRangesAndResume(t *testing.T) {
	src, dst := newSource(t), New("memory:dst")
	opts := transfer.Options{Reference: "1", Tags: []string{"1"}, Connections: 4}
	src.Cut = func(first, n int64) int64 {
		if first > 0 && n > 1<<20 {
			return 1 << 20
		}
		return n
	}
	if _, err := transfer.Copy(t.Context(), src, dst, opts); !errors.Is(err, errCut) {
		t.Fatalf("got %v", err)
	}
	if len(dst.tags) > 0 {
		t.Errorf("the tags %v are set", dst.tags)
	}
	before := src.Sent()
	if before < 1<<20 || before >= layerSize {
		t.Fatalf("%d bytes arrived", before)
	}
	src.Cut = nil
	result, err := transfer.Copy(t.Context(), src, dst, opts)
	check(t, err)
	if again := src.Sent() - before; again >= layerSize || result.BytesResumed == 0 || result.BytesResumed+result.BytesSent != layerSize {
		t.Errorf("%d of %d bytes were read again: %+v", again, layerSize, result)
	}
	if calls, _ := src.Requests(); calls["GetRange"] < 6 {
		t.Errorf("requests %v", calls)
	}
	if got := dst.tags["1"]; got != result.Digest || !maps.EqualFunc(src.blobs, dst.blobs, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("the copy of %s differs", got)
	}
}

// TestEstimates compares what a preview reports with what the copy then sends.
func TestEstimates(t *testing.T) {
	src, dst := newSource(t), New("memory:dst")
	opts := transfer.Options{Reference: "1"}
	planned := transfer.Preview(context.Background(), src, []transfer.Destination{{Target: dst, Tags: []string{"1"}}}, opts)[0]
	check(t, planned.Err)
	if planned.Calls["PutBlob"] != 2 || planned.Calls["PutManifest"] != 1 || planned.Calls["GetRange"] == 0 {
		t.Errorf("planned %+v", planned.Plan)
	}
	opts.Tags = []string{"1"}
	result, err := transfer.Copy(t.Context(), src, dst, opts)
	check(t, err)
	for _, op := range []string{"PutBlob", "PutManifest"} {
		if result.Calls[op] != planned.Calls[op] {
			t.Errorf("%s: planned %d, sent %d", op, planned.Calls[op], result.Calls[op])
		}
	}
}
