package cli

import (
	"context"

	"github.com/ecrkit/ecrkit/transfer"
)

// openSource opens what a reference names, to read from it. What it returns second
// closes it.
func (app *App) openSource(ctx context.Context, r transfer.Reference) (transfer.Source, func() error, error) {
	nothing := func() error { return nil }
	switch r.Kind {
	case transfer.KindArchive, transfer.KindDockerArchive:
		archive, err := app.openImageFile(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		return archive, archive.Close, nil
	case transfer.KindDockerDaemon:
		options, err := app.dockerArchiveOptions()
		if err != nil {
			return nil, nil, err
		}
		image, err := transfer.OpenDockerDaemon(ctx, app.dockerDaemon(), r.Name(), options)
		if err != nil {
			return nil, nil, err
		}
		return image, image.Close, nil
	case transfer.KindLayout:
		return transfer.NewLayout(r.Path), nothing, nil
	case transfer.KindECR:
		repository, err := app.openECR(ctx, r)
		return repository, nothing, err
	case transfer.KindRegistry:
		repository, err := app.openRegistry(r)
		return repository, nothing, err
	}
	return nil, nil, usagef("%s: this version cannot read it", r)
}

// openTarget opens what a reference names, to write to it.
func (app *App) openTarget(ctx context.Context, r transfer.Reference) (transfer.Target, error) {
	switch r.Kind {
	case transfer.KindLayout:
		return transfer.NewLayout(r.Path), nil
	case transfer.KindArchive, transfer.KindDockerArchive:
		return app.openImageTarget(r)
	case transfer.KindDockerDaemon:
		if r.Digest != "" {
			return nil, usagef("%s: an image is loaded under a name; write docker-daemon:NAME:TAG", r)
		}
		return transfer.NewDockerDaemonTarget(app.dockerDaemon(), r.Repository, app.tempDir()), nil
	case transfer.KindECR:
		return app.openECR(ctx, r)
	case transfer.KindRegistry:
		return app.openRegistry(r)
	}
	return nil, usagef("%s: this version cannot write it", r)
}

// openRepository opens an endpoint to edit what is in it.
func (app *App) openRepository(ctx context.Context, r transfer.Reference) (transfer.Endpoint, error) {
	if !r.IsRepository() && r.Kind != transfer.KindLayout {
		return nil, usagef("%s cannot be edited; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	target, err := app.openTarget(ctx, r)
	if err != nil {
		return nil, err
	}
	both, ok := target.(transfer.Endpoint)
	if !ok {
		return nil, usagef("%s: this version cannot edit it", r)
	}
	return both, nil
}
