package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/dockerconfig"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// about has a session examine an image of another host.
func about(t *testing.T, s *Session, host string) {
	t.Helper()
	r, err := auth.ParseRegistry(host, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Subject = Subject{Host: r.Host, Registry: r}
	if !r.Public {
		s.Subject.Reference = ref.Reference{Kind: ref.KindECR, Registry: r, Repository: "app", Tag: "1.0"}
	}
}

// TestHealthyHosts finds nothing wrong with any kind of name of Amazon ECR.
func TestHealthyHosts(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		testHost,
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
		"123456789012.dkr-ecr.us-east-1.on.aws",
		"123456789012.dkr-ecr-fips.us-west-2.on.aws",
		"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
		"123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
		"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
		"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
		"123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
		"123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
		"123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
		"123456789012.dkr.ecr.us-east-1.vpce.amazonaws.com",
		"public.ecr.aws",
		"ecr-public.aws.com",
	} {
		t.Run(host, func(t *testing.T) {
			for _, env := range [][]string{nil, {"AWS_USE_FIPS_ENDPOINT=true"}, {"AWS_USE_DUALSTACK_ENDPOINT=true"}} {
				s := newTestSession(t, nil, nil, env...)
				about(t, s, host)
				for name, c := range map[string]Check{"endpoint": endpoint{}, "proxy": proxy{}, "network": network{}, "region": region{}, "layers": layers{}} {
					if f := c.Run(t.Context(), s); f.Status != OK && f.Status != Skipped {
						t.Errorf("%v: %s: %+v", env, name, f)
					}
				}
			}
		})
	}
}

// installed has some programs in PATH.
func installed(s *Session, programs ...string) {
	s.LookPath = func(name string) (string, error) {
		for _, p := range programs {
			if p == name {
				return "/usr/bin/" + name, nil
			}
		}
		return "", errors.ErrUnsupported
	}
}

// TestDockerConfigOfPrograms examines the file that the installed programs read.
func TestDockerConfigOfPrograms(t *testing.T) {
	t.Parallel()
	const asks = `{"credHelpers": {"` + testHost + `": "ecrkit"}}`
	for name, tt := range map[string]struct {
		programs       []string
		docker, podman string // their files
		status         Status
		found, advice  string
	}{
		"nothing":                    {nil, "", "", Skipped, "no docker configuration and no program", ""},
		"docker without an entry":    {[]string{"docker"}, "", "", Failed, "docker has no credentials", "`ecrkit auth setup " + testHost},
		"podman without an entry":    {[]string{"podman"}, "", "", Failed, "podman has no credentials", "`ecrkit auth setup --podman " + testHost},
		"podman with its file":       {[]string{"podman"}, "", asks, OK, "podman asks docker-credential-ecrkit", ""},
		"podman with docker's file":  {[]string{"buildah", "podman"}, asks, "", OK, "podman asks docker-credential-ecrkit", ""},
		"docker with podman's file":  {[]string{"docker", "podman"}, "", asks, Failed, "docker has no credentials", ""},
		"podman's is another host's": {[]string{"skopeo"}, asks, `{"credHelpers": {"x.example": "y"}}`, OK, "podman asks docker-credential-ecrkit", ""},
		"crane with docker's file":   {[]string{"crane"}, asks, "", OK, "docker asks docker-credential-ecrkit", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, nil, nil)
			installed(s, tt.programs...)
			for path, text := range map[string]string{configPath(t, s, dockerconfig.DockerPath): tt.docker, configPath(t, s, dockerconfig.PodmanPath): tt.podman} {
				if text == "" {
					continue
				}
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, s, tt.status, tt.found, tt.advice, dockerConfig{})
			if strings.HasSuffix(tt.found, "ecrkit") && s.facts.docker.helper != "ecrkit" {
				t.Errorf("helper %q", s.facts.docker.helper)
			}
		})
	}
}

func configPath(t *testing.T, s *Session, path func(startup.Environment) (string, error)) string {
	t.Helper()
	at, err := path(s.Env)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestWithoutHome is a container whose user has no home directory.
func TestWithoutHome(t *testing.T) {
	t.Parallel()
	s := newTestSession(t, nil, nil, "HOME=")
	expect(t, s, Skipped, "no docker configuration", "", dockerConfig{})
	installed(s, "docker")
	expect(t, s, Failed, "no home directory", "", dockerConfig{})
}

// TestReadOnlyHome is a job whose home directory can't be written: tokens are not cached, which is said
// and no failure. A directory that somebody chose is one.
func TestReadOnlyHome(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newTestSession(t, nil, nil, "HOME="+filepath.Join(file, "home"))
	s.TempDir, s.CacheDir = t.TempDir(), s.Env.DefaultCache()
	expect(t, s, Warning, "there is no token cache: "+s.CacheDir+" can't be written", "ECRKIT_CACHE_DIR", disk{})
	s.Free = func(string) (Space, error) { return Space{Bytes: 100 << 30}, nil }
	s.CacheDir = filepath.Join(file, "cache")
	expect(t, s, Failed, "can't be written", "ECRKIT_CACHE_DIR", disk{})

	// A file system that is only read has no space.
	s = newTestSession(t, nil, nil)
	s.TempDir, s.CacheDir = t.TempDir(), s.Env.DefaultCache()
	home := s.Env.Home()
	s.Free = func(dir string) (Space, error) {
		if dir == home {
			return Space{}, nil
		}
		return Space{Bytes: 100 << 30}, nil
	}
	expect(t, s, OK, "100 GiB free", "", disk{})
}

// TestPlatforms counts what an index has images for.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	const manifest = `{"schemaVersion": 2, "config": {"digest": "sha256:c", "size": 1}, "layers": []}`
	entry := func(platform string) string {
		return `{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:d", "size": 1` + platform + `}`
	}
	of := func(os, architecture string) string {
		return entry(`, "platform": {"os": "` + os + `", "architecture": "` + architecture + `"}`)
	}
	soci := entry(`, "platform": {"os": "linux", "architecture": "` + runtime.GOARCH + `"}, "annotations": {"` + imagetree.AnnotationSOCI + `": "sha256:d"}`)
	for name, tt := range map[string]struct {
		entries []string
		status  Status
		found   string
	}{
		"one image with an attestation":       {[]string{of("linux", runtime.GOARCH), of("unknown", "unknown")}, OK, "exists, for 1 platform"},
		"with a SOCI index":                   {[]string{of("linux", runtime.GOARCH), of("linux", runtime.GOARCH), of("linux", "s390x")}, OK, "exists, for 2 platforms"},
		"a SOCI index alone for this machine": {[]string{soci, of("linux", "s390x")}, Warning, "without an image for linux/" + runtime.GOARCH},
		"without platforms":                   {[]string{entry(""), entry("")}, OK, "exists"},
		"of other machines":                   {[]string{of("linux", "s390x"), of("windows", runtime.GOARCH)}, Warning, "without an image for linux/" + runtime.GOARCH},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, nil, nil)
			index := `{"schemaVersion": 2, "manifests": [` + strings.Join(tt.entries, ",") + `]}`
			f := s.examine(t.Context(), []byte(index), func(digest.Digest) ([]byte, error) { return []byte(manifest), nil })
			if f.Status != tt.status || !strings.Contains(f.Found, tt.found) {
				t.Errorf("%+v", f)
			}
		})
	}
}
