package ecrhost

import (
	"errors"
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
