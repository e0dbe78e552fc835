package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// layoutOf writes a layout of small images with the tags 1 to n.
func layoutOf(t testing.TB, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "src")
	l := layout.New(dir)
	for i := range n {
		config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","author":"%d","rootfs":{"type":"layers","diff_ids":[]}}`, i)
		d := content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
		if err := l.PutBlob(t.Context(), d, bytes.NewReader(config)); err != nil {
			t.Fatal(err)
		}
		manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
			ocispec.MediaTypeImageManifest, d.MediaType, d.Digest, d.Size)
		m := content.Manifest{Content: manifest, Descriptor: content.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest)),
		}}
		if err := l.PutTagged(t.Context(), m, fmt.Sprint(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onText calls do when a text is written for the first time.
type onText struct {
	bytes.Buffer
	text string
	do   func()
	once sync.Once
}

func (o *onText) Write(p []byte) (int, error) {
	n, err := o.Buffer.Write(p)
	if strings.Contains(o.String(), o.text) {
		o.once.Do(o.do)
	}
	return n, err
}

// TestCopyTagsInterrupted interrupts a copy of all tags after the first image.
func TestCopyTagsInterrupted(t *testing.T) {
	t.Parallel()
	src, home := layoutOf(t, 3), t.TempDir()
	env := func(key string) (string, bool) {
		value, ok := map[string]string{"HOME": home}[key]
		return value, ok
	}
	for _, output := range []string{"text", "json"} {
		dst := filepath.Join(t.TempDir(), "dst")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out bytes.Buffer
		messages := &onText{text: "copied", do: cancel}
		code := Main(ctx, []string{"copy", "oci:" + src, "oci:" + dst, "--all-tags", "--output", output}, nil, &out, messages, env)
		if code != exitInterrupted || !strings.Contains(messages.String(), "interrupted") {
			t.Errorf("exit code %d, want %d: %s", code, exitInterrupted, messages)
		}
		if !strings.Contains(out.String(), "1") {
			t.Errorf("the image that was copied is not in the result: %s", &out)
		}
		tags, err := layout.New(dst).Tags(t.Context())
		if err != nil || len(tags) != 1 {
			t.Errorf("tags %v, %v", tags, err)
		}
	}
}

// TestCopyTagsWritesOnce copies many tags to a layout and to an archive, which exist with
// another image: all are there, and index.json is written once.
func TestCopyTagsWritesOnce(t *testing.T) {
	t.Parallel()
	const images = 20
	src, home := layoutOf(t, images), t.TempDir()
	env := func(key string) (string, bool) {
		value, ok := map[string]string{"HOME": home}[key]
		return value, ok
	}
	run := func(args ...string) string {
		t.Helper()
		var out, messages bytes.Buffer
		if code := Main(t.Context(), args, nil, &out, &messages, env); code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args, code, &messages)
		}
		return out.String()
	}
	dir := t.TempDir()
	for _, dst := range []string{"oci:" + filepath.Join(dir, "dst"), "oci-archive:" + filepath.Join(dir, "dst.tar")} {
		run("copy", "oci:"+src+":1", dst+":before")
		run("copy", "oci:"+src, dst, "--all-tags")
		if n := strings.Count(run("copy", dst, "oci:"+filepath.Join(t.TempDir(), "back"), "--all-tags"), "oci:"); n != images+1 {
			t.Errorf("%s has %d tags, want %d", dst, n, images+1)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
