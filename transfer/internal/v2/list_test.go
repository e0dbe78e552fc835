package v2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// pages is a registry whose list has a next page for ever.
type pages struct {
	page func(n int) string
	sent int
}

func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	p.sent++
	header := http.Header{"Link": {fmt.Sprintf(`</v2/app/tags/list?last=%d>; rel="next"`, p.sent)}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(p.page(p.sent))), Request: r}, nil
}

// TestListIsBounded has a registry list without an end: names, and large pages.
func TestListIsBounded(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]func(n int) string{
		"names":   func(int) string { return `{"tags":["1"` + strings.Repeat(`,"a"`, 200) + `]}` },
		"padding": func(n int) string { return `{"tags":["1"]}` + strings.Repeat(" ", 30<<10) },
	} {
		p := &pages{page: page}
		_, err := NewClient("https", "registry.test", p).list(t.Context(), "app/tags/list", "tags", content.IsTag, listBounds{1000, 64 << 10})
		if !errors.Is(err, content.ErrUnsupported) || p.sent > 64 {
			t.Errorf("%s: %v after %d pages", name, err, p.sent)
		}
	}
}

// TestDecodeListKeepsNames checks that names that are none take no memory.
func TestDecodeListKeepsNames(t *testing.T) {
	page := []byte(`{"name":"app","tags":["1","` + strings.Repeat(`","`, 1<<14) + `","2"]}`)
	names, err := DecodeList(page, "tags", content.IsTag)
	if err != nil || len(names) != 2 || cap(names) > 4 {
		t.Errorf("%d names, %v", len(names), err)
	}
	for _, bad := range []string{``, `[]`, `{"tags":{}}`, `{"tags":[1]}`, `{"tags":["a",["b"]]}`, `{"tags":"a"}`, `{"tags":["a"]`} {
		if names, err := DecodeList([]byte(bad), "tags", content.IsTag); !errors.Is(err, content.ErrProtocol) {
			t.Errorf("%s: %v, %v", bad, names, err)
		}
	}
	for _, empty := range []string{`{}`, `{"tags":null}`, `{"tags":[]}`} {
		if names, err := DecodeList([]byte(empty), "tags", content.IsTag); err != nil || len(names) > 0 {
			t.Errorf("%s: %v, %v", empty, names, err)
		}
	}
}

func FuzzNextLink(f *testing.F) {
	f.Add(`</v2/app/tags/list?last=b&n=2>; rel="next"`)
	f.Add(`<a>; rel=prev, <b>; foo; REL="last next"`)
	f.Add(`<<>>;,=`)
	f.Fuzz(func(t *testing.T, link string) {
		if got := nextLink(http.Header{"Link": {link}}); got != "" && !strings.Contains(link, "<"+got+">") {
			t.Errorf("%q gives %q", link, got)
		}
	})
}
