package v2

import (
	"net/http"
	"strings"
	"testing"
)

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
