package ecrhost

import (
	"errors"
	"strings"
	"testing"
)

// TestFind has the forms of one registry's name. Package auth tests all partitions.
func TestFind(t *testing.T) {
	t.Parallel()
	const canonical = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	for host, want := range map[string]string{
		canonical:                        canonical,
		"https://" + canonical + "./v2/": canonical,
		"123456789012.DKR.ecr-fips.us-east-1.amazonaws.com:443": canonical,
		"123456789012.dkr-ecr.us-east-1.on.aws":                 canonical,
		"123456789012.dkr.ecr.us-east-1.vpce.amazonaws.com":     canonical,
		"123456789012.dkr.ecr.us-east-1.localhost:4510":         canonical,
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"public.ecr.aws":     "public.ecr.aws",
		"ecr-public.aws.com": "public.ecr.aws",
		// Not names of Amazon ECR.
		"":          "",
		"docker.io": "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example":  "",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com":              "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com:port":          "",
		`evil.example\@123456789012.dkr.ecr.us-east-1.amazonaws.com`: "",
	} {
		got, err := Find(host)
		switch {
		case want == "":
			if !errors.Is(err, ErrNotECR) {
				t.Errorf("%q: got %+v, %v", host, got, err)
			}
		case err != nil || got.CanonicalHost() != want:
			t.Errorf("%q: got %+v, %v, want %s", host, got, err, want)
		}
	}
}

// Another spelling of a host is not another host: what a policy says of one would not hold for the other.
func TestNormalize(t *testing.T) {
	t.Parallel()
	const host = "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com"
	for _, s := range []string{
		host, host + ".", host + ":443", host + ":0443", host + ".:00443", "HTTPS://user:password@" + strings.ToUpper(host) + ":0443/v2/",
	} {
		if got, err := Normalize(s); err != nil || got != host {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"localhost:080": "localhost", "localhost:04510": "localhost:4510", "[::1]:0080": "[::1]", "[::ffff:127.0.0.1]:04510": "127.0.0.1:4510", "x:080": "x:80",
	} {
		if got, err := Normalize(s); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", ".", "x..", "x..:443", host + "..", host + ":0", host + ":00000", host + ":65536", host + ":99999", host + ":000443", host + ":+443", host + ":", host + ":443:443",
		"\u212aelvin.example", `good.example\@evil.example`, "ftp://" + host,
	} {
		if got, err := Normalize(s); err == nil {
			t.Errorf("%q is taken as %q", s, got)
		}
	}
}
