package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer"
)

const copyHelp = `Copy an image, or an index with all its images, from anywhere to anywhere.

  ecrkit copy ghcr.io/team/app:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit copy HOST/app:1.2 OTHER-HOST/app:1.2 --referrers
  ecrkit copy HOST/app oci:backup --all-tags
  ecrkit copy docker-archive:app.tar oci:app:1.2

SRC and DST are references of any kind (see ecrkit --help). Manifests arrive byte
for byte, so digests stay; what DST has is not sent again, and an image that lies
in another repository of the same registry is mounted where Amazon ECR is set to
allow it. --all-tags copies every tag of SRC, which then has none itself, under
the same name.

--platform linux/amd64 copies that image of an index, several platforms an index
of only those, which has another digest (--keep-digest refuses that). --referrers
copies signatures, attestations and bills of materials too.

` + resultHelp

func newCopyCommand(app *App) *cobra.Command {
	var c copying
	var allTags bool
	cmd := &cobra.Command{
		Use:   "copy SRC DST",
		Short: "Copy an image from anywhere to anywhere",
		Long:  copyHelp,
		Args:  arguments(0, "SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			references, err := app.parseReferences(args)
			if err != nil {
				return err
			}
			if allTags {
				return c.copyTags(cmd.Context(), references[0], references[1])
			}
			return c.copy(cmd.Context(), "copied", references[0], references[1:])
		},
	}
	c.addFlags(cmd, app)
	cmd.Flags().BoolVar(&allTags, "all-tags", false, "copy every tag of SRC")
	return cmd
}

// parseReferences reads the arguments of a command.
func (app *App) parseReferences(args []string) ([]transfer.Reference, error) {
	references := make([]transfer.Reference, len(args))
	for i, arg := range args {
		var err error
		if references[i], err = app.parseReference(arg); err != nil {
			return nil, err
		}
	}
	return references, nil
}

// withLatest adds the tag that a registry reference has by convention.
func withLatest(r transfer.Reference) transfer.Reference {
	if r.IsRepository() && r.Name() == "" {
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

func (app *App) openECR(ctx context.Context, r transfer.Reference) (*transfer.ECR, error) {
	cfg, err := app.awsConfig(ctx, r.Registry)
	if err != nil {
		return nil, err
	}
	repository := transfer.NewECR(cfg, r.Registry, r.Repository)
	repository.Limits = app.limits.of(r.Registry)
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
