package cli

import (
	"context"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// openSource opens what a reference names, to read from it. What it returns second
// closes it.
func (app *App) openSource(ctx context.Context, r ref.Reference) (content.Source, func() error, error) {
	nothing := func() error { return nil }
	switch r.Kind {
	case ref.KindArchive, ref.KindDockerArchive:
		archive, err := app.openImageFile(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		return archive, archive.Close, nil
	case ref.KindDockerDaemon:
		options, err := app.dockerArchiveOptions()
		if err != nil {
			return nil, nil, err
		}
		image, err := docker.OpenDaemon(ctx, app.dockerDaemon(), r.Name(), options)
		if err != nil {
			return nil, nil, err
		}
		return image, image.Close, nil
	case ref.KindLayout:
		return layout.New(r.Path), nothing, nil
	case ref.KindECR:
		repository, err := app.openECR(ctx, r)
		return repository, nothing, err
	case ref.KindRegistry:
		repository, err := app.openRegistry(r)
		return repository, nothing, err
	}
	return nil, nil, usagef("%s: this version cannot read it", r)
}

// openTarget opens what a reference names, to write to it.
func (app *App) openTarget(ctx context.Context, r ref.Reference) (content.Target, error) {
	switch r.Kind {
	case ref.KindLayout:
		return layout.New(r.Path), nil
	case ref.KindArchive, ref.KindDockerArchive:
		return app.openImageTarget(r)
	case ref.KindDockerDaemon:
		if r.Digest != "" {
			return nil, usagef("%s: an image is loaded under a name; write docker-daemon:NAME:TAG", r)
		}
		return docker.NewDaemonTarget(app.dockerDaemon(), r.Repository, app.tempDir()), nil
	case ref.KindECR:
		return app.openECR(ctx, r)
	case ref.KindRegistry:
		return app.openRegistry(r)
	}
	return nil, usagef("%s: this version cannot write it", r)
}

// openRepository opens an endpoint to edit what is in it.
func (app *App) openRepository(ctx context.Context, r ref.Reference) (content.Endpoint, error) {
	if !r.IsRepository() && r.Kind != ref.KindLayout {
		return nil, usagef("%s cannot be edited; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	target, err := app.openTarget(ctx, r)
	if err != nil {
		return nil, err
	}
	both, ok := target.(content.Endpoint)
	if !ok {
		return nil, usagef("%s: this version cannot edit it", r)
	}
	return both, nil
}
