package cli

import (
	"path"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
)

const pullHelp = `Pull an image, or an index with all its images, from Amazon ECR.

  ecrkit pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.2
  ecrkit pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 oci:mirror:app-1.2
  ecrkit pull HOST/app@sha256:0123... oci:app --output json

DST is an OCI image layout, which is made if it is not there; without DST it is
oci:NAME:TAG with the last element of the repository's name. SRC without a tag is
"latest". Every byte is checked against its digest, and the image becomes visible
in DST when all of it is there.

Prints DIGEST and DST, or with --output json one object: reference, digest,
mediaType, tags, blobsSent, blobsSkipped, bytesSent, bytesResumed, bytesSkipped, seconds.`

func newPullCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "pull SRC [DST]",
		Short: "Pull an image from Amazon ECR",
		Long:  pullHelp,
		Args:  arguments(1, "SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := app.parseReference(args[0])
			if err != nil {
				return err
			}
			if src.Kind != transfer.KindECR {
				return usagef("pull reads from a registry, and %s is none; write HOST/REPOSITORY:TAG", args[0])
			}
			src = withLatest(src)
			dst := transfer.Reference{Kind: transfer.KindLayout, Path: path.Base(src.Repository), Tag: src.Tag}
			if len(args) == 2 {
				if dst, err = app.parseReference(args[1]); err != nil {
					return err
				}
			}
			if dst.Kind != transfer.KindLayout {
				return usagef("pull writes to an OCI layout, and %s is none; write oci:DIRECTORY[:TAG]", args[1])
			}
			return app.copy(cmd.Context(), "pulled", src, dst)
		},
	}
}
