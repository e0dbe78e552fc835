package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

var testNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func daysAgo(n int) *time.Time { t := testNow.AddDate(0, 0, -n); return &t }

// testImages are named by their digest.
var testImages = []content.Image{
	{Digest: "new", Tags: []string{"v2", "z"}, Size: 100, PushedAt: daysAgo(1), PulledAt: daysAgo(0)},
	{Digest: "bare", Tags: []string{}, Size: 3000, PushedAt: daysAgo(10)},
	{Digest: "old", Tags: []string{"v1.0"}, Size: 2000, PushedAt: daysAgo(100), PulledAt: daysAgo(2)},
	{Digest: "file", Tags: []string{"a"}},
}

func sequence(images []content.Image, last error) iter.Seq2[content.Image, error] {
	return func(yield func(content.Image, error) bool) {
		for _, i := range images {
			if !yield(i, nil) {
				return
			}
		}
		if last != nil {
			yield(content.Image{}, last)
		}
	}
}

func digests(t *testing.T, list iter.Seq2[content.Image, error]) string {
	t.Helper()
	var all []string
	for i, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(i.Digest))
	}
	return strings.Join(all, " ")
}

func TestImageFilter(t *testing.T) {
	for _, tt := range []struct {
		flags lsFlags
		want  string // the status is a matter of the registry
	}{
		{lsFlags{}, "new bare old file"},
		{lsFlags{tag: "v*"}, "new old"},
		{lsFlags{tag: "v?"}, "new"},
		{lsFlags{since: "30d"}, "new bare"},
		{lsFlags{since: "240h"}, "new bare"},
		{lsFlags{before: "2w"}, "old"},
		{lsFlags{before: "2026-11-20"}, "bare old"},
		{lsFlags{since: "2026-11-14T12:00:00Z", before: "2026-11-14T12:00:01Z"}, "bare"},
		{lsFlags{larger: "2000B"}, "bare"},
		{lsFlags{larger: "1KiB", tag: "*"}, "old"},
	} {
		filter, err := newImageFilter(tt.flags, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got := digests(t, filter.apply(sequence(testImages, nil))); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.flags, got, tt.want)
		}
	}
}

func TestImageFilterMistakes(t *testing.T) {
	for _, f := range []lsFlags{
		{tagged: true, untagged: true}, {untagged: true, tag: "x"}, {tag: "["}, {larger: "big"},
		{since: "yesterday"}, {since: "-3h"}, {since: "-3d"}, {since: "d"}, {since: "3dw"}, {since: "03d"}, {before: "2026-13-01"},
	} {
		var usage usageError
		if _, err := newImageFilter(f, testNow); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestImageOrder(t *testing.T) {
	for _, tt := range []struct {
		flags lsFlags
		want  string
	}{
		{lsFlags{}, "new bare old file"},
		{lsFlags{limit: 2}, "new bare"},
		{lsFlags{sort: "pushed"}, "new bare old file"},
		{lsFlags{sort: "pushed", reverse: true}, "file old bare new"},
		{lsFlags{sort: "pulled", limit: 2}, "new old"},
		{lsFlags{sort: "size"}, "bare old new file"},
		{lsFlags{sort: "tag"}, "file old new bare"},
		{lsFlags{sort: "name", reverse: true, limit: 1}, "bare"},
	} {
		order, err := imageOrder(tt.flags)
		if err != nil {
			t.Fatal(err)
		}
		if got := digests(t, arrange(sequence(testImages, nil), order, tt.flags.limit)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.flags, got, tt.want)
		}
	}
	for _, f := range []lsFlags{{sort: "age"}, {reverse: true}, {limit: -1}} {
		if _, err := imageOrder(f); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

// TestArrangeReadsNoMore has a list end after the limit without an order.
func TestArrangeReadsNoMore(t *testing.T) {
	never := errors.New("read on")
	if got := digests(t, arrange(sequence(testImages, never), nil, 4)); got != "new bare old file" {
		t.Errorf("got %s", got)
	}
	for _, err := range arrange(sequence(testImages, never), byTag, 1) {
		if err == nil {
			t.Error("entries of a list that broke off are sorted")
		}
	}
}

func TestPrintList(t *testing.T) {
	var out bytes.Buffer
	broken := errors.New("broken")
	app := &App{Stdout: &out}
	if err := printList(app, "repository", "x", "images", sequence(nil, nil)); err != nil || out.String() != "{\"repository\":\"x\",\"images\":[\n]}\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	out.Reset()
	if err := printList(app, "repository", "x", "images", sequence(nil, broken)); err != broken || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
	// A list that breaks off is an object with the error.
	if err := printList(app, "repository", "x", "images", sequence(testImages[:1], broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	var got struct {
		Images []content.Image
		Error  failure
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Images) != 1 || got.Error != (failure{"failed", "broken", "x"}) {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestTable(t *testing.T) {
	fill := func() *table {
		tab := &table{header: []string{"A", "TAGS"}}
		tab.add("1", "x, y")
		tab.add("123", strings.Repeat("é", 30))
		return tab
	}
	for columns, want := range map[int]string{
		0:  "A    TAGS\n1    x, y\n123  " + strings.Repeat("é", 30) + "\n",
		20: "A    TAGS\n1    x, y\n123  " + strings.Repeat("é", 14) + "…\n",
		3:  "A    TAGS\n1    x, y\n123  " + strings.Repeat("é", 7) + "…\n",
	} {
		var out bytes.Buffer
		if err := fill().print(&out, columns); err != nil || out.String() != want {
			t.Errorf("%d columns: %v\n%s", columns, err, out.String())
		}
	}
	long := digest.FromString("x")
	if got := showDigest(long, 80); len(got) != 19 {
		t.Errorf("digest %s", got)
	}
	if showDigest(long, 0) != string(long) {
		t.Error("the digest is cut although there is no terminal")
	}
}

// TestPrintable has an image try to command the terminal.
func TestPrintable(t *testing.T) {
	if got := printable("a\x1b]0;title\x07\n\tb\u202ec"); strings.ContainsAny(got, "\x1b\x07\n\t\u202e") || !strings.HasPrefix(got, "a") {
		t.Errorf("got %q", got)
	}
}
