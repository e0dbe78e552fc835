package proxy

import (
	"fmt"
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestMovedIsEntry looks for the file of a blob while it becomes an entry: as soon as the file has moved away, the
// entry is there, so that a client which comes in between finds either of them.
func TestMovedIsEntry(t *testing.T) {
	t.Parallel()
	cache, err := OpenCache(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	for i := range 200 {
		text := fmt.Sprint(i)
		d := digest.FromString(text)
		p, err := cache.create(content.Descriptor{Digest: d, Size: int64(len(text))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-p.created
		if _, err := p.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
		committed := make(chan error)
		go func() { committed <- p.commit() }()
		for {
			if f, err := os.Open(p.file.Name()); err == nil {
				f.Close()
				continue
			}
			if !cache.has(d) {
				t.Fatalf("blob %d is neither on its way nor an entry", i)
			}
			break
		}
		if err := <-committed; err != nil {
			t.Fatal(err)
		}
	}
}
