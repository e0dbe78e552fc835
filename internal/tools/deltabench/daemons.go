//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// daemon starts a daemon and waits until it is ready. The caller stops it.
func (b *bench) daemon(ctx context.Context, argv, ready []string) (stop func(), err error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	log, err := os.CreateTemp(b.dir, "log-")
	if err != nil {
		return nil, err
	}
	defer log.Close() // the daemon has it
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // its status after SIGTERM says nothing
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := b.command(ctx, "", ready...)
		if err == nil {
			return stop, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			stop()
			return nil, fmt.Errorf("%s does not answer within a minute: %w", argv[0], err)
		}
	}
}

// registry starts a local ECR with the repository delta, whose password the file DIR/config/config.json has.
func registry(ctx context.Context, dir string) (server *localecr.Server, stop func(), err error) {
	if server, err = localecr.New(localecr.Options{Dir: dir + "/registry"}); err != nil {
		return nil, nil, err
	}
	listener, err := server.Listen("127.0.0.1:0")
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	serving, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- listener.Serve(serving) }()
	stop = func() {
		end()
		<-served
		_ = server.Close() // it has served
	}
	if _, err = server.Repository(ctx, "delta"); err == nil {
		var password string
		if password, err = server.Password(); err == nil {
			auth := base64.StdEncoding.EncodeToString([]byte("AWS:" + password))
			err = errors.Join(os.MkdirAll(dir+"/config", 0o700), os.WriteFile(dir+"/config/config.json", fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, server.Registry, auth), 0o600))
		}
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return server, stop, nil
}

// dockerLayer imports a tar and pushes it to a local ECR: an engine compresses what it pushes.
func dockerLayer(ctx context.Context, b *bench, dir string, v version, to string) error {
	server, closeRegistry, err := registry(ctx, dir)
	if err != nil {
		return err
	}
	defer closeRegistry()
	host := "unix://" + dir + "/d.sock"
	docker := []string{"docker", "--config", dir + "/config", "-H", host}
	stop, err := b.daemon(ctx, []string{"dockerd", "--data-root", dir + "/docker", "--exec-root", dir + "/docker-run", "--pidfile", dir + "/docker.pid", "-H", host,
		"--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", "--log-level=error"}, append(docker, "info"))
	if err != nil {
		return err
	}
	defer stop()
	image := server.Registry + "/delta:1"
	return errors.Join(
		b.command(ctx, "", append(docker, "import", v.tar, image)...),
		b.command(ctx, "", append(docker, "push", "--quiet", image)...),
		largest(dir+"/registry", to))
}

// buildkitLayer builds an image of one layer.
func buildkitLayer(compression string) func(ctx context.Context, b *bench, dir string, v version, to string) error {
	return func(ctx context.Context, b *bench, dir string, v version, to string) error {
		address := "unix://" + dir + "/b.sock"
		client := []string{b.find("buildctl"), "--addr", address}
		stop, err := b.daemon(ctx, []string{b.find("buildkitd"), "--addr", address, "--root", dir + "/buildkit", "--oci-worker-snapshotter", "native", "--oci-worker-net", "host"}, append(client, "debug", "workers"))
		if err != nil {
			return err
		}
		defer stop()
		archive := filepath.Join(dir, "image.tar")
		return errors.Join(
			os.MkdirAll(dir+"/file", 0o755),
			os.MkdirAll(dir+"/image", 0o755),
			os.WriteFile(dir+"/file/Dockerfile", []byte("FROM scratch\nCOPY . /\n"), 0o644),
			b.command(ctx, "", append(client, "build", "--frontend", "dockerfile.v0", "--local", "context="+v.dir, "--local", "dockerfile="+dir+"/file",
				"--output", "type=oci,dest="+archive+",compression="+compression+",force-compression=true")...),
			b.command(ctx, "", "tar", "-C", dir+"/image", "-xf", archive),
			largest(dir+"/image", to))
	}
}
