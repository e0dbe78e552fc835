//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testDocker pushes and pulls with a Docker engine that asks our credential helper.
func (s *suite) testDocker(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	version := w.run(t, "ecrkit", "version")
	w.calls(t)

	t.Run("push and pull", func(t *testing.T) {
		const repository = "docker/built"
		w.createRepository(t, repository)
		image := w.Addr + "/" + repository + ":latest"
		s.buildImage(t, w, image, "first")

		w.run(t, "docker", "push", image)
		wantCall(t, w.calls(t), "v2", "PUT /v2/{name}/manifests/")
		digest := repoDigest(t, w, image)
		w.wantImage(t, repository, "latest", digest)

		w.run(t, "docker", "rmi", image)
		w.run(t, "docker", "pull", image)
		wantCall(t, w.calls(t), "s3", "GET ")
		if got := repoDigest(t, w, image); got != digest {
			t.Errorf("docker pull gives %s, want %s", got, digest)
		}
		if got := w.run(t, "docker", "run", "--rm", "--network", "none", image, "version"); got != version {
			t.Errorf("the pulled image says %q, want %q", got, version)
		}

		layout := filepath.Join(t.TempDir(), "layout")
		w.run(t, "ecrkit", "pull", image, "oci:"+layout+":latest")
		if got := verifyLayout(t, layout); got != digest {
			t.Errorf("ecrkit pull gives %s, want %s", got, digest)
		}
	})

	const repository = "docker/kinds"
	w.createRepository(t, repository)
	w.setupClients(t, w.Addr)
	for _, k := range s.kinds {
		t.Run("pull what ecrkit pushed, "+k.name, func(t *testing.T) {
			image := w.Addr + "/" + repository + ":" + k.name
			wantDigest(t, "ecrkit says", w.result(t, "push", "oci:"+k.layout, image), k.digest)
			w.wantRuns(t, k, image)
			wantDigest(t, "docker pulls", repoDigest(t, w, image), k.digest)
		})
	}

	t.Run("manifest list of docker", func(t *testing.T) {
		image := w.Addr + "/" + repository
		insecure := "--insecure=" + strconv.FormatBool(isPlain(image))
		create := []string{"docker", "manifest", "create", insecure, image + ":made"}
		for _, arch := range []string{"amd64", "arm64"} {
			create = append(create, image+"@"+w.run(t, "crane", "digest", "--platform", "linux/"+arch, image+":list"))
		}
		w.runLine(t, create)
		digest := w.run(t, "docker", "manifest", "push", insecure, image+":made")
		w.wantManifest(t, repository, "made", digest)
		layout := filepath.Join(t.TempDir(), "layout")
		wantDigest(t, "ecrkit says", w.result(t, "pull", image+":made", "oci:"+layout), digest)
		wantDigest(t, "ecrkit pulls", verifyLayout(t, layout), digest)
	})

	t.Run("repository missing", func(t *testing.T) {
		image := w.Addr + "/docker/missing:latest"
		s.buildImage(t, w, image, "missing")
		w.refused(t, "The repository with name 'docker/missing' does not exist in the registry with id '000000000000'", "docker", "push", image)
	})
}

// buildImage builds an image FROM scratch with ecrkit as its entrypoint; label makes its digest its own.
func (s *suite) buildImage(t *testing.T, w *site, image, label string) {
	t.Helper()
	dir := t.TempDir()
	dockerfile := fmt.Sprintf("FROM scratch\nCOPY ecrkit /ecrkit\nLABEL content=%s\nENTRYPOINT [\"/ecrkit\"]\n", label)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(s.bin, "ecrkit"), filepath.Join(dir, "ecrkit")); err != nil {
		t.Fatal(err)
	}
	w.with(map[string]string{"DOCKER_BUILDKIT": "0"}).run(t, "docker", "build", "--quiet", "--tag", image, dir)
}

// repoDigest is the digest by which the engine knows the image of this name.
func repoDigest(t *testing.T, w *site, image string) string {
	t.Helper()
	repository := image[:strings.LastIndex(image, ":")]
	out := w.run(t, "docker", "image", "inspect", "--format", `{{range .RepoDigests}}{{println .}}{{end}}`, image)
	for line := range strings.Lines(out) {
		if name, digest, _ := strings.Cut(strings.TrimSpace(line), "@"); name == repository {
			return digest
		}
	}
	t.Fatalf("docker knows no digest of %s: %q", image, out)
	return ""
}

// startDocker runs a Docker engine of its own, without network or storage in common with any other, until
// the test ends. It returns the engine's DOCKER_HOST. With a prefix, the engine is run by this command.
func startDocker(t *testing.T, prefix ...string) string {
	t.Helper()
	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "ecrkit-docker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	host := "unix://" + filepath.Join(dir, "docker.sock")
	var log bytes.Buffer
	line := append(slices.Clone(prefix), "dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "docker.pid"), "-H", host, "--iptables=false", "--ip6tables=false",
		"--bridge=none", "--storage-driver=vfs")
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = 5 * time.Second // containerd has the same output and may outlive a killed dockerd
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // its status after SIGTERM says nothing
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("dockerd did not end within 30 s of SIGTERM")
			cmd.Process.Kill()
			<-done
		}
		endLeftovers(t, dir)
	})

	deadline := time.Now().Add(time.Minute)
	for exec.CommandContext(t.Context(), "docker", "-H", host, "info").Run() != nil {
		select {
		case <-done:
			t.Fatalf("dockerd ended:\n%s", log.String())
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("dockerd does not answer within a minute")
		}
	}
	return host
}

// endLeftovers ends what dockerd may have left when it had to be killed: containerd and its shims, each of
// which names dir in its command line.
func endLeftovers(t *testing.T, dir string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil || pid == os.Getpid() {
			continue
		}
		arguments, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err == nil && bytes.Contains(arguments, []byte(dir+"/")) {
			t.Logf("ending process %d, left by dockerd", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
}
