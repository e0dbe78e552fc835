package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// lacking is a repository that has lost some blobs.
type lacking struct {
	content.Source // without the other ways to read a blob
	content.TagLister
	content.ReferrerLister
	lost map[digest.Digest]bool
}

func (l lacking) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if l.lost[d.Digest] {
		return nil, content.ErrNotFound
	}
	return l.Source.Blob(ctx, d)
}

// opens opens one repository.
type opens struct{ source content.Source }

func (o opens) Source(context.Context, string) (content.Source, error) { return o.source, nil }

func (o opens) Target(context.Context, string) (content.Target, error) {
	return nil, content.ErrUnsupported
}

// TestBadImages names all images of which a blob cannot be exported after one try, and writes no set.
func TestBadImages(t *testing.T) {
	t.Parallel()
	web := &repository{Store: memory.New("web")}
	web.put(t, "1", 1, 1000)
	web.put(t, "2", 2, 2000)
	web.put(t, "3", 3, 3000)
	l := lacking{web, web, web, map[digest.Digest]bool{}}
	roots := map[string]string{}
	for _, tag := range []string{"1", "3"} {
		m, err := web.Resolve(t.Context(), tag)
		check(t, err)
		c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
		check(t, err)
		l.lost[c.Blobs[1].Digest] = true
		roots[tag] = string(m.Descriptor.Digest)
	}
	dir := t.TempDir()
	_, err := Export(t.Context(), mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}, opens{l}, dir, ExportOptions{})
	for tag, root := range roots {
		if err == nil || !strings.Contains(err.Error(), "a.example/web@"+root+": ") {
			t.Errorf("%s is not named: %v", tag, err)
		}
	}
	if failed := new(mirror.CopyError); !errors.As(err, &failed) || !errors.Is(err, content.ErrNotFound) {
		t.Error(err)
	}
	if left := new(IncompleteError); errors.As(err, &left) {
		t.Errorf("there is no set, but the error is %#v", left)
	}
	if _, err := ReadSet(dir); !errors.Is(err, ErrNoSet) {
		t.Error(err)
	}
}

// TestLeavesOutImages exports all images but those that are for another platform, in each form.
func TestLeavesOutImages(t *testing.T) {
	t.Parallel()
	web := &repository{Store: memory.New("web")}
	web.put(t, "1", 1, 1000)
	web.put(t, "2", 2, 2000)
	m, err := web.Resolve(t.Context(), "1")
	check(t, err)
	bad := string(m.Descriptor.Digest)
	read := lacking{web, web, web, nil}
	config := mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}
	opts := ExportOptions{Options: mirror.Options{Prepare: func(_ context.Context, c mirror.Copy) error {
		if c.Options.Reference == bad {
			return content.ErrNotFound
		}
		return nil
	}}}
	dir := t.TempDir()
	var stream bytes.Buffer
	for form, export := range map[string]func() (Set, error){
		"directory":       func() (Set, error) { return Export(t.Context(), config, opens{read}, dir, opts) },
		"directory again": func() (Set, error) { return Export(t.Context(), config, opens{read}, dir, opts) },
		"file": func() (Set, error) {
			return ExportFile(t.Context(), config, opens{read}, filepath.Join(t.TempDir(), "set.tar"), opts)
		},
		"stream": func() (Set, error) { return ExportStream(t.Context(), config, opens{read}, &stream, opts) },
	} {
		set, err := export()
		left := new(IncompleteError)
		if !errors.As(err, &left) || len(left.Images) != 1 || left.Images[0].From != "a.example/web@"+bad {
			t.Errorf("%s: %v", form, err)
		}
		if len(set.Images) != 1 || string(set.Images[0].Digest) == bad {
			t.Errorf("%s: %v", form, set.Images)
		}
	}
	set, err := Verify(t.Context(), dir, ReadOptions{})
	if err != nil || len(set.Images) != 1 {
		t.Errorf("%v, %v", set.Images, err)
	}
}
