//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

// commandTime bounds every command that a test runs.
const commandTime = 2 * time.Minute

// A site is one local ECR and the home directory of a user whose docker config names our helper for it.
type site struct {
	*stage.Local
	home    string
	audit   string            // file of the local ECR's audit log
	environ map[string]string // of the user's commands, beside PATH
}

// start runs `ecrkit local ARGS… --audit FILE` on a free port until the test ends or the site is stopped.
func (s *suite) start(t *testing.T, args ...string) *site {
	t.Helper()
	w := &site{home: t.TempDir()}
	w.audit = filepath.Join(w.home, "audit.jsonl")
	// Not t.Context alone: it ends before the cleanup, which stops the server.
	ctx, path := context.WithoutCancel(t.Context()), filepath.Join(s.bin, "ecrkit")
	if !slices.Contains(args, "--addr") {
		args = append(args, "--addr", s.host()+":0")
	}
	args = append(args, "--audit", w.audit)
	var err error
	if s.tlsDir == "" {
		w.Local, err = stage.StartLocal(ctx, path, t.Output(), args...)
	} else {
		w.Local, err = stage.StartLocalTLS(ctx, path, s.tlsDir, t.Output(), append(args, "--download-addr", s.addresses.downloads+":0")...)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stop(t) })
	if s.tlsDir != "" {
		s.trustInDocker(t, w.Addr)
	}

	w.environ = map[string]string{
		"HOME":                      w.home,
		"DOCKER_CONFIG":             filepath.Join(w.home, ".docker"),
		"XDG_RUNTIME_DIR":           w.home, // skopeo looks for credentials there as well
		"AWS_PAGER":                 "",
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	maps.Copy(w.environ, w.Env)
	w.writeDockerConfig(t, map[string]any{"credHelpers": map[string]string{w.Addr: "ecrkit"}})
	// Version 1 of the aws CLI prints seconds by default.
	writeFile(t, filepath.Join(w.home, ".aws", "config"), []byte("[default]\ncli_timestamp_format = iso8601\n"))
	return w
}

// stop ends the server; ending it again does nothing.
func (w *site) stop(t *testing.T) {
	t.Helper()
	if w.Local == nil {
		return
	}
	if err := w.Local.Stop(); err != nil {
		t.Error(err)
	}
	w.Local = nil
}

func (w *site) writeDockerConfig(t *testing.T, config any) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(w.environ["DOCKER_CONFIG"], "config.json"), data)
}

// writeFile writes a file and makes its directory.
func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// with is the site for a user whose environment differs in these variables.
func (w *site) with(variables map[string]string) *site {
	other := *w
	other.environ = maps.Clone(w.environ)
	maps.Copy(other.environ, variables)
	return &other
}

// run executes a command that must succeed and returns its trimmed standard output.
func (w *site) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	stdout, stderr, err := w.execute(t, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// runLine is run for a command line.
func (w *site) runLine(t *testing.T, line []string) string {
	t.Helper()
	return w.run(t, line[0], line[1:]...)
}

// result runs an ecrkit command that copies one image, and returns the digest that it prints.
func (w *site) result(t *testing.T, args ...string) string {
	t.Helper()
	digest, _, _ := strings.Cut(w.run(t, "ecrkit", args...), " ")
	return digest
}

// refused executes a command that must fail with this text among its messages.
func (w *site) refused(t *testing.T, text, program string, args ...string) {
	t.Helper()
	stdout, stderr, err := w.execute(t, program, args...)
	switch {
	case err == nil:
		t.Fatalf("%s %s succeeds, want the error %q\n%s", program, strings.Join(args, " "), text, stdout)
	case !strings.Contains(stdout+stderr, text):
		t.Errorf("%s %s: %v, want the error %q, got:\n%s%s", program, strings.Join(args, " "), err, text, stdout, stderr)
	}
}

func (w *site) execute(t *testing.T, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range w.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	err = cmd.Run()
	return out.String(), messages.String(), err
}

// endpoint are the aws CLI's arguments for a service of the local ECR. Versions before 2.13 do not know
// AWS_ENDPOINT_URL_ECR.
func (w *site) endpoint(service string) []string {
	return []string{service, "--endpoint-url", w.Env["AWS_ENDPOINT_URL_"+strings.ToUpper(service)]}
}

// aws runs an aws CLI command that must succeed and decodes its JSON answer into out, unless that is nil.
func (w *site) aws(t *testing.T, out any, service string, args ...string) {
	t.Helper()
	answer := w.run(t, "aws", append(w.endpoint(service), args...)...)
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), out); err != nil {
		t.Fatalf("aws %s %s: %v\n%s", service, strings.Join(args, " "), err, answer)
	}
}

