package transfer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// manySignatures returns a list of n signatures, the first of which is that with the number first.
func manySignatures(first, n int) content.Manifest {
	var layers []string
	for i := range n {
		layers = append(layers, fmt.Sprintf(`{"mediaType":"application/vnd.dsse.envelope.v1+json","digest":"sha256:%064x","size":1}`, first+i))
	}
	config := `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + string(digest.FromString("config")) + `","size":2}`
	text := `{"schemaVersion":2,"config":` + config + `,"layers":[` + strings.Join(layers, ",") + `]}`
	return content.Manifest{Content: []byte(text), Descriptor: content.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromString(text), Size: int64(len(text))}}
}

// BenchmarkMergeSignatures merges lists that are about as long as a manifest can be. A merge in which each signature is
// compared with each other one takes a second for the shorter ones, and half a minute for the longer ones.
func BenchmarkMergeSignatures(b *testing.B) {
	for _, n := range []int{2_000, 18_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			have, more := manySignatures(0, n), manySignatures(n/2, n)
			for b.Loop() {
				if _, _, err := mergeSignatures(have, more); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestMergeManySignatures merges lists that have half of their signatures in common, and the order of each.
func TestMergeManySignatures(t *testing.T) {
	t.Parallel()
	const n = 18_000
	merged, _, err := mergeSignatures(manySignatures(0, n), manySignatures(n/2, n))
	if err != nil {
		t.Fatal(err)
	}
	c, err := content.DecodeManifest(merged.Content, merged.Descriptor.MediaType)
	if err != nil || len(c.Blobs) != 1+n+n/2 {
		t.Fatalf("%d blobs, %v", len(c.Blobs), err)
	}
	for i, layer := range c.Blobs[1:] {
		if want := fmt.Sprintf("sha256:%064x", i); string(layer.Digest) != want {
			t.Fatalf("signature %d is %s", i, layer.Digest)
		}
	}
}
