//go:build interop && trial

package interop

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

// newest is a proxy before a site, with the newest engines, which bench/engines pins.
type newest struct {
	*proxied
	dir string // of the engines, with a short path
}

// TestTrialEngines pulls and pushes through the proxy with the newest containerd, BuildKit and Docker, which are built
// first. `make interop-engines` runs it.
func TestTrialEngines(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("the engines of this test need root")
	}
	s := &suite{bin: filepath.Join(t.TempDir(), "bin")}
	if err := stage.Commands(t.Context(), s.bin); err != nil {
		t.Fatal(err)
	}
	for module, packages := range map[string][]string{
		"bench": {"github.com/google/go-containerregistry/cmd/crane"},
		"bench/engines": {"github.com/containerd/containerd/v2/cmd/containerd", "github.com/containerd/containerd/v2/cmd/ctr",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "github.com/moby/buildkit/cmd/buildkitd",
			"github.com/moby/buildkit/cmd/buildctl", "./cripull"},
		"bench/docker":  {"github.com/moby/moby/v2/cmd/dockerd"},
		"bench/nerdctl": {"github.com/containerd/nerdctl/v2/cmd/nerdctl"},
	} {
		if err := buildPeer(t, s.bin, module, packages...); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", s.bin+":/usr/bin:/usr/sbin:/bin:/sbin:"+os.Getenv("PATH"))
	w := s.start(t, "--addr", "127.0.0.1:0", "--ephemeral")
	for _, repository := range []string{"app", "pushed", "signed"} {
		w.createRepository(t, repository)
	}
	dir, err := os.MkdirTemp("", "engines-") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		endLeftovers(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	n := &newest{dir: dir}
	n.pushApp(t, w)
	w.writeKeyPair(t, filepath.Join(w.home, "release"))
	policy := filepath.Join(w.home, "policy.yaml")
	writeFile(t, policy, []byte("version: 1\ndefault: accept\nkeys:\n  release: {path: "+w.home+"/release.pub}\nrules:\n  - scope: "+w.Addr+"/signed\n    keys: [release]\n"))
	w.run(t, "crane", "copy", w.Addr+"/app:1", w.Addr+"/signed:1")
	n.proxied = w.startProxy(t, "--allow-push", "--policy", policy)
	t.Run("Containerd", n.testContainerd)
	t.Run("BuildKit", n.testBuildKit)
	t.Run("Docker", n.testDocker)
}

// pushApp pushes app:1, an image with a layer of 12 MiB.
func (n *newest) pushApp(t *testing.T, w *site) {
	t.Helper()
	data := make([]byte, 12<<20)
	rand.NewChaCha8([32]byte{4}).Read(data)
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := archive.WriteHeader(&tar.Header{Name: "data", Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(n.dir, "layer.tar")
	writeFile(t, path, layer.Bytes())
	w.run(t, "crane", "append", "--oci-empty-base", "--new_layer", path, "--new_tag", w.Addr+"/app:1")
	w.run(t, "crane", "mutate", "--set-platform", "linux/"+runtime.GOARCH, w.Addr+"/app:1", "--tag", w.Addr+"/app:1")
}

// daemon runs an engine until the test ends, and waits for its socket.
func (n *newest) daemon(t *testing.T, socket, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // its status after SIGTERM says nothing
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen within a minute", program)
		}
	}
}

// wantOneFetch checks that the layers of app:1 came from the registry once, if the proxy did not have them, and
// that nothing but the proxy asked for them.
func (n *newest) wantOneFetch(t *testing.T, cached bool) {
	t.Helper()
	urls := 0
	for _, call := range n.calls(t) {
		switch {
		case call.Op == "GetDownloadUrlForLayer":
			urls++
		case call.Endpoint == "v2":
			t.Errorf("the engine asks the registry itself: %+v", call)
		}
	}
	want := 2 // the config and the layer
	if cached {
		want = 0
	}
	if urls != want {
		t.Errorf("%d requests for the URL of a layer, want %d", urls, want)
	}
}

// testContainerd pulls by containerd's transfer service, which reads a layer in chunks, by the client of ctr, by nerdctl,
// and as the kubelet does.
func (n *newest) testContainerd(t *testing.T) {
	n.setup(t, "containerd")
	hosts, socket := n.root+"/etc/containerd/certs.d", n.dir+"/c.sock"
	writeFile(t, n.dir+"/c.toml", fmt.Appendf(nil, `version = 3
root = %[1]q
state = %[2]q
[grpc]
  address = %[3]q
[ttrpc]
  address = %[4]q
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  concurrent_layer_fetch_buffer = 1048576
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = %[5]q
[plugins."io.containerd.transfer.v1.local"]
  concurrent_layer_fetch_buffer = 1048576
  [[plugins."io.containerd.transfer.v1.local".unpack_config]]
    platform = "linux/%[6]s"
    snapshotter = "native"
`, n.dir+"/c", n.dir+"/c-run", socket, socket+".ttrpc", hosts, runtime.GOARCH))
	n.daemon(t, socket, "containerd", "--log-level", "error", "--config", n.dir+"/c.toml")
	ctr := "ctr --address " + socket + " images "
	pulls := []struct{ name, line, remove string }{
		{"transfer service", ctr + "pull --snapshotter native --hosts-dir " + hosts, ctr + "rm --sync"},
		{"client", ctr + "pull --local --snapshotter native --hosts-dir " + hosts, ctr + "rm --sync"},
		{"nerdctl", "nerdctl --address " + socket + " --data-root " + n.dir + "/nerdctl --snapshotter native --hosts-dir " + hosts + " pull --quiet", ctr + "rm --sync"},
		{"CRI", "cripull " + socket, "ctr --namespace k8s.io --address " + socket + " images rm --sync"},
	}
	n.calls(t)
	for i, pull := range pulls {
		t.Run(pull.name, func(t *testing.T) {
			n.refused(t, "it is not signed", "sh", "-c", pull.line+" "+n.Addr+"/signed:1")
			n.calls(t)
			n.run(t, "sh", "-c", pull.line+" "+n.Addr+"/app:1")
			n.wantOneFetch(t, i > 0)
			n.run(t, "sh", "-c", pull.remove+" "+n.Addr+"/app:1")
		})
	}
	t.Run("push", func(t *testing.T) {
		n.run(t, "sh", "-c", pulls[0].line+" "+n.Addr+"/app:1 && "+ctr+"tag "+n.Addr+"/app:1 "+n.image("pushed:ctr"))
		n.run(t, "sh", "-c", ctr+"push --plain-http "+n.image("pushed:ctr"))
		wantDigest(t, "containerd pushes", n.run(t, "crane", "digest", n.Addr+"/pushed:ctr"), n.run(t, "crane", "digest", n.Addr+"/app:1"))
	})
}

// testBuildKit builds from app:1 by its plain name and by the proxy's, and pushes the image and its cache.
func (n *newest) testBuildKit(t *testing.T) {
	n.setup(t, "buildkit", "--fallback")
	address := "unix://" + n.dir + "/b.sock"
	n.daemon(t, n.dir+"/b.sock", "buildkitd", "--addr", address, "--root", n.dir+"/b", "--config", n.root+"/etc/buildkit/buildkitd.toml",
		"--oci-worker-snapshotter=native", "--containerd-worker=false", "--oci-worker-net=host")
	dockerfile := func(from string) string {
		dir := t.TempDir()
		writeFile(t, dir+"/Dockerfile", []byte("FROM "+from+"\nCOPY Dockerfile /\n"))
		return "buildctl --addr " + address + " build --progress plain --frontend dockerfile.v0 --local context=" + dir + " --local dockerfile=" + dir + " "
	}
	n.calls(t)
	n.run(t, "sh", "-c", dockerfile(n.Addr+"/app:1")+"--output type=oci,dest="+n.dir+"/built.tar")
	n.wantOneFetch(t, true)
	build := dockerfile(n.image("app:1")) + "--opt attest:provenance=mode=max --output type=image,push=true,name=" + n.image("pushed:buildkit")
	n.run(t, "sh", "-c", build+" --export-cache type=registry,mode=max,ref="+n.image("pushed:cache"))
	n.run(t, "buildctl", "--addr", address, "prune", "--all")
	out, messages, err := n.execute(t, "sh", "-c", build+" --import-cache type=registry,ref="+n.image("pushed:cache"))
	if err != nil || !strings.Contains(out+messages, "CACHED") {
		t.Errorf("%v: the build does not use its cache:\n%s%s", err, out, messages)
	}
	n.run(t, "crane", "validate", "--remote", n.Addr+"/pushed:buildkit")
	n.refused(t, "it is not signed", "sh", "-c", dockerfile(n.image("signed:1"))+"--output type=oci,dest="+n.dir+"/built.tar")
}

// testDocker pulls by the plain name and by the proxy's, and pushes.
func (n *newest) testDocker(t *testing.T) {
	n.setup(t, "docker")
	const certs = "/etc/docker/certs.d"
	socket := n.dir + "/d.sock"
	// Clients of Docker 20.10 speak an older version of its API.
	n.daemon(t, socket, "unshare", "--mount", "sh", "-c", "mkdir -p "+certs+" && mount --bind "+n.root+certs+" "+certs+" && DOCKER_MIN_API_VERSION=1.41 exec dockerd --data-root "+
		n.dir+"/d --exec-root "+n.dir+"/d-run --pidfile "+n.dir+"/d.pid -H unix://"+socket+
		" --iptables=false --ip6tables=false --bridge=none --feature containerd-snapshotter=true --storage-driver=native --log-level=error")
	docker := "docker -H unix://" + socket + " "
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, _, err := n.execute(t, "sh", "-c", docker+"info"); err == nil {
			break
		}
	}
	n.calls(t)
	n.refused(t, "it is not signed", "sh", "-c", docker+"pull "+n.Addr+"/signed:1")
	n.run(t, "sh", "-c", docker+"pull "+n.Addr+"/app:1")
	n.wantOneFetch(t, true)
	n.run(t, "sh", "-c", docker+"pull "+n.image("app:1")+" && "+docker+"tag "+n.image("app:1")+" "+n.image("pushed:docker")+" && "+docker+"push "+n.image("pushed:docker"))
	wantDigest(t, "docker pushes", n.run(t, "crane", "digest", n.Addr+"/pushed:docker"), n.run(t, "crane", "digest", n.Addr+"/app:1"))
}
