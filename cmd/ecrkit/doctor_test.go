package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/internal/cli"
	"github.com/ecrkit/ecrkit/localecr"
)

// patient is a machine with docker and a credential helper, and a local ECR with the
// image app:1.0, which is scanned.
type patient struct {
	*localecr.Server
	t    *testing.T
	home string
	bin  string
	args []string // of doctor
	host string
}

const realHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

// newRegistry starts a local ECR with the image app:1.0, which is scanned.
func newRegistry(t *testing.T) *localecr.Server {
	server, err := localecr.New(localecr.Options{ScanTime: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	if _, err := ecr.NewFromConfig(server.AWSConfig()).CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("app"),
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil {
		t.Fatal(err)
	}
	(&patient{Server: server, t: t}).push("app", "1.0")
	return server
}

// newPatient sets up the environment of the test.
func newPatient(t *testing.T, server *localecr.Server) *patient {
	server.Setenv(t)
	server.Clock().Set(time.Now())
	if err := errors.Join(server.SetFaults(), server.SetScanFindings()); err != nil {
		t.Fatal(err)
	}
	p := &patient{Server: server, t: t, home: t.TempDir(), bin: t.TempDir(), host: server.Registry}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "DOCKER_HOST", "DOCKER_CONFIG",
		"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", p.home)
	t.Setenv("PATH", p.bin+":/usr/bin:/bin")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("DOCKER_HOST", engine(t, "29.1.0"))
	p.docker(`{"credHelpers": {%q: "ecrkit"}}`, p.host)
	p.helper("ecrkit", `echo '{"ServerURL":"x","Username":"AWS","Secret":"secret"}'`)
	p.args = []string{p.host + "/app:1.0"}
	return p
}

func (p *patient) push(repository, tag string) {
	image, err := random.Image(1<<10, 1)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.PutImage(p.t.Context(), repository, tag, image); err != nil {
		p.t.Fatal(err)
	}
}

// docker writes docker's configuration.
func (p *patient) docker(format string, args ...any) {
	p.write(filepath.Join(p.home, ".docker", "config.json"), fmt.Sprintf(format, args...), 0o600)
}

// helper makes a credential helper of a shell script.
func (p *patient) helper(name, script string) {
	p.write(filepath.Join(p.bin, "docker-credential-"+name), "#!/bin/sh\n"+script+"\n", 0o755)
}

func (p *patient) write(path, text string, mode os.FileMode) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
}

// fault has an operation fail.
func (p *patient) fault(op string, status int, code string) {
	if err := p.SetFaults(localecr.Fault{Op: op, Count: -1, Status: status, Code: code, Message: "User: arn:aws:iam::000000000000:user/ecrkit is not authorized to perform: ecr:" + op}); err != nil {
		p.t.Fatal(err)
	}
}

// login stores a password as docker login does, without a credential helper.
func (p *patient) login(password string) {
	p.docker(`{"auths": {%q: {"auth": %q}}}`, p.host, base64.StdEncoding.EncodeToString([]byte("AWS:"+password)))
}

// tokenOf returns a token for another region.
func (p *patient) tokenOf(region string) string {
	cfg := p.AWSConfig()
	cfg.Region = region
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(p.t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimPrefix(string(text), "AWS:")
}

// engine starts what answers as a docker engine, and returns its DOCKER_HOST.
func engine(t *testing.T, version string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.44")
		fmt.Fprintf(w, `{"ServerVersion": %q}`, version)
	}))
	t.Cleanup(server.Close)
	return "tcp://" + server.Listener.Addr().String()
}

// serve starts another server, and returns its URL.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, answer http.HandlerFunc) string {
	server := start(answer)
	t.Cleanup(server.Close)
	return server.URL
}

// startTLS is [httptest.NewTLSServer] without a log of refused certificates.
func startTLS(h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return server
}

// examination is the JSON of ecrkit doctor.
type examination struct {
	Subject string
	Healthy bool
	Checks  []struct {
		ID, Status, Found, Doc string
		Advice                 []string
	}
	Error struct{ Code, Message, Object string }
}

func (p *patient) run(args ...string) (stdout, stderr string, code int) {
	var out, messages bytes.Buffer
	code = cli.Main(p.t.Context(), append([]string{"doctor"}, args...), nil, &out, &messages, os.LookupEnv)
	return out.String(), messages.String(), code
}

