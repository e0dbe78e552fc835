//go:build interop

package stack

import (
	"context"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/localecr/testcontainers"
)

var layout = flag.String("image", "", "OCI layout that `make image` has written")

const imageName = "localhost/ecrkit-local:test"

// podman has its containers and images in a directory of its own.
type podman struct{ args, env []string }

func newPodman(t *testing.T) podman {
	t.Helper()
	// Of a short name, as the paths of sockets have to be.
	dir, err := os.MkdirTemp("", "stack")
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "containers.conf")
	// podman wants higher limits by default than a container, in which CI may run, can set. Its usual runtime, crun, refuses
	// machines that have controllers in both versions of cgroups.
	if err := os.WriteFile(conf, []byte("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n[engine]\ncgroup_manager = \"cgroupfs\"\nruntime = \"runc\"\nevents_logger = \"file\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := podman{
		[]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "vfs"},
		append(os.Environ(), "CONTAINERS_CONF="+conf),
	}
	t.Cleanup(func() {
		p.run(t, "rm", "--all", "--force", "--time", "0")
		p.run(t, "rmi", "--all", "--force")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	id := p.run(t, "pull", "--quiet", "oci:"+*layout+":local")
	p.run(t, "tag", id, imageName)
	return p
}

func (p podman) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "podman", append(p.args, args...)...)
	cmd.Env = p.env
	return cmd
}

func (p podman) run(t *testing.T, args ...string) string {
	t.Helper()
	// Also after the test's context has ended.
	cmd := p.command(context.WithoutCancel(t.Context()), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("podman %v: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// serve makes podman answer to Docker's API, and the test use it.
func (p podman) serve(t *testing.T) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "podman.sock")
	service := p.command(context.WithoutCancel(t.Context()), "system", "service", "--time", "0", "unix://"+socket)
	service.Stderr = os.Stderr
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = service.Process.Signal(os.Interrupt)
		_ = service.Wait() // ends by the signal
	})
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close() // nothing was sent
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestImage runs the image by podman, as the documentation shows it.
func TestImage(t *testing.T) {
	p := newPodman(t)
	t.Run("published", func(t *testing.T) {
		id := p.run(t, "run", "-d", "-p", "127.0.0.1::4510", "--health-cmd", `["/ecrkit", "local", "health"]`, imageName, "--download-addr", "same")
		p.run(t, "exec", id, "/ecrkit", "local", "health", "--wait", "1m")
		p.run(t, "healthcheck", "run", id)
		host := p.run(t, "port", id, "4510")
		dir := t.TempDir()
		policy := filepath.Join(dir, "policy.json")
		if err := os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		server := testcontainers.NewServer(host)
		wantPipeline(t, &server)
		cfg, err := server.AWSConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		skopeo := func(args ...string) {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), "skopeo", append([]string{"--policy", policy}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("skopeo %v: %v\n%s", args[0], err, out)
			}
		}
		auth := filepath.Join(dir, "auth.json")
		login := exec.CommandContext(t.Context(), "skopeo", "login", "--tls-verify=false", "--authfile", auth, "--username", "AWS", "--password-stdin", host)
		login.Stdin = strings.NewReader(password(t, cfg))
		if out, err := login.CombinedOutput(); err != nil {
			t.Fatalf("skopeo login: %v\n%s", err, out)
		}
		skopeo("copy", "--authfile", auth, "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+host+"/team/app:1.0", "docker://"+host+"/team/app:2.0")
		p.run(t, "stop", "--time", "10", id)
		if state := p.run(t, "inspect", "--format", "{{.State.ExitCode}}", id); state != "0" {
			t.Errorf("exit code is %s: %s", state, p.run(t, "logs", id))
		}
	})
	t.Run("testcontainers", func(t *testing.T) {
		p.serve(t)
		t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // whose image is on Docker Hub
		container, err := testcontainers.Run(t.Context(), imageName, tc.WithCmdArgs("--quotas", "default"))
		if container != nil {
			tc.CleanupContainer(t, container)
		}
		if err != nil {
			t.Fatal(err)
		}
		host, err := container.RegistryHost(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantEnv(t, &container.Server, localecr.Env(host, nil))
		wantPipeline(t, &container.Server)

		broken, err := testcontainers.Run(t.Context(), imageName, tc.WithCmdArgs("--quotas", "missing.yaml"))
		if broken != nil {
			tc.CleanupContainer(t, broken)
		}
		if err == nil || !strings.Contains(err.Error(), "missing.yaml") {
			t.Errorf("a mistake in the arguments: %v", err)
		}
	})
}
