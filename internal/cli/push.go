package cli

import (
	"github.com/spf13/cobra"
)

const pushHelp = `Push an image, or an index with all its images, to Amazon ECR or another registry.

  ecrkit push oci:build:1.2 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit push docker-daemon:app:1.2 HOST/app:1.2 HOST/app:latest OTHER-HOST/app:1.2
  docker save app:1.2 | ecrkit push - HOST/app:1.2
  ecrkit push build HOST/app:1.2 --create-repository --output json
  ecrkit push oci:build HOST/app:1.2 --sign alias/release -a commit=3f2a91c
  ecrkit push oci:build HOST/app:1.2 --scan-gate scan-policy.yaml --scan-report scan.html

SRC is read once, for all tags, repositories and regions that you push it to. It is an OCI
layout, an archive, or an image in a docker daemon; without a tag it must hold exactly one image.
Layers that exist in the repository are not sent again. Manifests arrive byte for byte, so the
digest stays. Uncompressed layers from docker are compressed on all cores (--compression). A DST
without a tag is pushed as "latest"; with a digest only, under that digest. A DST with a digest
accepts that image only.

A blob of up to 10 MiB is uploaded to Amazon ECR with one POST and one PUT, a larger layer in
parts over several connections. If a push is interrupted, the next one sends only the missing
parts. Near the registry, --upload auto measures with the first layer of 64 MiB or more whether one
PUT is as fast; layers that are sent with one PUT do not resume. --upload native sends parts always,
--upload v2 one PUT always. If one DST fails, the others still get the image (exit code 3).

--sign KEY signs the image at DST before the tag is set, so nobody finds it unsigned. If it cannot
be signed, no tag is set. See ecrkit sign for keys and formats. Without --sign the policy decides
whether to sign.

` + scanGateFlagHelp + `

` + resultHelp + "\n\n" + arrivedHelp + "\n\n" + visibleHelp

func newPushCommand(app *App) *cobra.Command {
	c := copying{publishes: true}
	cmd := &cobra.Command{
		Use:   "push SRC DST...",
		Short: "Push an image to Amazon ECR",
		Long:  pushHelp,
		Args:  atLeast("SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			references, err := app.parseReferences(args)
			if err != nil {
				return err
			}
			for i, dst := range references[1:] {
				if !dst.IsRepository() {
					return usagef("push goes to a registry, and %s is not one; write HOST/REPOSITORY:TAG, or use ecrkit copy", args[i+1])
				}
			}
			return c.copy(cmd.Context(), "pushed", references[0], references[1:])
		},
	}
	c.addFlags(cmd, app)
	inGroup(cmd, groupPipeline, func() { c.addVisibleFlag(cmd) })
	inGroup(cmd, groupScan, func() { c.scans.add(cmd) })
	inGroup(cmd, groupTrust, func() {
		c.trust.addSign(cmd, "annotation", "a")
		c.trust.addPolicy(cmd)
	})
	return cmd
}