func (p *patient) examine() (examination, int) {
	out, messages, code := p.run(append(p.args, "--output", "json")...)
	var e examination
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		p.t.Fatalf("%v: %q, %s", err, out, messages)
	}
	for _, secret := range []string{"wJalr", "local/this+key", "AKIAECRKIT", `"secret"`, "X-Amz-Signature", "eyJ"} {
		if strings.Contains(out+messages, secret) {
			p.t.Errorf("the output has %q: %s", secret, out)
		}
	}
	return e, code
}

// causes are the causes of the troubleshooting chapter and of the messages in
// docs/troubleshooting.md, each injected alone.
var causes = []cause{
	{"no credentials for docker", "docker-config", "failed", "no basic auth credentials", "ecrkit auth setup", func(p *patient) { p.docker(`{}`) }},
	{"docker's file is broken", "docker-config", "failed", "config.json: line 1", "Correct the file", func(p *patient) { p.docker(`{"auths": {},}`) }},
	{"credHelpers with a scheme", "docker-config", "failed", "docker ignores the credHelpers entry \"https://", "Rename the entry", func(p *patient) { p.docker(`{"credHelpers": {%q: "ecrkit"}}`, "https://"+p.host) }},
	{"helper and password", "docker-config", "warning", "a credential helper and a stored password", "docker logout", func(p *patient) {
		p.docker(`{"credHelpers": {%q: "ecrkit"}, "auths": {%q: {"auth": "QVdTOng="}}}`, p.host, "https://"+p.host+"/v2/")
	}},
	{"wincred", "docker-config", "warning", "docker-credential-wincred, as for all hosts", "without https://", func(p *patient) {
		p.docker(`{"credsStore": "wincred"}`)
		p.helper("wincred", `echo '{"Username":"AWS","Secret":"secret"}'`)
	}},
	{"no such helper", "helper", "failed", "docker-credential-missing is not in PATH", "Install docker-credential-missing", func(p *patient) { p.docker(`{"credHelpers": {%q: "missing"}}`, p.host) }},
	{"the helper fails", "helper", "failed", "the vault is locked", "get` to see the whole error", func(p *patient) { p.helper("ecrkit", "echo the vault is locked; exit 1") }},
	{"the helper knows nothing", "helper", "failed", "no basic auth credentials", "ecrkit auth setup", func(p *patient) { p.helper("ecrkit", "echo credentials not found in native keychain; exit 1") }},
	{"the helper has another user", "helper", "failed", `the user "bob"`, "ecrkit auth setup", func(p *patient) { p.helper("ecrkit", `echo '{"Username":"bob","Secret":"secret"}'`) }},
	{"password of yesterday", "docker-login", "failed", "Your authorization token has expired", "ecrkit auth setup", func(p *patient) {
		p.login(base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"payload":"","expiration":%d}`, time.Now().Add(-time.Hour).Unix())))
	}},
	{"password of another region", "docker-login", "failed", "it is for another region than us-east-1", "docker logout", func(p *patient) { p.login(p.tokenOf("eu-west-1")) }},
	{"docker 1.9", "docker-engine", "failed", "filesystem layer verification failed", "Upgrade docker", func(p *patient) { p.t.Setenv("DOCKER_HOST", engine(p.t, "1.9.1")) }},
	{"docker does not run", "docker-engine", "warning", "no docker daemon answers", "Start docker", func(p *patient) { p.t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1") }},
	{"API of another region", "endpoint", "failed", "is in eu-west-1, and the registry in us-east-1", "AWS_ENDPOINT_URL_ECR", func(p *patient) {
		p.t.Setenv("AWS_ENDPOINT_URL_ECR", "https://api.ecr.eu-west-1.amazonaws.com")
		p.args = []string{realHost}
	}},
	{"API without a scheme", "endpoint", "failed", "not a URL", "AWS_ENDPOINT_URL_ECR", func(p *patient) {
		p.t.Setenv("AWS_ENDPOINT_URL_ECR", "api.ecr.us-east-1.amazonaws.com")
		p.args = []string{realHost}
	}},
	{"API of a local ECR", "endpoint", "warning", "another registry answers", "AWS_ENDPOINT_URL_ECR", func(p *patient) {
		p.t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // nothing leaves this machine
		p.args = []string{realHost}
	}},
	{"the proxy does not run", "proxy", "failed", "the proxy 127.0.0.1:1 can't be reached", "NO_PROXY", func(p *patient) {
		p.t.Setenv("HTTPS_PROXY", "http://user:wJalr@127.0.0.1:1")
		p.args = []string{realHost}
	}},
	{"the engine lacks the proxy", "proxy", "warning", "docker engine, which downloads images, has no proxy", "daemon/proxy", func(p *patient) { p.t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") }},
	{"two spellings of a proxy", "proxy", "warning", "HTTPS_PROXY and https_proxy differ", "same value", func(p *patient) {
		p.t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
		p.t.Setenv("https_proxy", "http://127.0.0.1:2")
	}},
	{"nothing listens", "network", "failed", "connection refused", "ecrkit local", func(p *patient) {
		p.t.Setenv("ECRKIT_REGISTRIES", "127.0.0.1:1=000000000000.us-east-1")
		p.args = []string{"127.0.0.1:1/app:1.0"}
	}},
	{"unknown CA", "tls", "failed", "certificate signed by unknown authority", "AWS_CA_BUNDLE", func(p *patient) {
		p.write(filepath.Join(p.home, ".config", "ecrkit", "config.yaml"), fmt.Sprintf("registries:\n- host: %q\n  endpoint: %q\n", p.host, serve(p.t, startTLS, http.NotFound)), 0o600)
	}},
	{"the clock is slow", "clock", "failed", "behind that of", "Set the clock", func(p *patient) { p.Clock().Advance(time.Hour) }},
	{"the clock is fast", "clock", "warning", "ahead of that of", "Set the clock", func(p *patient) { p.Clock().Advance(-2 * time.Minute) }},
	{"signature refused", "token", "failed", "RequestTimeTooSkewed", "Set this machine's clock", func(p *patient) { p.fault("GetAuthorizationToken", 400, "RequestTimeTooSkewed") }},
	{"half a key pair", "identity", "failed", "AWS_SECRET_ACCESS_KEY is not", "Set AWS_SECRET_ACCESS_KEY", func(p *patient) { p.t.Setenv("AWS_SECRET_ACCESS_KEY", "") }},
	{"no credentials", "identity", "failed", "no AWS credentials", "AWS_PROFILE", func(p *patient) {
		p.t.Setenv("AWS_ACCESS_KEY_ID", "")
		p.t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	}},
	{"no such profile", "identity", "failed", "nobody", "AWS_PROFILE", func(p *patient) { p.t.Setenv("AWS_PROFILE", "nobody") }},
	{"another account", "identity", "warning", "is of account 000000000000, and the registry of 111111111111", "repository policy", func(p *patient) { p.t.Setenv("ECRKIT_REGISTRIES", p.host+"=111111111111.us-east-1") }},
	{"no way to STS", "identity", "warning", "is unknown", "AWS_ENDPOINT_URL_STS", func(p *patient) { p.t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1") }},
	{"region of the environment", "region", "warning", "AWS_REGION is eu-west-1", "aws ecr get-login-password", func(p *patient) { p.t.Setenv("AWS_REGION", "eu-west-1") }},
	{"region misspelled", "region", "warning", "us-esat-1 is not a known region", "us-east-1", func(p *patient) { p.t.Setenv("ECRKIT_REGISTRIES", p.host+"=000000000000.us-esat-1") }},
	{"no right to tokens", "token", "failed", "AccessDeniedException", "ecr:GetAuthorizationToken on resource *", func(p *patient) { p.fault("GetAuthorizationToken", 400, "AccessDeniedException") }},
	{"AWS credentials expired", "token", "failed", "ExpiredTokenException", "aws sts get-caller-identity", func(p *patient) { p.fault("GetAuthorizationToken", 400, "ExpiredTokenException") }},
	{"token refused", "registry", "failed", "answers 403 to the token", "removed from the cache", func(p *patient) { p.fault("GET /v2/", 403, "DENIED") }},
	{"registry is down", "registry", "failed", "503", "health.aws", func(p *patient) { p.fault("GET /v2/", 503, "UNAVAILABLE") }},
	{"repository misspelled", "repository", "failed", "repository ap does not exist in 000000000000/us-east-1", "Did you mean app?", func(p *patient) { p.args = []string{p.host + "/ap:1.0"} }},
	{"no right to describe", "repository", "warning", "ecr:DescribeRepositories is not permitted", "", func(p *patient) { p.fault("DescribeRepositories", 400, "AccessDeniedException") }},
	{"no right to pull", "pull", "failed", "lacks ecr:GetDownloadUrlForLayer", "repository policy", func(p *patient) { p.fault("GetDownloadUrlForLayer", 400, "AccessDeniedException") }},
	{"no right to push", "push", "warning", "lacks ecr:PutImage", "Look for a deny too", func(p *patient) { p.fault("PutImage", 400, "AccessDeniedException") }},
	{"no right to push, and it is needed", "push", "failed", "lacks ecr:UploadLayerPart", "on repository app", func(p *patient) {
		p.fault("UploadLayerPart", 400, "AccessDeniedException")
		p.args = append(p.args, "--for", "push")
	}},
	{"no right to create", "create", "failed", "lacks ecr:CreateRepository", "", func(p *patient) {
		p.fault("CreateRepository", 400, "AccessDeniedException")
		p.args = append(p.args, "--for", "create")
	}},
	{"tag misspelled", "image", "failed", "/app has no image 1.O", "1.0", func(p *patient) { p.args = []string{p.host + "/app:1.O"} }},
	{"no tag and no latest", "image", "warning", "the reference has no tag, and", "The only tag is 1.0", func(p *patient) { p.args = []string{p.host + "/app"} }},
	{"S3 refuses", "layers", "failed", "manifests can be read, and layers can't: localhost", "S3 gateway endpoint", func(p *patient) { p.fault("GET /layers/{digest}", 403, "AccessDenied") }},
	{"S3 cuts connections", "layers", "failed", "the connection was cut", "Amazon S3", func(p *patient) {
		none := int64(0)
		if err := p.SetFaults(localecr.Fault{Op: "GET /layers/{digest}", Count: -1, ResetResponseAfter: &none}); err != nil {
			p.t.Fatal(err)
		}
	}},
	{"KMS key", "layers", "failed", "KmsException", "the key is enabled", func(p *patient) { p.fault("GetDownloadUrlForLayer", 400, "KmsException") }},
	{"unsupported system", "scan", "warning", "UNSUPPORTED_IMAGE", "supported base image", func(p *patient) { p.findings(localecr.ScanFixture{Status: types.ScanStatusUnsupportedImage}) }},
	{"scan failed", "scan", "warning", "FAILED: UnsupportedImageError", "scan start", func(p *patient) {
		p.findings(localecr.ScanFixture{Status: types.ScanStatusFailed, Description: "UnsupportedImageError: The operating system is not supported"})
	}},
	{"severity UNDEFINED", "scan", "warning", "1 finding of the severity UNDEFINED", "CVE", func(p *patient) {
		p.findings(localecr.ScanFixture{Findings: types.ImageScanFindings{Findings: []types.ImageScanFinding{{Name: aws.String("CVE-2026-0001"), Severity: types.FindingSeverityUndefined}}}})
	}},
	{"no scan", "scan", "warning", "no scan on push", "repo scanning add", func(p *patient) {
		p.push("plain", "1.0")
		p.args = []string{p.host + "/plain:1.0"}
	}},
	{"throttled", "throttling", "failed", "DescribeRepositories", "Service Quotas", func(p *patient) { p.fault("DescribeRepositories", 400, "ThrottlingException") }},
	{"429", "throttling", "failed", "GET /v2/", "Service Quotas", func(p *patient) { p.fault("GET /v2/", 429, "TOOMANYREQUESTS") }},
	{"429 of a public registry", "throttling", "failed", "toomanyrequests", "docker login", func(p *patient) {
		p.other(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				http.Error(w, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`, http.StatusTooManyRequests)
			}
		})
	}},
	{"not a registry", "registry", "failed", "404 Not Found to GET /v2/", "Check the host", func(p *patient) { p.other(http.NotFound) }},
	{"no access elsewhere", "image", "failed", "401", "docker login", func(p *patient) {
		p.other(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
	}},
	{"no image elsewhere", "image", "failed", "has no image 1.0", "ecrkit ls", func(p *patient) {
		p.other(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
			}
		})
	}},
	{"cache can't be written", "disk", "failed", "not a directory", "ECRKIT_CACHE_DIR", func(p *patient) {
		p.write(filepath.Join(p.home, "file"), "", 0o600)
		p.t.Setenv("ECRKIT_CACHE_DIR", filepath.Join(p.home, "file", "cache"))
	}},
}

