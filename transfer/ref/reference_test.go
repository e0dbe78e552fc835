package ref

import (
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

// detectTest says that "img" and "dir/img" are layouts, and a directory with the
// name of a registry, and that two files are archives.
func detectTest(path string) Kind {
	switch path {
	case "img", "dir/img", ecrHost + "/app", "a:b", "dist.d/app", "dist.d/App":
		return KindLayout
	case "oci.tar":
		return KindArchive
	case "docker.tar":
		return KindDockerArchive
	}
	return ""
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
		{ecrHost + "/" + strings.Repeat("a", 256), Reference{Kind: KindECR, Registry: ecrRegistry, Repository: strings.Repeat("a", 256)}, ""},
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
		// A whole name, behind what exists and behind what does not.
		{"oci:img:app:1", Reference{Kind: KindLayout, Path: "img", Tag: "app:1"}, ""},
		{"oci-archive:new.tar:app:1", Reference{Kind: KindArchive, Path: "new.tar", Tag: "app:1"}, ""},
		{"oci-archive:/a:b/new.TAR:team/app:1", Reference{Kind: KindArchive, Path: "/a:b/new.TAR:team/app", Tag: "1"}, ""},
		{"oci-archive:dir/new:docker.io/library/app:1", Reference{Kind: KindArchive, Path: "dir/new", Tag: "docker.io/library/app:1"}, ""},
		{"oci:new:docker.io/library/app:1", Reference{Kind: KindLayout, Path: "new", Tag: "docker.io/library/app:1"}, ""},
		{"oci:new:localhost:5000/app:1", Reference{Kind: KindLayout, Path: "new", Tag: "localhost:5000/app:1"}, ""},
		{`oci-archive:C:\new.tar:app:1`, Reference{Kind: KindArchive, Path: `C:\new.tar`, Tag: "app:1"}, ""},
		{`oci:C:/new:example.com/app:1`, Reference{Kind: KindLayout, Path: `C:/new`, Tag: "example.com/app:1"}, ""},
		{"oci-archive:new.tar:other.tar:1", Reference{Kind: KindArchive, Path: "new.tar:other.tar", Tag: "1"}, ""},
		{"oci:.:app:1", Reference{Kind: KindLayout, Path: ".", Tag: "app:1"}, ""},
		{"oci:a:b:app:1", Reference{Kind: KindLayout, Path: "a:b", Tag: "app:1"}, ""},
		{"img", Reference{Kind: KindLayout, Path: "img"}, "oci:img"},
		{"img:1.2", Reference{Kind: KindLayout, Path: "img", Tag: "1.2"}, "oci:img:1.2"},
		{"dir/img@" + someSHA, Reference{Kind: KindLayout, Path: "dir/img", Digest: someSHA}, "oci:dir/img@" + someSHA},
		{"oci.tar:1", Reference{Kind: KindArchive, Path: "oci.tar", Tag: "1"}, "oci-archive:oci.tar:1"},
		{"docker.tar", Reference{Kind: KindDockerArchive, Path: "docker.tar"}, "docker-archive:docker.tar"},
		{"docker.tar:app", Reference{Kind: KindDockerArchive, Path: "docker.tar", Repository: "app", Tag: "latest"}, "docker-archive:docker.tar:app:latest"},
		{"-", Reference{Kind: KindArchive, Path: "-"}, "oci-archive:-"},
		{"-:1", Reference{Kind: KindArchive, Path: "-", Tag: "1"}, "oci-archive:-:1"},
		{"docker-archive:-:team/app:1", Reference{Kind: KindDockerArchive, Path: "-", Repository: "team/app", Tag: "1"}, ""},
		{"docker-archive:/tmp/x.tar", Reference{Kind: KindDockerArchive, Path: "/tmp/x.tar"}, ""},
		{`docker-archive:C:/x.tar:app:1`, Reference{Kind: KindDockerArchive, Path: `C:/x.tar`, Repository: "app", Tag: "1"}, ""},
		{`docker-archive:c:/x.tar:localhost:5000/app:1`, Reference{Kind: KindDockerArchive, Path: `c:/x.tar`, Repository: "localhost:5000/app", Tag: "1"}, ""},
		{`docker-archive:D:/x.tar`, Reference{Kind: KindDockerArchive, Path: `D:/x.tar`}, ""},
		{`docker-archive:C:\x.tar:app:1`, Reference{Kind: KindDockerArchive, Path: `C:\x.tar`, Repository: "app", Tag: "1"}, ""},
		{"docker-archive:x.tar:ghcr.io:443/a/b:1", Reference{Kind: KindDockerArchive, Path: "x.tar", Repository: "ghcr.io:443/a/b", Tag: "1"}, ""},
		{"docker-daemon:app", Reference{Kind: KindDockerDaemon, Repository: "app", Tag: "latest"}, "docker-daemon:app:latest"},
		{"docker-daemon:" + ecrHost + "/app:1", Reference{Kind: KindDockerDaemon, Repository: ecrHost + "/app", Tag: "1"}, ""},
		{"docker-daemon:" + someSHA, Reference{Kind: KindDockerDaemon, Digest: someSHA}, ""},
		{"ghcr.io/a/b:1", Reference{Kind: KindRegistry, Host: "ghcr.io", Repository: "a/b", Tag: "1"}, ""},
		{"GHCR.io/a/b", Reference{Kind: KindRegistry, Host: "ghcr.io", Repository: "a/b"}, "ghcr.io/a/b"},
		{"localhost/a", Reference{Kind: KindRegistry, Host: "localhost", Repository: "a"}, ""},
		{"localhost:5000/a@" + someSHA, Reference{Kind: KindRegistry, Host: "localhost:5000", Repository: "a", Digest: someSHA}, ""},
		{"127.0.0.1:4511/a__b", Reference{Kind: KindRegistry, Host: "127.0.0.1:4511", Repository: "a__b"}, ""},
		{"[::1]:5000/a", Reference{Kind: KindRegistry, Host: "[::1]:5000", Repository: "a"}, ""},
		// Spellings of one repository.
		{"docker.io/alpine:3", Reference{Kind: KindRegistry, Host: "docker.io", Repository: "library/alpine", Tag: "3"}, "docker.io/library/alpine:3"},
		{"index.docker.io/library/alpine:3", Reference{Kind: KindRegistry, Host: "docker.io", Repository: "library/alpine", Tag: "3"}, "docker.io/library/alpine:3"},
		{"Registry-1.docker.io.:0443/alpine@" + someSHA, Reference{Kind: KindRegistry, Host: "docker.io", Repository: "library/alpine", Digest: someSHA}, "docker.io/library/alpine@" + someSHA},
		{"registry.hub.docker.com/grafana/loki", Reference{Kind: KindRegistry, Host: "docker.io", Repository: "grafana/loki"}, "docker.io/grafana/loki"},
		{"GHCR.io.:443/a/b:1", Reference{Kind: KindRegistry, Host: "ghcr.io", Repository: "a/b", Tag: "1"}, "ghcr.io/a/b:1"},
		{"LocalHost/a", Reference{Kind: KindRegistry, Host: "localhost", Repository: "a"}, "localhost/a"},
		{"[::ffff:7f00:1]:05000/a", Reference{Kind: KindRegistry, Host: "127.0.0.1:5000", Repository: "a"}, "127.0.0.1:5000/a"},
		{"oci:dist.d/app", Reference{Kind: KindLayout, Path: "dist.d/app"}, ""},
		{"dist.d/App", Reference{Kind: KindLayout, Path: "dist.d/App"}, "oci:dist.d/App"},
		{"public.ecr.aws/a/b:1", Reference{Kind: KindRegistry, Host: "public.ecr.aws", Repository: "a/b", Tag: "1"}, ""},
		{ecrHost + ".evil.com/app:1", Reference{Kind: KindRegistry, Host: ecrHost + ".evil.com", Repository: "app", Tag: "1"}, ""},
		// A directory must not catch what is meant for the registry.
		{ecrHost + "/app:x", Reference{Kind: KindECR, Registry: ecrRegistry, Repository: "app", Tag: "x"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in, auth.Registries{Mapping: localMapping}, detectTest)
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
		in   string
		want string // part of the error
	}{
		{"", "empty"},
		{"app", "names neither a registry nor a file"},
		{"app:1.2", "names neither a registry nor a file"},
		{"./build", "names neither a registry nor a file"},
		{"../build:1", "names neither a registry nor a file"},
		{"ocidir://app", "begins with ocidir://, which a reference does not; write oci:app"},
		{"https://" + ecrHost + "/app", "begins with https://, which a reference does not; write " + ecrHost + "/app"},
		{"docker://ghcr.io/app:1", "write ghcr.io/app:1"},
		{"https://us-east-1.console.aws.amazon.com/ecr/repositories/private/123456789012/team/app?region=us-east-1", "is the address of a web page; write 123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"},
		{"https://console.aws.amazon.com/ecr/repositories/private/123456789012/app/_/image/" + someSHA + "/details?region=cn-north-1", "write 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app@" + someSHA},
		{"https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/123456789012/app/_/permissions", "write 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app"},
		{"https://gallery.ecr.aws/docker/library/alpine", "write public.ecr.aws/docker/library/alpine"},
		{"https://hub.docker.com/_/alpine", "write docker.io/library/alpine"},
		{"https://hub.docker.com/r/grafana/loki/tags", "write docker.io/grafana/loki"},
		{"https://github.com/Owner/repository/pkgs/container/app", "write ghcr.io/owner/app"},
		{"https://github.com/orgs/owner/packages/container/package/team%2Fapp", "write ghcr.io/owner/team/app"},
		{"https://quay.io/repository/team/app?tab=tags", "write quay.io/team/app"},
		{"https://github.com/owner/repository", "write github.com/owner/repository"},
		{ecrHost + "/app@1.0", `has "1.0" behind @, which is not a digest; a tag follows a colon: ` + ecrHost + "/app:1.0"},
		{"arn:aws:ecr:us-east-1:123456789012:repository/team/app", "is an ARN; the repository is 123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"},
		{"arn:aws-cn:ecr:cn-north-1:123456789012:repository/app", "the repository is 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app"},
		{"'" + ecrHost + "/app:1'", "a quotation mark"},
		{ecrHost + "/app:$TAG", "a $ in it"},
		{ecrHost + "/app:1 ", "white space in it"},
		{ecrHost + "/app@", "the digest is missing"},
		{ecrHost + "/app@sha256:44defb1f", "a digest of 8 hexadecimal digits; all 64 are needed"},
		{ecrHost + "/app@" + strings.Repeat("a", 64), "write @sha256: before"},
		{"public.ecr.aws", "names a registry and no repository"},
		{"new.tar", "names neither a registry nor a file or directory with an image; write HOST/REPOSITORY:TAG or oci:DIRECTORY[:TAG]; to write an archive, oci-archive:FILE"},
		{"12345678901.dkr.ecr.us-east-1.amazonaws.com/app", "the account has 11 digits, not 12"},
		{"123456789012.ecr.us-east-1.amazonaws.com/app", "dkr. is missing"},
		{"123456789012.dkr.ecr.amazonaws.com/app", "the region is missing"},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.co/app", "its end is not that of the region's hosts"},
		{"api.ecr.us-east-1.amazonaws.com/app", "is the API of Amazon ECR"},
		{"library/app", "names neither a registry nor a file"},
		{ecrHost + "@evil.com/app:1", "write evil.com/app:1"},
		{"evil.com@" + ecrHost + "/app:1", "names a user or password, which a reference does not have; write " + ecrHost + "/app:1"},
		{"user:secret@" + ecrHost + "/app:1", "write " + ecrHost + "/app:1"},
		{"https://user:secret@" + ecrHost + "/app:1", "write " + ecrHost + "/app:1"},
		{"user:secret@ghcr.io/app:1", "write ghcr.io/app:1"},
		{"user:secret@localhost:5000/app:1", "write localhost:5000/app:1"},
		{"oci.:0443/alpine", "names the host oci:443, which cannot be told from a path; write it with its domain"},
		{ecrHost + "?x=/app:1", "no host name"},
		{ecrHost + "#x/app:1", "no host name"},
		{"localhost:5000?x=/app:1", "no host name"},
		{ecrHost, "names a registry and no repository"},
		{ecrHost + "/", "names a registry and no repository"},
		{ecrHost + "/a", "not a repository name"},
		{ecrHost + "/App:1", "not a repository name"},
		{ecrHost + "/a__b", "not a repository name"},
		{ecrHost + "/a//b", "two slashes one after the other"},
		{ecrHost + "/app/", "not a repository name"},
		{ecrHost + "/-app", "not a repository name"},
		{ecrHost + "/" + strings.Repeat("a", 257), "not a repository name"},
		{ecrHost + "/app:", "the tag is missing"},
		{ecrHost + "/app:.x", "not a tag"},
		{ecrHost + "/app:a:b", "not a tag"},
		{ecrHost + "/app:" + strings.Repeat("a", 129), "not a tag"},
		{ecrHost + "/app@sha256:123", "digest"},
		{ecrHost + "/app@sha256:" + strings.Repeat("G", 64), "digest"},
		{ecrHost + "/app@md5:d41d8cd98f00b204e9800998ecf8427e", "a digest of md5; registries name images by that of sha256"},
		{"oci:", "no file or directory"},
		{"oci:new:app:1", "could be the image app:1 in the directory new, or the image 1 in the directory new:app, and neither exists"},
		{"oci:new:team/app:1", "in the directory new:team/app, and neither exists"},
		{"oci:../new:30:1@" + someSHA, "could be the image 30:1 in the directory ../new,"},
		{`oci:C:\new:app:1`, `could be the image app:1 in the directory C:\new,`},
		{"oci-archive:new:app:1", "could be the image app:1 in the file new, or the image 1 in the file new:app, and neither exists; for the first, use a name that ends in .tar"},
		{"oci::1", "no file or directory"},
		{"oci:dir:", "ends its path with a colon"},
		{"oci:dir::1", "ends its path with a colon"},
		{"oci:dir@sha256:12", "digest"},
		{"oci:a\x00b", "NUL"},
		{"oci-archive:", "no file or directory"},
		{"docker-archive:", "no file or directory"},
		{"docker-archive:x.tar:", "not the name of an image"},
		{"docker-archive:x.tar:App", "not the name of an image"},
		{"docker-daemon:", "not the name of an image"},
		{"docker-daemon:sha256:12", "image ID"},
		{"ghcr.io/A", "not a repository name"},
		{"gh_cr.io/a", "no host name"},
		{"127.1:5000/a", "ends in a number"},
		{"0x7f000001:5000/a", "ends in a number"},
		{"doc\u212aer.io/a", "no host name"},
		{"docker.io../a", "no host name"},
		{"dist.d/app", "write oci:dist.d/app for the path"},
		{"dist.d/app:1", "write oci:dist.d/app:1 for the path"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in, auth.Registries{Mapping: localMapping}, detectTest)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q has not %q", err, tt.want)
			}
		})
	}
}

