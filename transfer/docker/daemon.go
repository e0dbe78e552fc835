package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/staging"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
)

// Daemon is a docker engine, spoken to by its API:
// https://docs.docker.com/reference/api/engine/.
type Daemon struct {
	// Host is its address, as DOCKER_HOST has it: unix:///run/docker.sock,
	// npipe:////./pipe/docker_engine, tcp://HOST:PORT. "" is the usual socket.
	Host string
	// TLSDir is the directory of ca.pem, cert.pem and key.pem with which to speak
	// TLS; "" is no TLS.
	TLSDir string
}

// connect returns a client, which the caller closes. It connects with the first call.
func (d Daemon) connect() (*client.Client, error) {
	if strings.HasPrefix(d.Host, "ssh:") {
		return nil, fmt.Errorf("%w: a docker daemon over ssh; forward its socket (ssh -L /tmp/docker.sock:/run/docker.sock HOST) and name that in DOCKER_HOST", content.ErrUnsupported)
	}
	if d.Host != "" && !strings.Contains(d.Host, "://") {
		// The client would quote it, and a password in it.
		return nil, fmt.Errorf("%w: the address of the docker daemon has no scheme; write unix:///SOCKET or tcp://HOST:PORT in DOCKER_HOST", content.ErrUnsupported)
	}
	c, err := d.client()
	if err != nil {
		return nil, errors.New(safetext.MaskUsers(err.Error()))
	}
	return c, nil
}

// daemonError reports what the engine's error means.
func daemonError(name string, c *client.Client, err error) error {
	var silent *silentError
	switch {
	case errors.As(err, &silent):
		return fmt.Errorf("%s: the docker daemon at %s does not answer: %w; look at its log, or restart it", name, safetext.MaskUsers(c.DaemonHost()), silent)
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%s: no docker daemon answers at %s; start it, or say in DOCKER_HOST where it is", name, safetext.MaskUsers(c.DaemonHost()))
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", name, content.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// OpenDaemon opens an image of a docker daemon, named NAME:TAG or by its ID:
// the daemon writes it as a docker archive, into a temporary file. The caller
// closes it.
func OpenDaemon(ctx context.Context, d Daemon, image string, options ArchiveOptions) (*Archive, error) {
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
	f, err := tarball.Spool(ctx, archive, options.TempDir)
	if err != nil {
		return nil, daemonError(name, c, err)
	}
	return newArchive(f, name, options)
}

// archiveTarget keeps the embedded field from being part of the API.
type archiveTarget = ArchiveTarget

// DaemonTarget loads one image into a docker daemon, as [content.Target]. It has the same
// methods as [ArchiveTarget].
type DaemonTarget struct {
	*archiveTarget
	daemon Daemon
}

var (
	_ content.Target            = (*DaemonTarget)(nil)
	_ content.FileWriter        = (*DaemonTarget)(nil)
	_ content.Committer         = (*DaemonTarget)(nil)
	_ content.SingleImageTarget = (*DaemonTarget)(nil)
)

// NewDaemonTarget returns the image of a docker daemon with this name, which is
// without a tag. Nothing is sent yet. tempDir is where the image is put together;
// "" is os.TempDir. The caller closes it.
func NewDaemonTarget(d Daemon, image, tempDir string) *DaemonTarget {
	return &DaemonTarget{newArchiveTarget(staging.NewStream("docker-daemon:"+image, nil, tempDir), image), d}
}

// CheckImage refuses what docker cannot load, and does so before anything is
// copied if there is no daemon.
func (t *DaemonTarget) CheckImage(ctx context.Context, m content.Manifest) error {
	if err := t.archiveTarget.CheckImage(ctx, m); err != nil {
		return err
	}
	c, err := t.daemon.connect()
	if err != nil {
		return fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	defer c.Close()
	if _, err := c.Ping(ctx, client.PingOptions{}); err != nil {
		return daemonError(t.stage.Name, c, err)
	}
	return nil
}

// Commit sends the image to the daemon.
func (t *DaemonTarget) Commit(ctx context.Context) error {
	members, err := t.members(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	c, err := t.daemon.connect()
	if err != nil {
		return fmt.Errorf("%s: %w", t.stage.Name, err)
	}
	defer c.Close()
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := tarball.Write(ctx, w, members)
		w.CloseWithError(err)
		written <- err
	}()
	answer, err := c.ImageLoad(ctx, r)
	if err == nil {
		err = loadError(answer, maxLoadAnswer)
		err = errors.Join(err, answer.Close())
	}
	r.CloseWithError(errNotRead)
	if broken := <-written; broken != nil && !errors.Is(broken, errNotRead) {
		return fmt.Errorf("%s: %w", t.stage.Name, broken)
	}
	if err != nil {
		return daemonError(t.stage.Name, c, err)
	}
	return t.stage.Reset()
}

// errNotRead ends the writing of an archive that the daemon does not want to its end.
var errNotRead = errors.New("the daemon reads no more")

// maxLoadAnswer bounds what a daemon tells of its progress, in bytes.
const maxLoadAnswer = 64 << 20

// maxLoadError is how many characters of a daemon's error are shown.
const maxLoadError = 2000

// loadError finds the error in the progress that the daemon tells: the status of
// the answer comes before it. An answer of more than most bytes is an error.
func loadError(answer io.Reader, most int64) error {
	limited := &io.LimitedReader{R: answer, N: most + 1}
	messages := json.NewDecoder(limited)
	for {
		var message struct {
			Error       string `json:"error"`
			ErrorDetail struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		err := messages.Decode(&message)
		if limited.N == 0 {
			return fmt.Errorf("the answer of the daemon is longer than %d bytes; whether the image was loaded is unknown: look with docker images", most)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the answer of the daemon: %w", err)
		}
		if text := cmp.Or(message.ErrorDetail.Message, message.Error); text != "" {
			return fmt.Errorf("%.*s", maxLoadError, text)
		}
	}
}
