package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/index"
)

const indexCreateHelp = `Create an index of images.

  ecrkit index create HOST/app:1.2 HOST/app:1.2-amd64 HOST/app:1.2-arm64
  ecrkit index create HOST/app:1.2 :1.2-amd64 @sha256:0123...
  ecrkit index create HOST/app:1.2 oci:amd64 oci:arm64 docker-archive:arm.tar
  ecrkit index create oci:build:1.2 oci:build:amd64 HOST/app:1.2-arm64
  ecrkit index create HOST/app:1.2 @sha256:0123... @sha256:4567... --sign alias/release

Each SRC is an image by tag or digest; :TAG and @DIGEST are in the repository of DST.
Images from elsewhere are copied there first. An SRC that is an index itself contributes
its entries. The platform of an image is that of its config; an artifact becomes an
entry without one. Two images for one platform are refused without --force. The same
images in the same order make the same index, with the same digest.

--type oci or docker is the format. Without it the index is a Docker manifest list
if all images are Docker's and there are no annotations, otherwise an OCI index.

In Amazon ECR: one BatchGetImage for all images of the repository of DST, a
GetDownloadUrlForLayer and a GET for each config, one PutImage.

Prints DIGEST and DST; see ecrkit index --help for --output json and --dry-run.`

func newIndexCreateCommand(app *App) *cobra.Command {
	var options index.Options
	var annotations []string
	var dryRun bool
	var trust trustFlags
	var files resultFiles
	cmd := &cobra.Command{
		Use:   "create DST SRC...",
		Short: "Create an index of images",
		Long:  indexCreateHelp,
		Args:  atLeast("DST", "SRC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			switch options.Type {
			case "", index.OCI, index.Docker:
			default:
				return usagef("--type must be oci or docker")
			}
			var err error
			if options.Annotations, err = keyValues(annotations); err != nil {
				return err
			}
			if options.Type == index.Docker && len(annotations) > 0 {
				return usagef("a Docker manifest list has no annotations; leave out --annotation or use --type oci")
			}
			dst, err := app.parseReference(args[0])
			if err != nil {
				return err
			}
			dst = withLatest(dst)
			if dst.Digest != "" {
				return usagef("%s: the digest of an index is not known before; name a tag", args[0])
			}
			app.writes(dst)
			repository, err := app.openRepository(ctx, dst)
			if err != nil {
				return err
			}
			additions, closeAll, err := app.additions(ctx, dst, args[1:], &trust)
			if err != nil {
				return err
			}
			defer closeAll()
			idx, err := index.New(ctx, repository, additions, options)
			if err != nil {
				return err
			}
			return app.putIndex(ctx, idx, dst, dst, trust, files, dryRun)
		},
	}
	flags := cmd.Flags()
	flags.StringVar((*string)(&options.Type), "type", "", "`format` of the index: oci or docker (default that of the images)")
	flags.StringArrayVar(&annotations, "annotation", nil, "annotation `KEY=VALUE` of the index; may be repeated")
	flags.BoolVar(&options.Force, "force", false, "allow several images for one platform")
	flags.BoolVar(&dryRun, "dry-run", false, "print the index and write nothing")
	trust.addSign(cmd, "sign-annotation", "")
	trust.addPolicy(cmd)
	files.add(cmd)
	return cmd
}