func (p *patient) findings(f localecr.ScanFixture) {
	if err := p.SetScanFindings(f); err != nil {
		p.t.Fatal(err)
	}
}

// other has doctor examine an image of another registry.
func (p *patient) other(answer http.HandlerFunc) {
	p.args = []string{strings.TrimPrefix(serve(p.t, httptest.NewServer, answer), "http://") + "/app:1.0"}
}

// cause is one of causes.
type cause struct {
	name, check, status string
	found, advice       string // parts of the texts
	inject              func(p *patient)
}

func causeNamed(t *testing.T, name string) cause {
	t.Helper()
	i := slices.IndexFunc(causes, func(c cause) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no cause %q", name)
	}
	return causes[i]
}

// expect reports whether the cause was found.
func (c cause) expect(t *testing.T, e examination) {
	t.Helper()
	for _, got := range e.Checks {
		if got.ID != c.check {
			continue
		}
		if got.Status != c.status || !strings.Contains(got.Found, c.found) || !strings.Contains(strings.Join(got.Advice, "\n"), c.advice) {
			t.Errorf("%+v, want %s, %q, %q\nall: %+v", got, c.status, c.found, c.advice, e.Checks)
		}
		return
	}
	t.Errorf("no check %s: %+v", c.check, e)
}

// TestDoctorFindsTwoCauses injects two at once: neither hides the other.
func TestDoctorFindsTwoCauses(t *testing.T) {
	server := newRegistry(t)
	for _, names := range [][2]string{
		{"password of yesterday", "the engine lacks the proxy"},
		{"S3 refuses", "region of the environment"},
		{"docker's file is broken", "cache can't be written"},
		{"no such helper", "tag misspelled"},
		{"the clock is fast", "no right to push"},
		{"throttled", "docker 1.9"},
		{"helper and password", "no way to STS"},
	} {
		t.Run(names[0]+" and "+names[1], func(t *testing.T) {
			p := newPatient(t, server)
			first, second := causeNamed(t, names[0]), causeNamed(t, names[1])
			first.inject(p)
			second.inject(p)
			e, _ := p.examine()
			first.expect(t, e)
			second.expect(t, e)
		})
	}
}

