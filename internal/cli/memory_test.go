package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gcPercent returns what GOGC or debug.SetGCPercent set last.
func gcPercent() int64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// TestMemoryLimit looks at the soft limit of memory and at the growth of the heap while a
// registry is asked: only a copy has its own, and no longer than it lasts.
func TestMemoryLimit(t *testing.T) {
	var seen, growth atomic.Int64
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Store(debug.SetMemoryLimit(-1))
		growth.Store(gcPercent())
		w.WriteHeader(http.StatusNotFound)
	}))
	defer registry.Close()
	image := strings.TrimPrefix(registry.URL, "http://") + "/app"
	unlimited, usual := debug.SetMemoryLimit(-1), gcPercent()
	run := func(environment map[string]string, args ...string) int64 {
		t.Helper()
		home := t.TempDir()
		env := func(key string) (string, bool) {
			if value, ok := environment[key]; ok {
				return value, true
			}
			value, ok := map[string]string{"HOME": home}[key]
			return value, ok
		}
		seen.Store(0)
		var out bytes.Buffer
		if code := Main(t.Context(), args, nil, &out, &out, env); code != exitFailed || seen.Load() == 0 {
			t.Errorf("%v: exit code %d, limit %d: %s", args, code, seen.Load(), &out)
		}
		if after := debug.SetMemoryLimit(-1); after != unlimited {
			t.Errorf("%v: the limit stays at %d", args, after)
		}
		if after := gcPercent(); after != usual {
			t.Errorf("%v: the growth stays at %d percent", args, after)
		}
		return seen.Load()
	}
	layout := "oci:" + filepath.Join(t.TempDir(), "layout")
	for _, args := range [][]string{{"pull", image + ":1", layout}, {"copy", image, layout, "--all-tags"}} {
		if limit := run(nil, args...); limit != copyMemory {
			t.Errorf("%v: limit %d, want %d", args, limit, copyMemory)
		}
		if percent := growth.Load(); percent != copyGrowth {
			t.Errorf("%v: growth %d percent, want %d", args, percent, copyGrowth)
		}
		if limit := run(map[string]string{"GOMEMLIMIT": "1GiB"}, args...); limit != unlimited {
			t.Errorf("%v: GOMEMLIMIT is replaced by %d", args, limit)
		}
		if run(map[string]string{"GOGC": "100"}, args...); growth.Load() != usual {
			t.Errorf("%v: GOGC is replaced by %d", args, growth.Load())
		}
	}
	for _, args := range [][]string{{"inspect", image + ":1"}, {"tree", image + ":1"}} {
		if limit := run(nil, args...); limit != unlimited {
			t.Errorf("%v: limit %d, want none", args, limit)
		}
		if percent := growth.Load(); percent != usual {
			t.Errorf("%v: growth %d percent, want %d", args, percent, usual)
		}
	}
}

// TestLocalMemoryLimit looks at the limit while a local ECR serves, and after it has ended.
func TestLocalMemoryLimit(t *testing.T) {
	unlimited := debug.SetMemoryLimit(-1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	home, code := t.TempDir(), make(chan int, 1)
	out, in := io.Pipe()
	go func() {
		code <- Main(ctx, []string{"local", "--addr", "127.0.0.1:0"}, nil, in, io.Discard, func(key string) (string, bool) {
			value, ok := map[string]string{"HOME": home}[key]
			return value, ok
		})
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n') // the only one
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	response, err := http.Get(strings.TrimPrefix(strings.TrimSpace(line), "ecrkit local: ") + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if limit := debug.SetMemoryLimit(-1); limit != localMemory {
		t.Errorf("limit %d, want %d", limit, localMemory)
	}
	cancel()
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
	if limit := debug.SetMemoryLimit(-1); limit != unlimited {
		t.Errorf("limit %d after the end, want %d", limit, unlimited)
	}
}
