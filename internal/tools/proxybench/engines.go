//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

// engine is a client of registries.
type engine struct {
	name    string
	pull    func(image string) []string // nil if it is not measured
	remove  func(image string) []string
	push    func(image string) []string // nil if it is not measured
	prepare func(ctx context.Context, image string) error
	stop    func()
}

// has reports whether programs are installed.
func has(names ...string) bool {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return false
		}
	}
	return true
}

// startEngines starts the engines that are installed.
func (b *bench) startEngines(ctx context.Context) (list []engine, err error) {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if has("podman") {
		list = append(list, b.podman())
	}
	if has("containerd", "ctr") {
		e, err := b.containerd(ctx)
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	if has("docker", "dockerd") {
		e, err := b.docker(ctx)
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	if has("skopeo") {
		list = append(list, b.skopeo())
	}
	if len(list) == 0 {
		return nil, errors.New("no engine is installed")
	}
	return list, nil
}

// user is the argument by which a client without docker's configuration gets the token for an image.
func (b *bench) user(image string) string {
	if strings.HasPrefix(image, b.near.Addr) {
		return "AWS:" + b.nearToken
	}
	return "AWS:" + b.token
}

func (b *bench) podman() engine {
	base := []string{"podman", "--root", b.dir + "/podman", "--runroot", b.dir + "/podman-run", "--tmpdir", b.dir + "/podman-tmp", "--storage-driver", "vfs"}
	line := func(args ...string) []string { return append(append([]string{}, base...), args...) }
	return engine{
		name: "podman",
		pull: func(image string) []string {
			return line("pull", "--quiet", "--tls-verify=false", "--creds", b.user(image), image)
		},
		remove: func(image string) []string { return line("rmi", "--force", image) },
		stop:   func() {},
	}
}

func (b *bench) skopeo() engine {
	return engine{
		name: "skopeo",
		push: func(image string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "oci:" + b.dir + "/image:x", "docker://" + image}
		},
		prepare: func(context.Context, string) error { return nil },
		stop:    func() {},
	}
}

func (b *bench) containerd(ctx context.Context) (engine, error) {
	socket := filepath.Join(b.dir, "c.sock")
	config := "version = 2\nroot = \"" + b.dir + "/containerd\"\nstate = \"" + b.dir + "/containerd-run\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \"" + socket + "\"\n"
	if err := os.WriteFile(filepath.Join(b.dir, "containerd.toml"), []byte(config), 0o600); err != nil {
		return engine{}, err
	}
	stop, err := b.daemon(ctx, []string{"containerd", "--log-level", "error", "--config", filepath.Join(b.dir, "containerd.toml")}, []string{"ctr", "--address", socket, "version"})
	line := func(args ...string) []string { return append([]string{"ctr", "--address", socket, "images"}, args...) }
	return engine{
		name: "containerd",
		pull: func(image string) []string {
			return line("pull", "--snapshotter", "native", "--plain-http", "--user", b.user(image), image)
		},
		remove: func(image string) []string { return line("rm", "--sync", image) },
		stop:   stop,
	}, err
}

func (b *bench) docker(ctx context.Context) (engine, error) {
	host := "unix://" + b.dir + "/d.sock"
	stop, err := b.daemon(ctx, []string{"dockerd", "--data-root", b.dir + "/docker", "--exec-root", b.dir + "/docker-run", "--pidfile", b.dir + "/docker.pid", "-H", host,
		"--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", "--log-level=error"}, []string{"docker", "-H", host, "info"})
	line := func(args ...string) []string { return append([]string{"docker", "-H", host}, args...) }
	built := false
	return engine{
		name:   "docker",
		pull:   func(image string) []string { return line("pull", "--quiet", image) },
		remove: func(image string) []string { return line("rmi", image) },
		push:   func(image string) []string { return line("push", "--quiet", image) },
		prepare: func(ctx context.Context, image string) error {
			// docker remembers to where it has pushed a layer, and would mount it from there.
			if built {
				if err := b.command(ctx, line("rmi", "--force", "proxybench")...); err != nil {
					return err
				}
			}
			built = true
			if err := b.command(ctx, line("import", b.dir+"/image.tar", "proxybench")...); err != nil {
				return err
			}
			return b.command(ctx, line("tag", "proxybench", image)...)
		},
		stop: stop,
	}, err
}

// daemon starts a program and waits until another one succeeds.
func (b *bench) daemon(ctx context.Context, argv, ready []string) (stop func(), err error) {
	cmd := b.cmd(context.WithoutCancel(ctx), argv...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // its status after SIGTERM says nothing
	}
	for end := time.Now().Add(time.Minute); b.command(ctx, ready...) != nil; time.Sleep(200 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			stop()
			return nil, fmt.Errorf("%s does not answer within a minute", argv[0])
		}
	}
	return stop, nil
}

// proxy is a proxy with an empty cache.
type proxy struct {
	addr string
	stop func()
}

func (b *bench) startProxy(ctx context.Context, registry *stage.Local) (*proxy, error) {
	cache, err := os.MkdirTemp(b.dir, "cache-")
	if err != nil {
		return nil, err
	}
	cmd := b.cmd(context.WithoutCancel(ctx), "ecrkit", "proxy", "--allow-push", "--addr", "127.0.0.1:0", "--cache", cache)
	cmd.Env, cmd.Stderr = b.environ(registry), os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &proxy{stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // so may it by the signal
		_ = os.RemoveAll(cache)                 // the whole directory goes later
	}}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	p.addr = strings.TrimPrefix(strings.TrimSpace(line), "ecrkit proxy: http://")
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("ecrkit proxy: %w", err)
	}
	return p, nil
}

// image is the name of an image by the proxy.
func (p *proxy) image(registry, name string) string {
	return p.addr + "/" + strings.Replace(registry, ":", "_", 1) + "/" + name
}

// blob is the URL of a blob by the proxy.
func (p *proxy) blob(registry, repository, digest string) string {
	return "http://" + p.addr + "/v2/" + strings.Replace(registry, ":", "_", 1) + "/" + repository + "/blobs/" + digest
}
