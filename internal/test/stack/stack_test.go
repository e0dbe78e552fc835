package stack

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/localecr/testcontainers"
)

// TestProgram uses the module without an engine.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(programs(t), "ecrkit")
	server, err := testcontainers.RunProgram(t.Context(), program, "--quotas", "default")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	host, err := server.RegistryHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEnv(t, &server.Server, localecr.Env(host, nil))
	wantPipeline(t, &server.Server)
	if err := server.Terminate(t.Context()); err != nil {
		t.Error(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "local", "health", "--addr", host).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "nothing listens") {
		t.Errorf("after Terminate: %v\n%s", err, out)
	}

	_, err = testcontainers.RunProgram(t.Context(), program, "--quotas", "missing.yaml")
	if err == nil || !strings.Contains(err.Error(), "missing.yaml") {
		t.Errorf("a mistake in the arguments: %v", err)
	}
	if _, err = testcontainers.RunProgram(t.Context(), filepath.Join(t.TempDir(), "missing")); !os.IsNotExist(rootCause(err)) {
		t.Errorf("no program: %v", err)
	}
}

func rootCause(err error) error {
	for {
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			err = e.Unwrap()[0]
		default:
			return err
		}
	}
}

// wantEnv compares the environment, which the module knows by itself, with that of package localecr.
func wantEnv(t *testing.T, server *testcontainers.Server, want []string) {
	t.Helper()
	got, err := server.Env(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("environment is\n%q\nwant\n%q", got, want)
	}
}

// wantPipeline does what a pipeline does: it creates a repository, pushes to the URI that it was told, and pulls.
func wantPipeline(t *testing.T, server *testcontainers.Server) {
	t.Helper()
	cfg, err := server.AWSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := ecr.NewFromConfig(cfg)
	created, err := api.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")})
	if err != nil {
		t.Fatal(err)
	}
	uri := *created.Repository.RepositoryUri
	if host, err := server.RegistryHost(t.Context()); err != nil || uri != host+"/team/app" {
		t.Errorf("repository URI is %s, registry %s, %v", uri, host, err)
	}
	options := []remote.Option{remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: "AWS", Password: password(t, cfg)})}
	image, err := random.Image(1<<20, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(uri + ":1.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, options...); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref, options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
	images, err := api.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("team/app")})
	if err != nil || len(images.ImageDetails) != 1 || !slices.Equal(images.ImageDetails[0].ImageTags, []string{"1.0"}) {
		t.Errorf("images: %+v, %v", images, err)
	}
}

// password returns an authorization token, as docker login takes it.
func password(t *testing.T, cfg aws.Config) string {
	t.Helper()
	token, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := base64.StdEncoding.DecodeString(*token.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(string(decoded), "AWS:")
}

// TestCompose reads the example for docker compose as docker compose does.
func TestCompose(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/local-ecr.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(services:\n.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/local-ecr.md has no example")
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: t.TempDir(), ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: example[1]}}, Environment: types.Mapping{},
	}, loader.WithDiscardEnvFiles, func(o *loader.Options) { o.SetProjectName("stack", true) })
	if err != nil {
		t.Fatal(err)
	}
	service := project.Services["ecr"]
	if got, want := []string(service.HealthCheck.Test), []string{"CMD", "/ecrkit", "local", "health"}; !slices.Equal(got, want) {
		t.Errorf("health check is %q, want %q", got, want)
	}
	tests := project.Services["tests"]
	if got := tests.DependsOn["ecr"].Condition; got != types.ServiceConditionHealthy {
		t.Errorf("the tests wait for %q", got)
	}
	var want []string
	for _, entry := range localecr.Env("ecr:4510", nil) {
		if variable, _, _ := strings.Cut(entry, "="); tests.Environment[variable] != nil {
			want = append(want, entry)
		}
	}
	var got []string
	for variable, value := range tests.Environment {
		got = append(got, variable+"="+*value)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) < 7 || !slices.Equal(got, want) {
		t.Errorf("environment is\n%q\nwant that of a client\n%q", got, want)
	}
}
