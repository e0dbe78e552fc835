//go:build interop

package interop

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proxied is `ecrkit proxy` before a site, with the engines that use it.
type proxied struct {
	*site
	addr string // of the proxy
	name string // of the site's registry in names of the proxy
	root string // the directory that has the etc of setup
	stop func()
}

// startProxy runs `ecrkit proxy` until the test ends or it is stopped.
func (w *site) startProxy(t *testing.T, args ...string) *proxied {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ecrkit", append([]string{"proxy", "--addr", "127.0.0.1:0", "--cache", t.TempDir()}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range w.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &proxied{site: w, name: strings.Replace(w.Addr, ":", "_", 1), root: t.TempDir()}
	p.stop = func() {
		if cmd.ProcessState == nil {
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("the proxy: %v", err)
			}
		}
	}
	t.Cleanup(p.stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.addr = strings.TrimPrefix(strings.TrimSpace(line), "ecrkit proxy: http://")
	return p
}

// image is the name of an image by the proxy.
func (p *proxied) image(name string) string { return p.addr + "/" + p.name + "/" + name }

// setup has an engine use the proxy for the registry, by the files below root, and checks them.
func (p *proxied) setup(t *testing.T, engine string, args ...string) {
	t.Helper()
	args = append([]string{"proxy", "setup", engine, p.Addr, "--proxy", "http://" + p.addr, "--root", p.root}, args...)
	p.run(t, "ecrkit", args...)
	p.run(t, "ecrkit", append(args, "--check")...)
}

// puller is a client that pulls REPOSITORY:TAG of the site's registry through the proxy.
type puller struct {
	name  string
	setup string // the engine of `proxy setup`
	pull  func(image string) []string
	// forget makes the client forget the image.
	forget func(image string) []string
}

// proxyClients are pullers, and the beginnings of their commands.
type proxyClients struct {
	podman, ctr, hosts string
	pullers            []puller
}

// startClients sets up clients for the proxy, and starts containerd.
func (p *proxied) startClients(t *testing.T) proxyClients {
	t.Helper()
	p.setup(t, "containerd")
	p.setup(t, "podman")
	storage := podmanStorage(t)
	podman := strings.Join(podmanIn(storage), " ") + " "
	certs := p.root + "/etc/containerd/certs.d"
	socket := startContainerd(t, certs)
	ctr := "ctr --address " + socket + " images "
	hosts := " --snapshotter native --hosts-dir " + certs + " "
	plain := func(image string) string { return p.Addr + "/" + image }
	return proxyClients{podman, ctr, hosts, []puller{
		{"docker by name", "", func(image string) []string { return []string{"docker", "pull", p.image(image)} },
			func(image string) []string { return []string{"docker", "rmi", p.image(image)} }},
		{"podman", "podman", func(image string) []string { return p.podmanCommand(podman + "pull " + plain(image)) },
			func(image string) []string { return p.podmanCommand(podman + "rmi " + plain(image)) }},
		{"containerd", "containerd", func(image string) []string { return strings.Fields(ctr + "pull" + hosts + plain(image)) },
			func(image string) []string { return strings.Fields(ctr + "rm --sync " + plain(image)) }},
		{"containerd's CRI, as the kubelet does", "", func(image string) []string { return []string{"cripull", socket, plain(image)} },
			func(image string) []string {
				return strings.Fields("ctr --namespace k8s.io --address " + socket + " images rm --sync " + plain(image))
			}},
		{"skopeo", "podman", func(image string) []string {
			return p.podmanCommand("rm -rf " + storage + "/skopeo && skopeo --insecure-policy copy docker://" + plain(image) + " dir:" + storage + "/skopeo")
		}, func(string) []string { return []string{"true"} }},
		{"crane by name", "", func(image string) []string { return []string{"crane", "validate", "--remote", p.image(image)} },
			func(string) []string { return []string{"true"} }},
	}}
}

// podmanStorage is a directory for podman, until the test ends. The path of podman's runroot has at most 50 bytes.
func podmanStorage(t *testing.T) string {
	t.Helper()
	storage, err := os.MkdirTemp("", "podman-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(storage); err != nil {
			t.Error(err)
		}
	})
	return storage
}

// podmanIn is the beginning of podman's commands with a directory of its own.
func podmanIn(storage string) []string {
	return []string{"podman", "--root", storage + "/root", "--runroot", storage + "/run", "--tmpdir", storage + "/tmp", "--storage-driver", "vfs"}
}

// podmanCommand runs podman or skopeo with the drop-in files that setup has written.
func (p *proxied) podmanCommand(line string) []string {
	const dropIns = "/etc/containers/registries.conf.d"
	return []string{"unshare", "--mount", "sh", "-c", "mkdir -p " + dropIns + " && mount --bind " + p.root + dropIns + " " + dropIns + " && " + line}
}

