package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/docker"
)

// addCompressionFlag adds --compression to a command that reads images.
func addCompressionFlag(cmd *cobra.Command, app *App) {
	cmd.Flags().StringVar(&app.compression, "compression", "", "how to compress uncompressed layers from docker: `gzip|zstd|none` (default gzip)")
}

// isTerminal reports whether a stream is a person.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// closeTargets ends the work on destinations, whether it was done or not.
func closeTargets(destinations []transfer.Destination) error {
	var err error
	for _, d := range destinations {
		if c, ok := d.Target.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

func (app *App) dockerArchiveOptions() (docker.ArchiveOptions, error) {
	compression, err := docker.ParseCompression(app.compression)
	if err != nil {
		return docker.ArchiveOptions{}, usagef("--compression: %w", err)
	}
	options := docker.ArchiveOptions{Compression: compression, TempDir: app.tempDir(), Now: app.Now}
	if cache := startup.Environment(app.Env).DefaultCache(); cache != "" {
		options.CacheDir = filepath.Join(cache, "layers")
	}
	return options, nil
}

// dockerDaemon is the engine that the environment names, as for the docker command.
func (app *App) dockerDaemon() docker.Daemon {
	env := startup.Environment(app.Env)
	d := docker.Daemon{Host: env.Get("DOCKER_HOST")}
	if env.Get("DOCKER_TLS_VERIFY") != "" {
		d.TLSDir = env.Get("DOCKER_CERT_PATH")
		if d.TLSDir == "" {
			d.TLSDir = filepath.Join(env.Home(), ".docker")
		}
	}
	return d
}

// tempDir is where whole images are put for a while: not /tmp, which is in memory
// on many machines, unless TMPDIR says so.
func (app *App) tempDir() string {
	if dir, ok := app.Env("TMPDIR"); ok && dir != "" {
		return dir
	}
	if info, err := os.Stat(largeTempDir); err == nil && info.IsDir() {
		return largeTempDir
	}
	return ""
}
