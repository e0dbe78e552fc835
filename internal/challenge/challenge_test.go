package challenge

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestSeparate(t *testing.T) {
	t.Parallel()
	const bearer = `Bearer realm="https://x/token",service="s"`
	for _, tt := range []struct{ fields, want []string }{
		{nil, nil},
		{[]string{bearer}, []string{bearer}},
		{[]string{`Negotiate, ` + bearer}, []string{"Negotiate", bearer}},
		{[]string{bearer + `, Negotiate`}, []string{bearer, "Negotiate"}},
		{[]string{`Negotiate`, bearer}, []string{"Negotiate", bearer}},
		{[]string{`Negotiate YWJj==, Basic realm="x", ` + bearer}, []string{"Negotiate", `Basic realm="x"`, bearer}},
		{[]string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`}, // RFC 9110, section 11.6.1
			[]string{`Newauth realm="apps",type="1",title="Login to \"apps\""`, `Basic realm="simple"`}},
		{[]string{`Basic , realm="x" , ,,	Bearer	realm = "https://x/token" ,service= "s"`}, []string{`Basic realm="x"`, bearer}},
		{[]string{`Bearer realm="https://x/token",error="",service="s"`}, []string{bearer}},
		{[]string{`Bearer realm="https://x/a,b",scope="repository:a:pull,push"`}, []string{`Bearer realm="https://x/a,b",scope="repository:a:pull,push"`}},
		{[]string{`Basic realm="a, Bearer realm=b"`}, []string{`Basic realm="a, Bearer realm=b"`}},
		{[]string{`Basic realm="\\"`}, []string{`Basic realm="\\"`}},
		{[]string{`bearer REALM="https://x/token"`}, []string{`bearer REALM="https://x/token"`}},
		// These are no challenges.
		{[]string{``}, []string{``}},
		{[]string{`, ,`}, []string{`, ,`}},
		{[]string{`realm="x"`}, []string{`realm="x"`}},
		{[]string{`"Bearer realm=x"`}, []string{`"Bearer realm=x"`}},
		{[]string{`Basic realm="x`}, []string{`Basic`}},
		{[]string{`Basic realm="x\`}, []string{`Basic`}},
		{[]string{`Basic realm=https://x`}, []string{`Basic`}},
		{[]string{`Basic realm="x" y, Bearer realm="z"`}, []string{`Basic`, `Bearer realm="z"`}},
	} {
		h := http.Header{}
		for _, f := range tt.fields {
			h.Add("WWW-Authenticate", f)
		}
		Separate(h)
		if got := h.Values("WWW-Authenticate"); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.fields, got, tt.want)
		}
	}
}

// FuzzSeparate separates what is separate again: nothing changes, and nothing of it splits a header.
func FuzzSeparate(f *testing.F) {
	f.Add(`Negotiate, Bearer realm="https://x/token",scope="repository:a:pull,push"`)
	f.Add(`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`)
	f.Add("Basic\trealm = \"\\\\\\\"\" ,,Negotiate a==")
	f.Fuzz(func(t *testing.T, value string) {
		found := split(value)
		if len(found) > len(value) {
			t.Fatalf("%d challenges", len(found))
		}
		for _, one := range found {
			if again := split(one); len(again) != 1 || again[0] != one {
				t.Errorf("%q: %q becomes %q", value, one, again)
			}
			if !strings.ContainsAny(value, "\r\n") && strings.ContainsAny(one, "\r\n") {
				t.Errorf("%q: %q", value, one)
			}
		}
	})
}
