//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
)

// The harness with our program alone, and sizes so small that it takes seconds.
func TestBench(t *testing.T) {
	t.Parallel()
	ctx, bin := t.Context(), t.TempDir()
	if err := binaries.Build(bin, "cmd/ecrkit", "cmd/docker-credential-ecrkit"); err != nil {
		t.Fatal(err)
	}
	if err := buildLaunch(ctx, bin); err != nil {
		t.Fatal(err)
	}
	all, err := programs(ctx, bin, bin)
	if err != nil {
		t.Fatal(err)
	}
	// A peer that is not there stays in the tables.
	all = slices.DeleteFunc(all, func(p *program) bool { return p.name != ours && p.name != "crane" })
	tiny := sizes{large: 12 * mib, medium: 64 << 10, small: 64 << 10, platform: 64 << 10, archive: 64 << 10}
	list, err := selected(scenarios(tiny), "pull-loopback,push-index,kill-push")
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i].kill {
			list[i].shape.rate = 8 * mib // a busy machine kills late
		}
	}
	b := &bench{
		programs: all, bin: bin, tools: bin, dir: t.TempDir(), sizes: tiny, runs: 1,
		rates: rates{SHA256: 1 << 30, Cores: 2}, progress: t.Output(), inputs: make(map[string]*input),
	}
	results, err := b.run(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Cases) != 3 {
		t.Fatalf("%d cases were measured, want 3", len(results.Cases))
	}
	for _, c := range results.Cases {
		us, ok := c.mainRow()
		if !ok {
			t.Errorf("%s: %s", c.ID, us.Error)
			continue
		}
		s := us.Samples[0]
		if len(us.Samples) != 1 || s.Wall <= 0 || s.CPU <= 0 || s.RSS < mib || s.Calls == 0 {
			t.Errorf("%s: %+v", c.ID, us.Samples)
		}
		if moved := s.In + s.Out; moved < c.Moves && !c.Kill {
			t.Errorf("%s: %d bytes moved, want %d at least", c.ID, moved, c.Moves)
		}
	}
	text := report(results, "")
	if !strings.Contains(text, "| crane | 1 | not installed |") {
		t.Error("the peer that is not installed is not in the report")
	}
	if strings.Contains(text, b.dir) || strings.Contains(text, bin) {
		t.Errorf("the report has paths of this machine:\n%s", text)
	}
}

// A program whose result is wrong has failed, whatever its exit status.
func TestVerifyLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	in, err := writeLayout(dir, 1, []string{"amd64", "arm64"}, []int64{100_000, 200_000})
	if err != nil {
		t.Fatal(err)
	}
	if len(in.blobs) != 6 || in.manifests != 3 {
		t.Errorf("%d blobs and %d manifests, want 6 and 3", len(in.blobs), in.manifests)
	}
	if size := in.blobs[1].Size; size > 200_000 || size < 190_000 {
		t.Errorf("a layer of at most 200,000 bytes has %d", size)
	}
	again, err := writeLayout(filepath.Join(t.TempDir(), "layout"), 1, []string{"amd64", "arm64"}, []int64{100_000, 200_000})
	if err != nil {
		t.Fatal(err)
	}
	if in.root != again.root {
		t.Errorf("the same seed gives %s and %s", in.root, again.root)
	}
	if err := verifyLayout(dir, in); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "left-over"), make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if stray, err := strayBytes(dir, in); err != nil || stray != 100_000 {
		t.Errorf("%d bytes do not belong to the layout, want 100,000: %v", stray, err)
	}
	blob := filepath.Join(dir, "blobs", "sha256", in.blobs[0].Digest.Encoded())
	data, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(blob, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verifyLayout(dir, in); err == nil {
		t.Error("a layout with a wrong byte is taken for right")
	}
}

func TestLauncher(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := buildLaunch(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	l := launcher{path: filepath.Join(dir, "launch"), env: os.Environ(), dir: dir}

	// This process is larger than a shell, and must not be seen in its place.
	ballast := make([]byte, 64*mib)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	used, err := l.run(t.Context(), []string{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"})
	if err != nil || used.CPU <= 0 || used.Wall <= 0 {
		t.Errorf("%+v, %v", used, err)
	}
	if used.RSS == 0 || used.RSS > 32*mib {
		t.Errorf("a shell needs %d bytes of memory", used.RSS)
	}
	runtime.KeepAlive(ballast)

	_, err = l.run(t.Context(), []string{"sh", "-c", "echo starting; echo 'error: no such thing' >&2; echo more >&2; exit 3"})
	if err == nil || err.Error() != "exit status 3: error: no such thing" {
		t.Errorf("a command that fails gives %v", err)
	}
	if _, err := l.run(t.Context(), []string{filepath.Join(dir, "no-such-program")}); err == nil {
		t.Error("a program that is not there gives no error")
	}

	written, err := l.killHalfway(t.Context(), []string{"sh", "-c", "while :; do echo 0123456789; done"}, 100_000)
	if err != nil || written < 100_000 {
		t.Errorf("killed after %d bytes: %v", written, err)
	}
	if _, err := l.killHalfway(t.Context(), []string{"sh", "-c", "echo short"}, 100_000); err == nil {
		t.Error("a command that ends before it is killed gives no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := l.start(ctx, []string{"sleep", "60"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.wait(); err == nil {
		t.Error("a command whose context ended gives no error")
	}
}

func TestSelected(t *testing.T) {
	all := scenarios(quickSizes)
	list, err := selected(all, "push-1,pull")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list {
		ids = append(ids, s.id)
	}
	if got, want := strings.Join(ids, " "), "pull-10 push-10 pull-20 pull-loopback pull-small pull-medium pull-index"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := selected(all, "pull,nothing"); err == nil {
		t.Error("a word that is no case's beginning gives no error")
	}
}
