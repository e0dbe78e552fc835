package cli

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/environ"
	"github.com/ecrkit/ecrkit/transfer"
)

// copyResult is the JSON form of what push and pull print.
type copyResult struct {
	Reference string `json:"reference"` // the destination
	transfer.Result
}

// copy copies src to dst and prints the result; did is what it did, for people.
func (app *App) copy(ctx context.Context, did string, src, dst transfer.Reference) error {
	src, dst = withLatest(src), withLatest(dst)
	source, closeSource, err := app.openSource(ctx, src)
	if err != nil {
		return err
	}
	defer closeSource()
	target, err := app.openTarget(ctx, dst)
	if err != nil {
		return err
	}
	options := transfer.Options{Reference: src.Name(), Digest: dst.Digest, Now: app.Now}
	if state := environ.Lookup(app.Env).StateDir(); state != "" {
		options.JournalDir = state
	}
	if dst.Tag != "" {
		options.Tags = []string{dst.Tag}
	}
	result, err := transfer.Copy(ctx, source, target, options)
	if err != nil {
		return err
	}
	app.Messagef("%s %d blobs (%s), %d blobs (%s) were there already, %.1f s", did,
		result.BlobsSent, humanize.IBytes(uint64(result.BytesSent)), result.BlobsSkipped, humanize.IBytes(uint64(result.BytesSkipped)), result.Seconds)
	return app.PrintResult(copyResult{dst.String(), result}, fmt.Sprintf("%s  %s\n", result.Digest, dst))
}

// withLatest adds the tag that a registry reference has by convention.
func withLatest(r transfer.Reference) transfer.Reference {
	if r.Kind == transfer.KindECR && r.Name() == "" {
		r.Tag = "latest"
	}
	return r
}

// parseReference reads a reference; a mistake in it is a usage error.
func (app *App) parseReference(s string) (transfer.Reference, error) {
	config, err := app.settings()
	if err != nil {
		return transfer.Reference{}, err
	}
	r, err := transfer.ParseReference(s, config.Registries, transfer.DetectKind)
	if err != nil {
		return transfer.Reference{}, usageError{err}
	}
	return r, nil
}

func (app *App) openSource(ctx context.Context, r transfer.Reference) (transfer.Source, func() error, error) {
	nothing := func() error { return nil }
	switch r.Kind {
	case transfer.KindArchive:
		archive, err := transfer.OpenArchive(r.Path)
		if err != nil {
			return nil, nil, err
		}
		return archive, archive.Close, nil
	case transfer.KindLayout:
		return transfer.NewLayout(r.Path), nothing, nil
	case transfer.KindECR:
		repository, err := app.openECR(ctx, r)
		return repository, nothing, err
	}
	return nil, nil, usagef("%s: this version cannot read it", r)
}

func (app *App) openTarget(ctx context.Context, r transfer.Reference) (transfer.Target, error) {
	switch r.Kind {
	case transfer.KindLayout:
		return transfer.NewLayout(r.Path), nil
	case transfer.KindECR:
		return app.openECR(ctx, r)
	}
	return nil, usagef("%s: this version cannot write it", r)
}

func (app *App) openECR(ctx context.Context, r transfer.Reference) (*transfer.ECR, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	calls := auth.AWS{Env: app.Env, Registries: config.Registries}
	if app.Verbose {
		calls.LoadOptions = append(calls.LoadOptions, app.logCalls())
	}
	cfg, err := calls.Config(ctx, r.Registry)
	if err != nil {
		return nil, err
	}
	repository := transfer.NewECR(cfg, r.Registry, r.Repository)
	if app.Verbose {
		repository.Layers.Transport = app.logRequests(repository.Layers.Transport)
	}
	tokens, err := app.tokens()
	if err != nil {
		return nil, err
	}
	repository.V2 = &auth.Transport{Tokens: tokens, Registry: r.Registry, Base: repository.Layers.Transport}
	return repository, nil
}
