//go:build trial && unix

package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	trialVariable = "ECRKIT_PROXY_TRIAL" // the cache's directory, in the process that is killed
	trialBlob     = 12 << 20
	trialCache    = 16 << 20 // bytes: a second blob pushes the first one out
)

// trialUpstreams are repositories of different blobs, which take a while.
func trialUpstreams() map[string]content.Source {
	return map[string]content.Source{"one": slowUpstream{newUpstream(trialBlob)}, "two": slowUpstream{newUpstream(trialBlob - 1)}}
}

// slowUpstream sends pieces with pauses.
type slowUpstream struct{ *upstream }

func (u slowUpstream) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{slowReader{bytes.NewReader(u.blob[first : first+n])}, io.NopCloser(nil)}, nil
	}, nil
}

type slowReader struct{ io.Reader }

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(2 * time.Millisecond)
	return r.Reader.Read(p[:min(len(p), 64<<10)])
}

// TestTrialServe is the process that is killed.
func TestTrialServe(t *testing.T) {
	dir := os.Getenv(trialVariable)
	if dir == "" {
		return // it is nobody's child
	}
	cache, err := OpenCache(dir, trialCache)
	if err != nil {
		t.Fatal(err)
	}
	all := trialUpstreams()
	handler := New(cache, Options{
		Allowed: func(string) bool { return true },
		Open:    func(_ context.Context, _, repository string) (content.Source, error) { return all[repository], nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.Addr())
	t.Fatal(http.Serve(l, handler))
}

// TestTrialKill kills the proxy at 50 points of pulls. What it answers is right or incomplete, the
// cache stays below its bound, and clients succeed when they try again.
func TestTrialKill(t *testing.T) {
	dir, all, random := t.TempDir(), trialUpstreams(), rand.New(rand.NewPCG(1, 1))
	complete := 0
	for point := range 50 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTrialServe$")
		child.Env = append(os.Environ(), trialVariable+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var address string
		if _, err := fmt.Fscanln(out, &address); err != nil {
			t.Fatal(err)
		}
		delay := time.Duration(random.IntN(600)) * time.Millisecond
		time.AfterFunc(delay, func() { _ = child.Process.Kill() })
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			name := []string{"one", "two"}[random.IntN(2)]
			want := all[name].(slowUpstream).blob
			response, err := client.Get("http://" + address + "/v2/registry.example/" + name + "/blobs/" + string(digest.FromBytes(want)))
			if err != nil {
				break
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil {
				break
			}
			complete++
			if !bytes.Equal(got, want) {
				t.Fatalf("point %d: %s and wrong bytes", point, response.Status)
			}
		}
		_ = child.Wait() // it was killed
		if n := stored(t, dir); n > trialCache {
			t.Errorf("point %d: %d bytes of at most %d", point, n, trialCache)
		}
	}
	cache, err := OpenCache(dir, trialCache)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	if left, err := os.ReadDir(filepath.Join(dir, partialDir)); err != nil || len(left) > 0 {
		t.Errorf("%d incomplete files, %v", len(left), err)
	}
	t.Logf("%d complete pulls around 50 kills", complete)
	if complete == 0 {
		t.Error("no pull was complete")
	}
}
