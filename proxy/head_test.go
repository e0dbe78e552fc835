package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
)

// prepared asks for the manifest of the upstream, and waits until its blob is prepared.
func (s *site) prepared() {
	s.t.Helper()
	s.want("/v2/"+registryHost+"/team/app/manifests/1.0", http.StatusOK, "")
	s.handler.prepared.run.Wait()
}

// TestHead answers with the first bytes of a blob whose manifest a client has got, while the registry keeps the rest
// waiting. It sends each byte once.
func TestHead(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	u.gate = make(chan struct{})
	s := start(t, u, t.TempDir(), 16<<20)
	s.prepared()
	if u.sent != headSize {
		t.Errorf("the registry sent %d bytes before the blob was asked for", u.sent)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+u.path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := make([]byte, headSize)
	if _, err := io.ReadFull(response.Body, got); err != nil {
		t.Fatal(err)
	}
	close(u.gate)
	rest, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(append(got, rest...), u.blob) {
		t.Errorf("other bytes, %v", err)
	}
	if u.sent != int64(len(u.blob)) {
		t.Errorf("the registry sent %d bytes of %d", u.sent, len(u.blob))
	}
}

// TestWholeHead has the registry fail after a small blob was prepared: its client gets it from the cache. Bytes that are
// not those of its digest are forgotten, and read again for the client.
func TestWholeHead(t *testing.T) {
	t.Parallel()
	for _, wrong := range []bool{false, true} {
		u := newUpstream(wholeSize)
		u.wrong = wrong
		s := start(t, u, t.TempDir(), 16<<20)
		s.prepared()
		s.handler.fetches.run.Wait()
		if used, _, _ := s.cache.usage(); s.handler.prepared.heads != 0 || used != int64(len(u.manifest.Content))+map[bool]int64{false: wholeSize}[wrong] {
			t.Errorf("wrong bytes: %v, and %d bytes are in memory, %d in the cache", wrong, s.handler.prepared.heads, used)
		}
		u.noRanges, u.wrong = true, false
		sent := u.sent
		s.want(u.path(), http.StatusOK, "")
		if again := u.sent - sent; (again > 0) != wrong {
			t.Errorf("wrong bytes: %v, and the registry sent %d bytes again", wrong, again)
		}
	}
}

// TestNoHead prepares no bytes where they would take too much memory, where clients have all connections, and where
// the registry sends other bytes than those asked for. The client gets the blob all the same.
func TestNoHead(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*site, *upstream){
		"no memory":     func(s *site, _ *upstream) { s.handler.prepared.heads = maxHeads - headSize + 1 },
		"no connection": func(s *site, _ *upstream) { s.handler.slots.TryAcquire(defaultAllConnections) },
		"no ranges":     func(_ *site, u *upstream) { u.noRanges = true },
	} {
		u := newUpstream(5 << 20)
		s := start(t, u, t.TempDir(), 16<<20)
		prepare(s, u)
		s.prepared()
		if u.sent > 0 {
			t.Errorf("%s: the registry sent %d bytes", name, u.sent)
		}
		if name == "no connection" {
			s.handler.slots.Release(defaultAllConnections)
		}
		s.want(u.path(), http.StatusOK, "")
	}
}

// TestHeadRoom returns the memory of what was prepared when it is used and when it expires.
func TestHeadRoom(t *testing.T) {
	t.Parallel()
	p := preparations{all: map[preparedKey]*preparation{}}
	key := preparedKey{&repository{}, ""}
	for _, size := range []int64{1, wholeSize, wholeSize + 1} {
		p.add(key)
		if has := p.begin(key, size); has.room != p.heads || has.room != map[bool]int64{true: size, false: headSize}[size <= wholeSize] {
			t.Errorf("room of %d bytes for a blob of %d, %d for all", has.room, size, p.heads)
		}
		p.take(key)
		if p.heads != 0 || len(p.all) != 0 {
			t.Errorf("%d blobs with %d bytes are left", len(p.all), p.heads)
		}
	}
}

// TestHeadedBody reads ranges of a blob of which some bytes are known, and closes the body before and after the rest
// has come.
func TestHeadedBody(t *testing.T) {
	t.Parallel()
	data, failed := []byte("0123456789"), errors.New("failed")
	for name, tt := range map[string]struct {
		first, n int64
		err      error
		asked    int64 // for so many bytes
	}{
		"known":    {0, 4, nil, 0},
		"partly":   {0, 7, nil, 3},
		"behind":   {5, 3, nil, 3},
		"all":      {0, 10, nil, 6},
		"no rest":  {0, 10, failed, 6},
		"one byte": {0, 1, nil, 0},
	} {
		for _, read := range []bool{true, false} {
			var asked, open atomic.Int64
			opener := withHead(data[:4], func(_ context.Context, first, n int64) (io.ReadCloser, error) {
				asked.Add(n)
				if tt.err != nil {
					return nil, tt.err
				}
				open.Add(1)
				return &closing{io.NopCloser(bytes.NewReader(data[first : first+n])), func() { open.Add(-1) }}, nil
			})
			body, err := opener(t.Context(), tt.first, tt.n)
			if err != nil {
				t.Fatal(err)
			}
			if read {
				if got, err := io.ReadAll(body); !errors.Is(err, tt.err) || err == nil && !bytes.Equal(got, data[tt.first:tt.first+tt.n]) {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			if open.Load() != 0 || asked.Load() != tt.asked {
				t.Errorf("%s: %d bodies are open, %d bytes were asked for, want %d", name, open.Load(), asked.Load(), tt.asked)
			}
		}
	}
}
