package startup

import (
	"bytes"
	"strings"
	"testing"

	"github.com/docker/docker-credential-helpers/credentials"
)

func TestNotFound(t *testing.T) {
	if want := credentials.NewErrCredentialsNotFound().Error(); notFound != want {
		t.Errorf("%q, want %q", notFound, want)
	}
}

func TestAnswerForeignHost(t *testing.T) {
	home := "HOME=" + t.TempDir()
	for host, want := range map[string]bool{"docker.io": true, "ghcr.io": true, "https://index.docker.io/v1/": true, "public.ECR.aws": false, "": false} {
		var out bytes.Buffer
		code, ok := Answer(host, []string{home, "USERPROFILE=" + home}, &out)
		if ok != want || ok && (code != 1 || out.String() != notFound+"\n") || !ok && out.Len() != 0 {
			t.Errorf("%q: %d, %t, %q", host, code, ok, &out)
		}
	}
	var out bytes.Buffer
	if _, ok := Answer("docker.io", []string{home, "ECRKIT_REGISTRIES=docker.io=1"}, &out); ok {
		t.Error("a host of the configuration was called foreign")
	}
}

func TestIsGet(t *testing.T) {
	for args, want := range map[string]bool{
		"docker-credential-ecrkit get":             true,
		"/usr/bin/docker-credential-ecr-login get": true,
		"docker-credential-ecrkit list":            false,
		"docker-credential-ecrkit get x":           false,
		"docker-credential-ecrkit":                 false,
		"docker-credential- get":                   false,
		"ecrkit get":                               false,
		"/docker-credential-x/ecrkit get":          false,
	} {
		if got := isGet(strings.Fields(args)); got != want {
			t.Errorf("%s: %t", args, got)
		}
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", " ", "x", " x ", "\t\r\n\v\fx\r\n", "a b"} {
		if got, want := trimSpace(s), strings.TrimSpace(s); got != want {
			t.Errorf("trimSpace(%q) = %q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"", "=", "a", "a=", "=b", "a=b=c"} {
		before, after, found := cut(s, '=')
		wantBefore, wantAfter, wantFound := strings.Cut(s, "=")
		if before != wantBefore || after != wantAfter || found != wantFound {
			t.Errorf("cut(%q) = %q, %q, %t", s, before, after, found)
		}
	}
	for s, want := range map[string]bool{"AWS_X": true, "aws_x": true, "Aws_": true, "AWS": false, "": false, "XAWS_": false, "AWS-": false} {
		if got := hasPrefixFold(s, "AWS_"); got != want {
			t.Errorf("hasPrefixFold(%q) = %t", s, got)
		}
	}
}