func TestDoctorFindsCauses(t *testing.T) {
	server := newRegistry(t)
	for _, c := range causes {
		t.Run(c.name, func(t *testing.T) {
			p := newPatient(t, server)
			c.inject(p)
			e, code := p.examine()
			c.expect(t, e)
			failed := 0
			for _, r := range e.Checks {
				if r.Status == "failed" {
					failed++
				}
			}
			if want := min(failed, 1); code != want || e.Healthy != (failed == 0) || failed > 0 && e.Error.Code != "failed" {
				t.Errorf("exit code %d with %d failures, healthy %v, error %+v", code, failed, e.Healthy, e.Error)
			}
		})
	}
}

// TestDoctorOfHealthy finds nothing wrong where nothing is, and changes nothing.
func TestDoctorOfHealthy(t *testing.T) {
	p := newPatient(t, newRegistry(t))
	out, messages, code := p.run(p.args...)
	if code != 0 || messages != "" || strings.Contains(out, "FAILED") {
		t.Errorf("exit code %d: %s%s", code, out, messages)
	}
	for line := range strings.Lines(out) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
			t.Errorf("longer than 80 columns: %q", line)
		}
		if strings.HasPrefix(line, "warning") && !strings.HasPrefix(line, "warning  disk") {
			t.Errorf("%s", out)
		}
	}
	api := ecr.NewFromConfig(p.AWSConfig())
	repositories, err := api.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	if err != nil || len(repositories.Repositories) != 1 {
		t.Errorf("repositories: %+v, %v", repositories, err)
	}
	images, err := api.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("app")})
	if err != nil || len(images.ImageDetails) != 1 {
		t.Errorf("images: %+v, %v", images, err)
	}
}

