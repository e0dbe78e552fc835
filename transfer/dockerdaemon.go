package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// DockerDaemon is a docker engine, spoken to by its API:
// https://docs.docker.com/reference/api/engine/.
type DockerDaemon struct {
	// Host is its address, as DOCKER_HOST has it: unix:///run/docker.sock,
	// npipe:////./pipe/docker_engine, tcp://HOST:PORT. "" is the usual socket.
	Host string
	// TLSDir is the directory of ca.pem, cert.pem and key.pem with which to speak
	// TLS; "" is no TLS.
	TLSDir string
}

// connect gives a client, which the caller closes. It connects with the first call.
func (d DockerDaemon) connect() (*client.Client, error) {
	var options []client.Opt
	if strings.HasPrefix(d.Host, "ssh:") {
		return nil, fmt.Errorf("%w: a docker daemon over ssh; forward its socket (ssh -L /tmp/docker.sock:/run/docker.sock HOST) and name that in DOCKER_HOST", ErrUnsupported)
	}
	if d.TLSDir != "" {
		file := func(name string) string { return filepath.Join(d.TLSDir, name) }
		options = append(options, client.WithTLSClientConfig(file("ca.pem"), file("cert.pem"), file("key.pem")))
	}
	if d.Host != "" {
		options = append(options, client.WithHost(d.Host))
	}
	return client.New(options...)
}

// daemonError says what the engine's error means.
func daemonError(name string, c *client.Client, err error) error {
	switch {
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%s: no docker daemon answers at %s; start it, or say in DOCKER_HOST where it is", name, c.DaemonHost())
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", name, ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// OpenDockerDaemon opens an image of a docker daemon, named NAME:TAG or by its ID:
// the daemon writes it as a docker archive, into a temporary file. The caller
// closes it.
func OpenDockerDaemon(ctx context.Context, d DockerDaemon, image string, options DockerArchiveOptions) (*DockerArchive, error) {
	name := "docker-daemon:" + image
	c, err := d.connect()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer c.Close()
	// That it is not there, a daemon may else say in the middle of the archive.
	if _, err := c.ImageInspect(ctx, image); err != nil {
		return nil, daemonError(name, c, err)
	}
	archive, err := c.ImageSave(ctx, []string{image})
	if err != nil {
		return nil, daemonError(name, c, err)
	}
	defer archive.Close()
	f, err := spoolImageFile(ctx, archive, options.TempDir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return newDockerArchive(f, name, options)
}

// DockerDaemonTarget loads one image into a docker daemon, as [Target].
type DockerDaemonTarget struct {
	*DockerArchiveTarget
	daemon DockerDaemon
}

var (
	_ Target      = (*DockerDaemonTarget)(nil)
	_ fileWriter  = (*DockerDaemonTarget)(nil)
	_ committer   = (*DockerDaemonTarget)(nil)
	_ imageTarget = (*DockerDaemonTarget)(nil)
)

// NewDockerDaemonTarget gives the image of a docker daemon with this name, which is
// without a tag. Nothing is sent yet. tempDir is where the image is put together;
// "" is os.TempDir. The caller closes it.
func NewDockerDaemonTarget(d DockerDaemon, image, tempDir string) *DockerDaemonTarget {
	t := NewDockerArchiveTarget("", image, ArchiveTargetOptions{TempDir: tempDir})
	t.name = "docker-daemon:" + image
	return &DockerDaemonTarget{t, d}
}

// CheckImage refuses what docker cannot load, and does so before anything is
// copied if there is no daemon.
func (t *DockerDaemonTarget) CheckImage(ctx context.Context, m Manifest) error {
	if err := t.DockerArchiveTarget.CheckImage(ctx, m); err != nil {
		return err
	}
	c, err := t.daemon.connect()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer c.Close()
	if _, err := c.Ping(ctx, client.PingOptions{}); err != nil {
		return daemonError(t.name, c, err)
	}
	return nil
}

// Commit sends the image to the daemon.
func (t *DockerDaemonTarget) Commit(ctx context.Context) error {
	members, err := t.members()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	c, err := t.daemon.connect()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer c.Close()
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeTar(ctx, w, members)
		w.CloseWithError(err)
		written <- err
	}()
	answer, err := c.ImageLoad(ctx, r)
	if err == nil {
		err = loadError(answer)
		err = errors.Join(err, answer.Close())
	}
	r.CloseWithError(errNotRead)
	if broken := <-written; broken != nil && !errors.Is(broken, errNotRead) {
		return fmt.Errorf("%s: %w", t.name, broken)
	}
	if err != nil {
		return daemonError(t.name, c, err)
	}
	return nil
}

// errNotRead ends the writing of an archive that the daemon does not want to its end.
var errNotRead = errors.New("the daemon reads no more")

// maxLoadAnswer bounds what a daemon tells of its progress, in bytes.
const maxLoadAnswer = 64 << 20

// loadError finds the error in the progress that the daemon tells: the status of
// the answer comes before it.
func loadError(answer io.Reader) error {
	messages := json.NewDecoder(io.LimitReader(answer, maxLoadAnswer))
	for {
		var message struct {
			Error       string `json:"error"`
			ErrorDetail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		err := messages.Decode(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the answer of the daemon: %w", err)
		}
		if text := cmp.Or(message.ErrorDetail.Message, message.Error); text != "" {
			return errors.New(text)
		}
	}
}
