package cli

import (
	"context"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const digestHelp = `Print the digest of an image or index.

  ecrkit digest 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit digest HOST/app:1.2 --platform linux/arm64
  ecrkit digest oci:build:1.2
  ecrkit digest docker-archive:app.tar

REF is an image of any kind (see ecrkit --help); one in a registry without a tag is "latest". Only
its manifest is read. The digest of an image in a docker archive or a docker daemon is the one
that it has after a push, unless a layer has to be compressed.

--platform prints the digest of the image of an index. It accepts an image that is no index if it
is for that platform.

Prints the digest, or with --output json one object: reference, digest, mediaType, manifestSize.`

// digestResult is the JSON form of what digest prints.
type digestResult struct {
	Reference    string        `json:"reference"`
	Digest       digest.Digest `json:"digest"`
	MediaType    string        `json:"mediaType"`
	ManifestSize int64         `json:"manifestSize"`
}

func newDigestCommand(app *App) *cobra.Command {
	var platform string
	var files resultFiles
	cmd := &cobra.Command{
		Use:   "digest REF",
		Short: "Print the digest of an image",
		Long:  digestHelp + "\n\n" + madeHelp,
		Args:  arguments(0, "REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.digest(cmd.Context(), args[0], platform, files)
		},
	}
	addPlatformFlag(cmd, &platform)
	files.add(cmd)
	return cmd
}

func (app *App) digest(ctx context.Context, name, platform string, files resultFiles) error {
	chosen, err := parsePlatform(platform)
	if err != nil {
		return err
	}
	r, err := app.parseReference(name)
	if err != nil {
		return err
	}
	r = withLatest(r)
	results, err := files.open(app)
	if err != nil {
		return err
	}
	defer results.discard()
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return err
	}
	defer closeSource()
	m, err := transfer.ReadManifest(ctx, source, r.Name(), chosen)
	if err != nil {
		return err
	}
	found, err := madeFrom(r, m)
	if err != nil {
		return err
	}
	d := found.descriptor
	if err := app.PrintResult(digestResult{r.String(), d.Digest, d.MediaType, d.Size}, string(d.Digest)+"\n"); err != nil {
		return err
	}
	return app.report("Digest", results, []made{found})
}

// addPlatformFlag adds --platform to a command that reads one image.
func addPlatformFlag(cmd *cobra.Command, platform *string) {
	cmd.Flags().StringVar(platform, "platform", "", "image of an index for this `os/arch[/variant]`")
}

// parsePlatform returns the platform of a flag, nil if it was not given.
func parsePlatform(s string) (*content.Platform, error) {
	if s == "" {
		return nil, nil
	}
	p, err := content.ParsePlatform(s)
	if err != nil {
		return nil, usageError{err}
	}
	return &p, nil
}
