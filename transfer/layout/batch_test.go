package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestBatchWritesOnce puts many tags: index.json is as without a batch, and written once.
func TestBatchWritesOnce(t *testing.T) {
	t.Parallel()
	one, many := New(filepath.Join(t.TempDir(), "one")), New(filepath.Join(t.TempDir(), "many"))
	batch := NewBatch(many)
	index := func(l *Layout) string {
		data, err := os.ReadFile(filepath.Join(l.dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var empty string
	for i, tag := range []string{"1", "2", "", "1", "3", "3", "4"} { // tags move, and one image has two
		data := fmt.Appendf(nil, `{"schemaVersion":2,"layers":[],"n":%d}`, i%3)
		m := content.Manifest{Content: data, Descriptor: content.Descriptor{
			MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromBytes(data), Size: int64(len(data)),
		}}
		for _, target := range []content.Target{one, batch} {
			if err := target.PutTagged(t.Context(), m, tag); err != nil {
				t.Fatal(err)
			}
		}
		if empty == "" {
			empty = index(many)
		}
	}
	if got := index(many); got != empty {
		t.Errorf("before the end: %s", got)
	}
	for range 2 { // the second commit has nothing to write
		if err := batch.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := index(many), index(one); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