// awsRefused runs an aws CLI command that must fail with this error name.
func (w *site) awsRefused(t *testing.T, name, service string, args ...string) {
	t.Helper()
	w.refused(t, "An error occurred ("+name+")", "aws", append(w.endpoint(service), args...)...)
}

func (w *site) createRepository(t *testing.T, name string) {
	t.Helper()
	if _, err := w.ECR().CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		t.Fatal(err)
	}
}

// wantImages checks that the aws CLI finds an example of each kind in the repository, and nothing else.
func (w *site) wantImages(t *testing.T, repository string, kinds []kind) {
	t.Helper()
	want := map[string]string{}
	for _, k := range kinds {
		want[k.name] = k.digest
	}
	got := map[string]string{}
	var images []struct{ Digest, Tag string }
	w.aws(t, &images, "ecr", "describe-images", "--repository-name", repository, "--filter", "tagStatus=TAGGED",
		"--query", "imageDetails[].{Digest: imageDigest, Tag: join(',', imageTags)}")
	for _, image := range images {
		got[image.Tag] = image.Digest
	}
	if !maps.Equal(got, want) {
		t.Errorf("aws ecr describe-images says that %s has %v, want %v", repository, got, want)
	}
}

// wantImage checks that DescribeImages, asked by the SDK, has the tag with the digest.
func (w *site) wantImage(t *testing.T, repository, tag, digest string) {
	t.Helper()
	answer, err := w.ECR().DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String(repository), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
	})
	if err != nil {
		t.Fatalf("DescribeImages of %s:%s: %v", repository, tag, err)
	}
	if len(answer.ImageDetails) != 1 || aws.ToString(answer.ImageDetails[0].ImageDigest) != digest {
		t.Errorf("DescribeImages says that %s:%s is %v, want %s", repository, tag, answer.ImageDetails, digest)
	}
}

// wantManifest checks that the aws CLI gets the manifest with this digest, byte for byte.
func (w *site) wantManifest(t *testing.T, repository, tag, want string) {
	t.Helper()
	var manifests []string
	w.aws(t, &manifests, "ecr", "batch-get-image", "--repository-name", repository, "--image-ids", "imageTag="+tag,
		"--query", "images[].imageManifest")
	if len(manifests) != 1 || digest.FromString(manifests[0]).String() != want {
		t.Errorf("aws ecr batch-get-image of %s:%s gives %q, want %s", repository, tag, manifests, want)
	}
}

func wantDigest(t *testing.T, who, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s %s, want %s", who, got, want)
	}
}

// A call is one line of the audit log, as far as the tests look at it.
type call struct {
	Op       string
	Endpoint string
	Status   int
}

// calls returns what the audit log has got since it was asked last.
func (w *site) calls(t *testing.T) []call {
	t.Helper()
	data, err := os.ReadFile(w.audit)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(w.audit, 0); err != nil {
		t.Fatal(err)
	}
	var calls []call
	for line := range bytes.Lines(data) {
		var c call
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("audit log: %v in %q", err, line)
		}
		calls = append(calls, c)
	}
	return calls
}

// wantCall checks that the operation was called by this API with success.
func wantCall(t *testing.T, calls []call, endpoint, op string) {
	t.Helper()
	for _, c := range calls {
		if c.Endpoint == endpoint && strings.HasPrefix(c.Op, op) && c.Status >= 200 && c.Status < 400 {
			return
		}
	}
	t.Errorf("the audit log has no successful %s of the API %s: %v", op, endpoint, calls)
}
