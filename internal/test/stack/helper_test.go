package stack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/localecr/testcontainers"
)

// TestHelper runs the credential helper with each source of credentials that a pipeline may have.
func TestHelper(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	server, err := testcontainers.RunProgram(t.Context(), filepath.Join(bin, "ecrkit"), "--audit", audit)
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
	for source, want := range map[localecr.CredentialSource]string{
		localecr.Keys:      "arn:aws:iam::000000000000:user/ecrkit",
		localecr.Container: "arn:aws:sts::000000000000:assumed-role/ecrkit/container",
		localecr.Instance:  "arn:aws:sts::000000000000:assumed-role/ecrkit/i-0ecrkitlocal00000",
		localecr.IDToken:   "arn:aws:sts::000000000000:assumed-role/ecrkit/web-identity",
	} {
		t.Run(string(source), func(t *testing.T) {
			home := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "sh", "-ec", `
				environment=$(ecrkit local env --addr "$1" --credentials "$2")
				eval "$environment"
				printf %s "$ECRKIT_REGISTRY" | docker-credential-ecrkit get`, "sh", host, string(source))
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + home, "AWS_SESSION_TOKEN=of another", "AWS_EC2_METADATA_DISABLED=true"}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, stderr.Bytes())
			}
			var answer struct{ Username, Secret string }
			if err := json.Unmarshal(out, &answer); err != nil || answer.Username != "AWS" {
				t.Fatalf("%s, %v", out, err)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.SetBasicAuth("AWS", answer.Secret)
			response, err := http.DefaultClient.Do(request)
			if err != nil || response.Body.Close() != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("/v2/: %v, %v", response, err)
			}
			if got := lastPrincipal(t, audit); got != want {
				t.Errorf("the token is that of %s, want %s", got, want)
			}
		})
	}
}

// programs builds ecrkit and its credential helper, and returns their directory.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../../..", "-trimpath", "-o", bin+"/", "./cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// lastPrincipal returns who has made the last call to /v2/.
func lastPrincipal(t *testing.T, audit string) (principal string) {
	t.Helper()
	data, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var call localecr.Call
		if err := json.Unmarshal(lines.Bytes(), &call); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(call.Op, "GET /v2/") {
			principal = call.Principal
		}
	}
	return principal
}
