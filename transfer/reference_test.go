package transfer

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth"
)

const (
	ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	someSHA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var (
	ecrRegistry   = auth.Registry{Host: ecrHost, Account: "123456789012", Region: "us-east-1", Partition: "aws"}
	localRegistry = auth.Registry{Host: "127.0.0.1:4510", Account: "000000000000", Region: "us-east-1", Partition: "aws"}
	localMapping  = auth.Mapping{localRegistry.Host: localRegistry}
)

// isTestLayout says that "img" and "dir/img" are layouts, and a directory with
// the name of a registry.
func isTestLayout(dir string) bool {
	return dir == "img" || dir == "dir/img" || dir == ecrHost+"/app" || dir == "a:b"
}

func TestParseReference(t *testing.T) {
	tests := []struct {
		in   string
		want Reference
		full string // String of it; "" is in
	}{
		{ecrHost + "/app", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app"}, ""},
		{ecrHost + "/app:1.2", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Tag: "1.2"}, ""},
		{ecrHost + "/team/my-app.x/y_z:_V", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "team/my-app.x/y_z", Tag: "_V"}, ""},
		{ecrHost + "/app@" + someSHA, Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Digest: someSHA}, ""},
		{ecrHost + "/app:1@" + someSHA, Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Tag: "1", Digest: someSHA}, ""},
		{strings.ToUpper(ecrHost) + ":443/app:1", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Tag: "1"}, ecrHost + "/app:1"},
		{"127.0.0.1:4510/app:1", Reference{Kind: KindECR, Registry: localRegistry, Repository: "app", Tag: "1"}, ""},
		{"oci:dir", Reference{Kind: KindLayout, Path: "dir"}, ""},
		{"oci:dir:1.2", Reference{Kind: KindLayout, Path: "dir", Tag: "1.2"}, ""},
		{"oci:/a/b.c/d:1.2", Reference{Kind: KindLayout, Path: "/a/b.c/d", Tag: "1.2"}, ""},
		{"oci:./d@" + someSHA, Reference{Kind: KindLayout, Path: "./d", Digest: someSHA}, ""},
		{"oci:d:1@" + someSHA, Reference{Kind: KindLayout, Path: "d", Tag: "1", Digest: someSHA}, ""},
		{"oci:a:b/c", Reference{Kind: KindLayout, Path: "a:b/c"}, ""},
		{`oci:C:\images\app`, Reference{Kind: KindLayout, Path: `C:\images\app`}, ""},
		{`oci:C:\images\app:1`, Reference{Kind: KindLayout, Path: `C:\images\app`, Tag: "1"}, ""},
		{"oci-archive:x.tar", Reference{Kind: KindArchive, Path: "x.tar"}, ""},
		{"oci-archive:x.tar:1", Reference{Kind: KindArchive, Path: "x.tar", Tag: "1"}, ""},
		{"img", Reference{Kind: KindLayout, Path: "img"}, "oci:img"},
		{"img:1.2", Reference{Kind: KindLayout, Path: "img", Tag: "1.2"}, "oci:img:1.2"},
		{"dir/img@" + someSHA, Reference{Kind: KindLayout, Path: "dir/img", Digest: someSHA}, "oci:dir/img@" + someSHA},
		// A directory must not catch what is meant for the registry.
		{ecrHost + "/app:x", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Tag: "x"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseReference(tt.in, auth.Registries{Mapping: localMapping}, isTestLayout)
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, tt.want)
			}
			full := tt.full
			if full == "" {
				full = tt.in
			}
			if got.String() != full {
				t.Errorf("String is %q, want %q", got.String(), full)
			}
		})
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	tests := []struct {
		in     string
		want   string // part of the error
		notECR bool
	}{
		{"", "empty", false},
		{"app", "names neither a registry nor an OCI layout", false},
		{"app:1.2", "names neither a registry nor an OCI layout", false},
		{"./build", "names neither a registry nor an OCI layout", false},
		{"../build:1", "names neither a registry nor an OCI layout", false},
		{"docker-daemon:app", "names neither a registry nor an OCI layout", false},
		{"docker-archive:/tmp/x.tar", "names neither a registry nor an OCI layout", false},
		{"https://" + ecrHost + "/app", "names neither a registry nor an OCI layout", false},
		{"library/app", "names neither a registry nor an OCI layout", false},
		{"ghcr.io/a/b:1", "registry ghcr.io is not an Amazon ECR registry", true},
		{"localhost/a", "registry localhost is not an Amazon ECR registry", true},
		{"localhost:5000/a", "not an Amazon ECR registry", true},
		{"127.0.0.1:4511/a", "not an Amazon ECR registry", true},
		{ecrHost + ".evil.com/app:1", "not an Amazon ECR registry", true},
		{ecrHost + "@evil.com/app:1", "not an Amazon ECR registry", true},
		{ecrHost, "not a repository name", false},
		{ecrHost + "/", "not a repository name", false},
		{ecrHost + "/a", "not a repository name", false},
		{ecrHost + "/App:1", "not a repository name", false},
		{ecrHost + "/a__b", "not a repository name", false},
		{ecrHost + "/a//b", "not a repository name", false},
		{ecrHost + "/app/", "not a repository name", false},
		{ecrHost + "/-app", "not a repository name", false},
		{ecrHost + "/" + strings.Repeat("a", 257), "not a repository name", false},
		{ecrHost + "/app:", "not a tag", false},
		{ecrHost + "/app:.x", "not a tag", false},
		{ecrHost + "/app:a:b", "not a tag", false},
		{ecrHost + "/app:" + strings.Repeat("a", 129), "not a tag", false},
		{ecrHost + "/app@sha256:123", "digest", false},
		{ecrHost + "/app@sha256:" + strings.Repeat("G", 64), "digest", false},
		{ecrHost + "/app@md5:d41d8cd98f00b204e9800998ecf8427e", "not a repository name", false},
		{"oci:", "no file or directory", false},
		{"oci::1", "no file or directory", false},
		{"oci:dir:", "ends its path with a colon", false},
		{"oci:dir::1", "ends its path with a colon", false},
		{"oci:dir@sha256:12", "digest", false},
		{"oci:a\x00b", "NUL", false},
		{"oci-archive:", "no file or directory", false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseReference(tt.in, auth.Registries{Mapping: localMapping}, isTestLayout)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q has not %q", err, tt.want)
			}
			if errors.Is(err, auth.ErrNotECR) != tt.notECR {
				t.Errorf("ErrNotECR is %v: %v", !tt.notECR, err)
			}
		})
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		"", "app:1", ecrHost + "/app:1@" + someSHA, "127.0.0.1:4510/a/b:c", "oci:dir:tag", "oci:a:b/c@" + someSHA,
		`oci:C:\x:1`, "oci-archive:f.tar:x", "img:1", "oci:::", "@sha256:", ":/", "[::1]/app",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s, auth.Registries{Mapping: localMapping}, nil)
		if err != nil {
			return
		}
		again, err := ParseReference(r.String(), auth.Registries{Mapping: localMapping}, nil)
		if err != nil || again != r {
			t.Fatalf("%q is %+v, its String %q is %+v, %v", s, r, r.String(), again, err)
		}
	})
}
