package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
)

const pushHelp = `Push an image, or an index with all its images, to Amazon ECR.

  ecrkit push oci:build:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit push oci-archive:app.tar 123456789012.dkr.ecr.us-east-1.amazonaws.com/app
  ecrkit push build HOST/app:1.2 --output json

SRC is an OCI image layout; without a tag it must hold one image only. Layers that
the repository has are not sent again, and manifests arrive byte for byte, so the
digest stays. DST without a tag is pushed as "latest", with a digest only under
that digest. DST with a digest accepts that image only.

Prints DIGEST and DST, or with --output json one object: reference, digest,
mediaType, tags, blobsSent, blobsSkipped, bytesSent, bytesResumed, bytesSkipped, seconds.`

func newPushCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "push SRC DST",
		Short: "Push an image to Amazon ECR",
		Long:  pushHelp,
		Args:  arguments(0, "SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := app.parseReference(args[0])
			if err != nil {
				return err
			}
			dst, err := app.parseReference(args[1])
			if err != nil {
				return err
			}
			if dst.Kind != transfer.KindECR {
				return usagef("push goes to a registry, and %s is none; write HOST/REPOSITORY:TAG", args[1])
			}
			return app.copy(cmd.Context(), "pushed", src, dst)
		},
	}
}
