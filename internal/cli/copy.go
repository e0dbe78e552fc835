package cli

import (
	"github.com/spf13/cobra"
)

const copyHelp = `Copy an image, or an index with all its images, from anywhere to anywhere.

  ecrkit copy ghcr.io/team/app:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit copy HOST/app:1.2 OTHER-HOST/app:1.2 --referrers
  ecrkit copy HOST/app oci:backup --all-tags
  ecrkit copy HOST/db oci:backup --all-tags --tag-prefix db-
  ecrkit copy docker-archive:app.tar oci:app:1.2
  ecrkit copy HOST/app:1.2 OTHER-HOST/app:1.2 --verify --key release.pub --sign alias/mirror

SRC and DST are references of any kind (see ecrkit --help). Manifests arrive byte for byte, so
digests stay. Content that DST has is not sent again. A blob in another repository of the same
registry is mounted if Amazon ECR is set to allow it.

--all-tags copies every tag of SRC, which then has no tag itself, under the same name, or with
--tag-prefix PREFIX under that name behind PREFIX. In a layout or an archive, a tag that names
another image is not moved (exit code 5) unless you pass --force: it may be that of another
repository. A tag that you name yourself is moved, and a message says what it named before.

--platform linux/amd64 copies that image of an index. Several platforms copy an index of only
those, which has another digest; --keep-digest refuses that. --referrers also copies signatures,
attestations and SBOMs of the image and of the images of an index: manifests whose subject is the
image, and what cosign stores under the tags sha256-….sig, .att and .sbom. Existing signatures in
DST are kept. With --all-tags such a tag is copied with its image, and left out if its image is
not copied.

--verify refuses SRC unless it is signed, before anything is written (exit code 4). --sign signs
it at DST before the tag is set. See ecrkit verify and ecrkit sign. What the policy requires of
either side applies without these flags too.

` + scanGateFlagHelp + `

` + resultHelp + "\n\n" + arrivedHelp + "\n\n" + visibleHelp

func newCopyCommand(app *App) *cobra.Command {
	var c copying
	var tags allTagsFlags
	cmd := &cobra.Command{
		Use:   "copy SRC DST",
		Short: "Copy an image from anywhere to anywhere",
		Long:  copyHelp,
		Args:  arguments(0, "SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			references, err := app.parseTransfer(args)
			if err != nil {
				return err
			}
			if err := tags.check(); err != nil {
				return err
			}
			if tags.all && c.assert != "" {
				return usagef("--assert-digest is about one image, and --all-tags copies all")
			}
			if tags.all {
				return c.copyTags(cmd.Context(), references[0], references[1], tags)
			}
			return c.copy(cmd.Context(), "copied", references[0], references[1:])
		},
	}
	c.addFlags(cmd, app)
	inGroup(cmd, groupPipeline, func() { c.addVisibleFlag(cmd) })
	inGroup(cmd, groupScan, func() { c.scans.add(cmd) })
	inGroup(cmd, groupTrust, func() {
		c.trust.addVerify(cmd)
		c.trust.addSign(cmd, "annotation", "a")
		c.trust.addPolicy(cmd)
	})
	tags.add(cmd)
	inGroup(cmd, groupPipeline, func() {
		cmd.Flags().StringVar(&c.assert, "assert-digest", "", "copy only the image with this `DIGEST`, and read it back by the tag of DST")
	})
	return cmd
}