// TestPortsOfECR has no spelling of a port make another registry of one, past the rules of a policy.
func TestPortsOfECR(t *testing.T) {
	t.Parallel()
	const place = "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app"
	for _, port := range []string{"", ".", ":443", ":0443", ".:00443"} {
		s := strings.Replace(place, "/app", port+"/app", 1)
		if r, err := Parse(s, auth.Registries{}, nil); err != nil || r.Kind != KindECR || r.Place() != place {
			t.Errorf("%s: %+v, %v", s, r, err)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		"", "app:1", ecrHost + "/app:1@" + someSHA, "127.0.0.1:4510/a/b:c", "oci:dir:tag", "oci:a:b/c@" + someSHA,
		`oci:C:\x:1`, "oci-archive:f.tar:x", "img:1", "oci:::", "@sha256:", ":/", "[::1]/app", "-:1",
		"docker-archive:f:a/b:c", "docker-daemon:" + someSHA, "docker-daemon:a:1@x", "localhost:5000/a__b:1",
		"index.docker.io.:0443/alpine", "0000A./0", "registry:443/app", "[::ffff:7f00:1]:80/a", "-:x:1", "oci-archive:-:ghcr.io/a/b:1", "oci.:0443/alpine",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s, auth.Registries{Mapping: localMapping}, nil)
		if err != nil {
			return
		}
		again, err := Parse(r.String(), auth.Registries{Mapping: localMapping}, nil)
		if err != nil || again != r {
			t.Fatalf("%q is %+v, its String %q is %+v, %v", s, r, r.String(), again, err)
		}
	})
}
