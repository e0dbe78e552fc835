package proxy

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestFirstBytesBeforeFile has the disk take its time to create the file of a blob: the client gets the first bytes
// before it exists, the others afterwards, and the blob is an entry.
func TestFirstBytesBeforeFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error // of creating the file
	}{{"created", nil}, {"disk full", &fs.PathError{Op: "open", Path: "cache", Err: syscall.ENOSPC}}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(5 << 20)
			s := start(t, u, t.TempDir(), 16<<20)
			disk, create := make(chan struct{}), s.cache.createFile
			s.cache.createFile = func() (*os.File, error) {
				<-disk
				if tt.err != nil {
					return nil, tt.err
				}
				return create()
			}
			body := s.get(u.path())
			defer body.Close()
			got := make([]byte, 32<<10)
			if _, err := io.ReadFull(body, got); err != nil {
				t.Fatal(err)
			}
			close(disk)
			rest, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(append(got, rest...), u.blob) {
				t.Errorf("other bytes, %v", err)
			}
			s.handler.fetches.run.Wait()
			if kept := s.cache.has(digest.FromBytes(u.blob)); kept != (tt.err == nil) {
				t.Errorf("is an entry: %v", kept)
			}
			if tt.err == nil {
				s.want(u.path(), http.StatusOK, "") // hashes the entry
			}
			if _, _, corrupt := s.cache.usage(); corrupt > 0 {
				t.Error("the entry has other bytes")
			}
		})
	}
}

// get sends a GET request, whose answer the caller reads.
func (s *site) get(path string) io.ReadCloser {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		s.t.Fatal(response.Status)
	}
	return response.Body
}

// headedUpstream is an upstream that sends what is asked for first at once, and everything else when the gate opens.
type headedUpstream struct {
	*upstream
	asked *atomic.Int64
	gate  chan struct{}
	// whole has it know no ranges afterwards, and send another blob.
	whole bool
}

func (u headedUpstream) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	return u.upstream.Blob(ctx, d)
}

func (u headedUpstream) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		if u.asked.Add(1) > 1 {
			select {
			case <-u.gate:
			case <-ctx.Done():
				return nil, content.Permanent(ctx.Err())
			}
			if u.whole {
				return nil, content.ErrNoRanges
			}
		}
		return u.part(first, n), nil
	}, nil
}

// TestPreparedFirstBytes answers with the first bytes that were prepared before the registry sends others. They are
// those of the digest, or the client does not get all: also if the registry sends others when it is asked again.
func TestPreparedFirstBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		wrong, whole bool
	}{
		{"right", false, false}, {"wrong", true, false}, {"wrong, and right later", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := headedUpstream{newUpstream(5 << 20), new(atomic.Int64), make(chan struct{}), tt.whole}
			u.wrong = tt.wrong
			s := start(t, u, t.TempDir(), 16<<20)
			s.want("/v2/"+registryHost+"/team/app/manifests/1.0", http.StatusOK, "")
			s.handler.prepared.run.Wait()
			body := s.get(u.path())
			defer body.Close()
			got := make([]byte, headSize)
			if _, err := io.ReadFull(body, got); err != nil {
				t.Fatal(err)
			}
			u.mu.Lock()
			u.wrong = false
			u.mu.Unlock()
			close(u.gate)
			rest, err := io.ReadAll(body)
			if complete := err == nil && len(got)+len(rest) == len(u.blob); complete == tt.wrong {
				t.Errorf("all bytes: %v, %v", complete, err)
			}
			if !tt.wrong && !bytes.Equal(append(got, rest...), u.blob) {
				t.Error("other bytes")
			}
			s.handler.fetches.run.Wait()
			if kept := s.cache.has(digest.FromBytes(u.blob)); kept == tt.wrong {
				t.Errorf("is an entry: %v", kept)
			}
		})
	}
}
