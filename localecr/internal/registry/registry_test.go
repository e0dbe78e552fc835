package registry

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go/v1"
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
	other := page{operation: "DescribeImages"}.next("key")
	bad := map[string]string{"another operation's": *other, "not base64": "%", "no key": *page{operation: "ListImages"}.next(""), "cut": (*token)[:len(*token)-4], "": ""}
	for i := range *token {
		altered := []byte(*token)
		if altered[i] = 'A'; altered[i] == (*token)[i] {
			altered[i] = 'B'
		}
		bad["altered: "+string(altered)] = string(altered)
	}
	for name, bad := range bad {
		if p, err := newPage("ListImages", &bad, nil, 100, 1000); err == nil {
			t.Errorf("%s token was taken: %v", name, p)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`), "")
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"x"}]}`), "application/vnd.oci.image.index.v1+json")
	f.Fuzz(func(t *testing.T, data []byte, mediaType string) {
		m, err := parseManifest(data, mediaType, 1<<20, Quirks{})
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

func FuzzNames(f *testing.F) {
	for _, text := range []string{"sha256:" + strings.Repeat("0a", 32), "application/vnd.oci.image.config.v1+json", "a/b", "+a/b", "a/+b", "/", "a/b/c", strings.Repeat("a", 127) + "/" + strings.Repeat("b", 128), "a/b\n", "sha256:\n"} {
		f.Add(text)
	}
	digest := regexp.MustCompile(`^` + digestPattern + `$`)
	mediaType := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$`)
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := ValidDigest(text), digest.MatchString(text); got != want {
			t.Errorf("ValidDigest(%q) = %v", text, got)
		}
		if got, want := validMediaType(text), mediaType.MatchString(text); got != want {
			t.Errorf("validMediaType(%q) = %v", text, got)
		}
	})
}

func TestStandInSignatureIsTheSameForTheSameImage(t *testing.T) {
	subject := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("x"), Size: 1}
	const profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/"
	signature := func(profile string) string {
		m, blobs, err := standInSignature(subject, profile)
		if err != nil {
			t.Fatal(err)
		}
		return string(m) + string(bytes.Join(blobs, []byte("\n")))
	}
	one := signature(profile + "one")
	if again := signature(profile + "one"); again != one {
		t.Error("two signatures of one image by one profile differ")
	}
	if signature(profile+"two") == one {
		t.Error("signatures by two profiles are the same")
	}
}

func TestExcludedPrincipals(t *testing.T) {
	excluded := map[string]time.Time{
		"arn:aws:iam::111111111111:role/scanner": {}, "arn:aws:iam::111111111111:role/team/deep/reader": {}, "arn:aws:iam::111111111111:user/ci": {},
	}
	for principal, want := range map[string]bool{
		"arn:aws:iam::111111111111:user/ci":                         true,
		"arn:aws:iam::111111111111:user/c":                          false,
		"arn:aws:iam::222222222222:user/ci":                         false,
		"arn:aws:sts::111111111111:assumed-role/scanner/session":    true,
		"arn:aws:sts::111111111111:assumed-role/reader/a@b":         true,
		"arn:aws:sts::111111111111:assumed-role/team/session":       false,
		"arn:aws:sts::111111111111:assumed-role/ci/session":         false,
		"arn:aws:sts::222222222222:assumed-role/scanner/session":    false,
		"arn:aws:sts::111111111111:assumed-role/other-scanner/here": false,
		"": false,
	} {
		if got := isExcluded(excluded, principal); got != want {
			t.Errorf("%s: %v", principal, got)
		}
	}
}
