package registry

import (
	"encoding/base64"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestMatchWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*a", "a", false},
		{"a*b*c", "a-b-c", true}, {"a*b*c", "a-c-b", false}, {"*b*", "abc", true}, {"*b*", "ac", false}, {"*ab*ab", "ab", false}, {"*ab*ab", "abab", true},
	} {
		if got := matchWildcard(c.pattern, c.s); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.s, got)
		}
	}
}

func TestTokensAreOfOneOperation(t *testing.T) {
	p, err := newPage("ListImages", nil, nil, 100, 1000)
	if err != nil || p.size != 100 {
		t.Fatal(p, err)
	}
	token := p.next("key")
	if p, err := newPage("ListImages", token, aws.Int32(5), 100, 1000); err != nil || p.after != "key" || p.size != 5 {
		t.Error(p, err)
	}
	for name, bad := range map[string]string{"another operation's": *newToken("DescribeImages"), "not base64": "%", "no key": *newToken("ListImages") + "=", "": ""} {
		if _, err := newPage("ListImages", &bad, nil, 100, 1000); err == nil {
			t.Errorf("%s token was taken", name)
		}
	}
}

func newToken(operation string) *string {
	return aws.String(base64.URLEncoding.EncodeToString([]byte(operation + "\x00")))
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`), "")
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"x"}]}`), "application/vnd.oci.image.index.v1+json")
	f.Fuzz(func(t *testing.T, data []byte, mediaType string) {
		m, err := parseManifest(data, mediaType, 1<<20)
		if err != nil {
			return
		}
		for _, d := range append(m.layers, m.children...) {
			if !ValidDigest(d) {
				t.Fatalf("%q: digest %q", data, d)
			}
		}
		if m.size < 0 {
			t.Fatalf("%q: size %d", data, m.size)
		}
	})
}
