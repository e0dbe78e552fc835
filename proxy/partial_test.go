package proxy

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestComplete has a client come when a fetch has just ended: its file has the name of an entry, and the cache does
// not know it yet.
func TestComplete(t *testing.T) {
	t.Parallel()
	u := newUpstream(1000)
	s := start(t, u, t.TempDir(), 16<<20)
	d := content.Descriptor{Digest: digest.FromBytes(u.blob), Size: int64(len(u.blob))}
	file, err := s.cache.create(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-file.created // its bytes are not in memory
	if _, err := file.WriteAt(u.blob, 0); err != nil {
		t.Fatal(err)
	}
	if err := file.commit(); err != nil {
		t.Fatal(err)
	}
	s.cache.mu.Lock()
	delete(s.cache.entries, d.Digest)
	s.cache.mu.Unlock()
	f := &fetch{d: d, file: file, cancel: func() {}, changed: make(chan struct{}), filled: make(chan struct{})}
	f.end(nil)
	s.handler.fetches.all[d.Digest] = f
	if response, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%s, %d bytes, %v", response.Status, len(body), err)
	}
	if u.sent > 0 {
		t.Errorf("the registry sent %d bytes", u.sent)
	}
}

// TestNoFile has no file be created: the blob is passed on, and nothing is reserved for it.
func TestNoFile(t *testing.T) {
	t.Parallel()
	u := newUpstream(1000)
	s := start(t, u, t.TempDir(), 16<<20)
	if err := os.Remove(filepath.Join(s.dir, partialDir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if response, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
			t.Errorf("%s, %d bytes, %v", response.Status, len(body), err)
		}
	}
	s.handler.fetches.run.Wait()
	if used, entries, _ := s.cache.usage(); used != 0 || entries != 0 {
		t.Errorf("%d bytes of %d entries", used, entries)
	}
}

// TestCommitTwice has two clients bring the same manifest into the cache: its room is taken once.
func TestCommitTwice(t *testing.T) {
	t.Parallel()
	cache, err := OpenCache(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	text := []byte("0123456789")
	var both []*partial
	for range 2 {
		p, err := cache.create(content.Descriptor{Digest: digest.FromBytes(text), Size: int64(len(text))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, p)
	}
	for _, p := range both {
		if _, err := p.WriteAt(text, 0); err != nil {
			t.Fatal(err)
		}
		if err := p.commit(); err != nil {
			t.Fatal(err)
		}
	}
	if used, entries, _ := cache.usage(); used != int64(len(text)) || entries != 1 {
		t.Errorf("%d bytes of %d entries", used, entries)
	}
}