// testProxy pulls and pushes through the proxy with engines, which are set up as docs/proxy.md says.
func (s *suite) testProxy(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{"DOCKER_HOST": startDocker(t)})
	for _, repository := range []string{"proxy/app", "proxy/pushed", "proxy/mounted"} {
		w.createRepository(t, repository)
	}
	p := w.startProxy(t, "--allow-push")
	k := s.kind("oci")
	wantDigest(t, "ecrkit says", w.result(t, "push", "oci:"+k.layout, w.Addr+"/proxy/app:1"), k.digest)
	c := p.startClients(t)
	podman, ctr, hosts, pullers := c.podman, c.ctr, c.hosts, c.pullers
	w.calls(t)
	for i, c := range pullers {
		t.Run("pull by "+c.name, func(t *testing.T) {
			const image = "proxy/app:1"
			for again := range 2 {
				w.runLine(t, c.pull(image))
				layers := 0
				for _, call := range w.calls(t) {
					if call.Endpoint == "s3" || call.Op == "GetDownloadUrlForLayer" {
						layers++
					}
				}
				// The first pull of all brings the layers into the cache.
				if first := i == 0 && again == 0; first != (layers > 0) {
					t.Errorf("pull %d by client %d: %d requests for layers", again+1, i+1, layers)
				}
				w.runLine(t, c.forget(image))
			}
		})
	}

	// A layer of several parts.
	s.buildLarge(t, w, p.image("proxy/pushed:docker"))
	pushers := map[string][]string{
		"docker": {"docker", "push", p.image("proxy/pushed:docker")},
		"skopeo": skopeoCopy("--dest-tls-verify=false", "dir:"+k.skopeoDir(t), "docker://"+p.image("proxy/pushed:skopeo")),
		"crane":  {"crane", "push", k.layout, p.image("proxy/pushed:crane")},
		"podman": {"sh", "-c", podman + "pull --tls-verify=false " + p.image("proxy/app:1") + " && " + podman + "push --tls-verify=false " + p.image("proxy/app:1") + " " + p.image("proxy/pushed:podman")},
		"containerd": {"sh", "-c", ctr + "pull" + hosts + w.Addr + "/proxy/app:1 && " + ctr + "tag " + w.Addr + "/proxy/app:1 " + p.image("proxy/pushed:containerd") +
			" && " + ctr + "push --plain-http " + p.image("proxy/pushed:containerd")},
	}
	for name, push := range pushers {
		t.Run("push by "+name, func(t *testing.T) {
			w.calls(t)
			w.runLine(t, push)
			wantCall(t, w.calls(t), "api", "PutImage")
			w.run(t, "crane", "validate", "--remote", w.Addr+"/proxy/pushed:"+name)
			switch name {
			case "docker":
				wantDigest(t, "docker pushes", w.run(t, "crane", "digest", w.Addr+"/proxy/pushed:docker"), repoDigest(t, w, p.image("proxy/pushed:docker")))
			case "podman": // it compresses the layer again
			default:
				wantDigest(t, name+" pushes", w.run(t, "crane", "digest", w.Addr+"/proxy/pushed:"+name), k.digest)
			}
		})
	}
	t.Run("push to a repository that is missing", func(t *testing.T) {
		w.refused(t, "repository proxy/missing does not exist", "crane", "push", k.layout, p.image("proxy/missing:1"))
	})
	t.Run("push of containerd by plain name", func(t *testing.T) {
		// It goes to the registry itself, which wants credentials.
		user := "AWS:" + w.run(t, "ecrkit", "auth", "token", w.Addr)
		w.runLine(t, strings.Fields(ctr+"tag "+w.Addr+"/proxy/app:1 "+w.Addr+"/proxy/pushed:plain"))
		w.runLine(t, strings.Fields(ctr+"push --user "+user+" --hosts-dir "+p.root+"/etc/containerd/certs.d "+w.Addr+"/proxy/pushed:plain"))
		wantDigest(t, "containerd pushes", w.run(t, "crane", "digest", w.Addr+"/proxy/pushed:plain"), k.digest)
	})

	t.Run("only endpoint", func(t *testing.T) {
		p.stop()
		for _, c := range pullers {
			if c.setup == "" || c.setup == "podman" && c.name != "podman" {
				continue
			}
			w.calls(t)
			line := c.pull("proxy/app:1")
			if out, _, err := w.execute(t, line[0], line[1:]...); err == nil {
				t.Errorf("%s pulls without the proxy: %s", c.name, out)
			}
			if calls := w.calls(t); len(calls) > 0 {
				t.Errorf("%s asks the registry itself: %v", c.name, calls)
			}
			w.refused(t, "proxy not running", "ecrkit", "proxy", "setup", c.setup, "--check", "--proxy", "http://"+p.addr, "--root", p.root)
			w.run(t, "ecrkit", "proxy", "setup", c.setup, "--remove", "--proxy", "http://"+p.addr, "--root", p.root)
		}
		left, err := filepath.Glob(p.root + "/etc/*/*/*")
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// buildLarge builds an image with a layer of 12 MiB that does not compress.
func (s *suite) buildLarge(t *testing.T, w *site, image string) {
	t.Helper()
	dir := t.TempDir()
	data := make([]byte, 12<<20)
	rand.NewChaCha8([32]byte{3}).Read(data)
	writeFile(t, filepath.Join(dir, "data"), data)
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY data /\n"))
	w.with(map[string]string{"DOCKER_BUILDKIT": "0"}).run(t, "docker", "build", "--quiet", "--tag", image, dir)
}

// startContainerd runs containerd until the test ends, and returns its socket. Its CRI plugin reads hosts.toml below certs.
func startContainerd(t *testing.T, certs string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ecrkit-containerd-") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "c.sock")
	writeFile(t, filepath.Join(dir, "config.toml"), fmt.Appendf(nil, `version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
  conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`, dir+"/root", dir+"/state", socket, dir+"/cni", certs))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "containerd", "--log-level", "error", "--config", filepath.Join(dir, "config.toml"))
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // its status after SIGTERM says nothing
		endLeftovers(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(time.Minute); exec.CommandContext(t.Context(), "ctr", "--address", socket, "version").Run() != nil; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("containerd does not answer within a minute")
		}
	}
	return socket
}