func TestDoctorSubjects(t *testing.T) {
	p := newPatient(t, newRegistry(t))
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 0, "ok       registry      accepts the token"}, // $ECRKIT_REGISTRY
		{[]string{p.host}, 0, "skipped  image         no image was named"},
		{[]string{"http://" + p.host}, 0, "ok       registry      accepts the token"},
		{[]string{"oci:dir"}, 2, "neither a host nor an image in a registry"},
		{[]string{"oci:dir/x:1"}, 2, "not in a registry"},
		{[]string{"app:1.0"}, 2, "HOST/REPOSITORY:TAG"},
		{[]string{""}, 2, "is empty"},
		{[]string{p.host, "--for", "sing"}, 2, "pull, push, create"},
		{[]string{"a", "b"}, 2, "usage"},
	} {
		out, messages, code := p.run(tt.args...)
		if code != tt.code || !strings.Contains(out+messages, tt.want) {
			t.Errorf("%q: exit code %d, %s%s, want %d, %q", tt.args, code, out, messages, tt.code, tt.want)
		}
	}
	t.Setenv("ECRKIT_REGISTRY", "")
	if out, _, code := p.run(); code != 0 || !strings.Contains(out, "ok       identity      arn:aws:iam::000000000000:user/ecrkit") {
		t.Errorf("without a subject: exit code %d, %s", code, out)
	}
}
