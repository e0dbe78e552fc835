package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
)

const mirrorReportHelp = `Merge the reports of the shards of a mirror into one, and check that nothing is missing.

  ecrkit mirror apply mirror.yaml --shard 1/2 --output json > shard-1.json   on one machine
  ecrkit mirror apply mirror.yaml --shard 2/2 --output json > shard-2.json   on another one
  ecrkit mirror report shard-1.json shard-2.json

FILE is what ecrkit mirror apply --output json wrote with --shard, or a log that has it, - is stdin.
A shard that was run again may have several reports: the last one says what failed.

Prints a line DIGEST and DESTINATION for each image, or with --output json one object: deal,
shards, missing, repositories, kept, images, deleted and failed, as ecrkit mirror apply prints
them, and unfinished: shard and error of those that ended with another error, such as one of a
deletion. --junit FILE also writes them in JUnit XML. The exit code is 3 if an image, a repository
or a deletion failed, if a shard has no report, or if the shards divided the work in different ways.`

func newMirrorReportCommand(app *App) *cobra.Command {
	var f junitFile
	cmd := &cobra.Command{
		Use:   "report FILE...",
		Short: "Merge the reports of the shards of a mirror",
		Long:  mirrorReportHelp,
		Args:  atLeast("FILE"),
		RunE:  func(_ *cobra.Command, args []string) error { return app.mergeMirrorReports(args, &f) },
	}
	f.add(cmd)
	return cmd
}

func (app *App) mergeMirrorReports(paths []string, file *junitFile) error {
	var reports []mirror.ReportFile
	for _, path := range paths {
		in, closeFile, err := app.openInput(path)
		if err != nil {
			return err
		}
		read, err := mirror.ReadReports(in, showFile(path))
		closeFile()
		if err != nil {
			return err
		}
		reports = append(reports, read...)
	}
	if err := file.create(app); err != nil {
		return err
	}
	merged, err := mirror.MergeReports(reports)
	file.addMerged(merged, err)
	if failed := file.end(nil); failed != nil {
		return failed
	}
	var text strings.Builder
	for _, image := range merged.Copied {
		fmt.Fprintf(&text, "%s  %s\n", image.Digest, printable(image.To+tagList(image.Tags)))
	}
	for _, d := range merged.Deleted {
		fmt.Fprintf(&text, "deleted  %s%s\n", d.Repository, printable(d.ImageName.String()))
	}
	if err := app.PrintResult(merged, text.String()); err != nil {
		return err
	}
	app.Messagef("%s of %s: mirrored %s; %s already equal", english.Plural(merged.Shards-len(merged.Missing), "shard", ""),
		english.Plural(merged.Repositories, "repository", "repositories"), english.Plural(len(merged.Copied), "image", ""), english.Plural(merged.Kept, "tag", ""))
	if err != nil {
		return partlyError{err}
	}
	return nil
}
