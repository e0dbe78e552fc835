package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const inspectHelp = `Show what is in an image or index.

  ecrkit inspect 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit inspect HOST/app:1.2 --platform linux/arm64
  ecrkit inspect oci:build:1.2 --output json
  ecrkit inspect HOST/app:1.2 --raw | sha256sum
  ecrkit inspect HOST/app:1.2 --platform linux/amd64 --config | jq .config.Env

REF is an image of any kind (see ecrkit --help); one in a registry without a tag is
"latest". Of an index the images with their platforms and sizes are shown, of an
image its layers and what runs in it. --platform picks the image of an index. Sizes
are those in the registry, compressed.

--raw prints the manifest and nothing else, byte for byte, so that its SHA-256 is
the digest; --config does the same with the config of an image.

An index takes two reads, one for itself and one for all its images; an image one
and that of its config. In Amazon ECR one more call returns all its tags and when it
was pushed and pulled.

Prints a summary, or with --output json one object: reference, digest, mediaType,
artifactType, manifestSize, size, subject, annotations, images, and where they are
known tags, pushedAt, pulledAt, status. images has, for each: digest, mediaType,
artifactType, manifestSize, platform, attests, annotations, missing, size, config,
layers (mediaType, digest, size, createdBy), createdAt, execution (as in the config:
User, Env, Entrypoint, Cmd, ...). What is not known is left out.`

// inspectFlags are the flags of `ecrkit inspect`.
type inspectFlags struct {
	raw, config bool
	platform    string
}

// inspected is the JSON form of what inspect prints.
type inspected struct {
	Reference string `json:"reference"`
	transfer.Inspection
	Tags     []string   `json:"tags,omitempty"`
	PushedAt *time.Time `json:"pushedAt,omitempty"`
	PulledAt *time.Time `json:"pulledAt,omitempty"`
	Status   string     `json:"status,omitempty"`
}

func newInspectCommand(app *App) *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect REF",
		Short: "Show what is in an image or index",
		Long:  inspectHelp,
		Args:  arguments(0, "REF"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.inspect(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.raw, "raw", false, "print the bytes of the manifest")
	flags.BoolVar(&f.config, "config", false, "print the bytes of the config")
	addPlatformFlag(cmd, &f.platform)
	return cmd
}

func (app *App) inspect(ctx context.Context, name string, f inspectFlags) error {
	if f.raw && f.config {
		return usagef("--raw and --config exclude each other")
	}
	platform, err := parsePlatform(f.platform)
	if err != nil {
		return err
	}
	r, err := app.parseReference(name)
	if err != nil {
		return err
	}
	r = withLatest(r)
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return err
	}
	defer closeSource()
	manifest, err := transfer.ReadManifest(ctx, source, r.Name(), platform)
	if err != nil {
		return err
	}
	switch {
	case f.raw:
		_, err = app.rawStdout().Write(manifest.Content)
		return err
	case f.config:
		config, err := transfer.ReadConfig(ctx, source, manifest)
		if err == nil {
			_, err = app.rawStdout().Write(config)
		}
		return err
	}
	inspection, err := transfer.Inspect(ctx, source, manifest)
	if err != nil {
		return err
	}
	result := inspected{Reference: r.String(), Inspection: inspection}
	if describer, ok := source.(content.ImageDescriber); ok {
		image, err := describer.DescribeImage(ctx, inspection.Digest)
		switch {
		case err == nil:
			result.Tags, result.PushedAt, result.PulledAt, result.Status = image.Tags, image.PushedAt, image.PulledAt, image.Status
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, content.ErrNotFound): // an image of an index in a layout has no entry
			// What is shown is right without it, and often only reading is allowed.
			app.Messagef("tags and times are not known: %v", err)
		}
	}
	return app.PrintResult(result, app.inspectText(result))
}
