package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/environ"
	"github.com/ecrkit/ecrkit/transfer"
)

// addCompressionFlag adds --compression to a command that reads images.
func addCompressionFlag(cmd *cobra.Command, app *App) {
	cmd.Flags().StringVar(&app.compression, "compression", "", "`gzip|zstd|none`: how layers from docker are compressed that are not yet (default gzip)")
}

// openImageFile opens an image in a tar file, or on stdin.
func (app *App) openImageFile(ctx context.Context, r transfer.Reference) (transfer.Source, func() error, error) {
	options, err := app.dockerArchiveOptions()
	if err != nil {
		return nil, nil, err
	}
	switch {
	case r.Kind == transfer.KindDockerArchive:
		archive, err := transfer.OpenDockerArchive(ctx, r.Path, options)
		if err != nil {
			return nil, nil, err
		}
		return archive, archive.Close, nil
	default:
		archive, err := transfer.OpenArchive(ctx, r.Path, options.TempDir)
		if err != nil {
			return nil, nil, err
		}
		return archive, archive.Close, nil
	}
}

func (app *App) dockerArchiveOptions() (transfer.DockerArchiveOptions, error) {
	compression, err := transfer.ParseCompression(app.compression)
	if err != nil {
		return transfer.DockerArchiveOptions{}, usagef("--compression: %w", err)
	}
	options := transfer.DockerArchiveOptions{Compression: compression, TempDir: app.tempDir(), Now: app.Now}
	if cache := environ.Lookup(app.Env).DefaultCache(); cache != "" {
		options.CacheDir = filepath.Join(cache, "layers")
	}
	return options, nil
}

// tempDir is where whole images are put for a while: not /tmp, which is in memory
// on many machines, unless TMPDIR says so.
func (app *App) tempDir() string {
	if dir, ok := app.Env("TMPDIR"); ok && dir != "" {
		return dir
	}
	const large = "/var/tmp"
	if info, err := os.Stat(large); err == nil && info.IsDir() {
		return large
	}
	return ""
}
