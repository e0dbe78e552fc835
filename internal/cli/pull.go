package cli

import (
	"cmp"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/ref"
)

const pullHelp = `Pull an image, or an index with all its images, from Amazon ECR or another registry.

  ecrkit pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.2
  ecrkit pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 oci:mirror:app-1.2
  ecrkit pull HOST/app:1.2 docker-daemon:app:1.2 --platform linux/arm64
  ecrkit pull HOST/app:1.2 - | ssh HOST docker load
  ecrkit pull HOST/app@sha256:0123... oci-archive:app.tar --output json
  ecrkit pull HOST/app:1.2 --verify --key release.pub

DST is an OCI layout, which is created if it does not exist, an archive, or a docker daemon.
Without DST it is oci:NAME:TAG, where NAME is the last element of the repository's name. SRC
without a tag is "latest". Every byte is checked against its digest, and the image appears in DST
when it is complete. A layer is read over several connections, or from the cache of ecrkit proxy if
that has it. If a pull is interrupted, the next one resumes it.

--verify refuses an image that is not signed by one of the keys, or not as the policy requires,
before anything is written (exit code 4); see ecrkit verify. A policy that requires signatures of
the repository applies without --verify too.

` + resultHelp + "\n\n" + arrivedHelp

func newPullCommand(app *App) *cobra.Command {
	var c copying
	cmd := &cobra.Command{
		Use:   "pull SRC [DST]",
		Short: "Pull an image from Amazon ECR",
		Long:  pullHelp,
		Args:  arguments(1, "SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			references, err := app.parseTransfer(args)
			if err != nil {
				return err
			}
			src := withLatest(references[0])
			if !src.IsRepository() {
				return usagef("pull reads from a registry, and %s is not one; write HOST/REPOSITORY:TAG, or use ecrkit copy", args[0])
			}
			dst := ref.Reference{Kind: ref.KindLayout, Path: path.Base(src.Repository), Tag: src.Tag}
			if len(references) == 2 {
				dst = references[1]
			}
			if dst.IsRepository() {
				return usagef("pull writes to a file or directory, and %s is a registry; write oci:DIRECTORY[:TAG], or use ecrkit copy", args[1])
			}
			if info, err := os.Stat(c.proxyCache); c.proxyCache != "" && (err != nil || !info.IsDir()) {
				return usagef("--proxy-cache %s: there is no such directory; name that of ecrkit proxy --cache", c.proxyCache)
			}
			c.proxyCache = cmp.Or(c.proxyCache, app.defaultProxyCache())
			return c.copy(cmd.Context(), "pulled", src, []ref.Reference{dst})
		},
	}
	c.addFlags(cmd, app)
	inGroup(cmd, groupTransfer, func() {
		cmd.Flags().StringVar(&c.proxyCache, "proxy-cache", "", "`directory` of the cache of ecrkit proxy (default its default)")
	})
	inGroup(cmd, groupTrust, func() {
		c.trust.addVerify(cmd)
		c.trust.addPolicy(cmd)
	})
	return cmd
}
