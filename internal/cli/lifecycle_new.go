package cli

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleNewHelp = `Write a lifecycle policy.

  ecrkit lifecycle new --untagged-older-than 7 --keep prod=10 --keep dev=3 --any-older-than 90
  ecrkit lifecycle new --untagged-older-than 14 --archive-unused 90 --archived-older-than 365
  ecrkit lifecycle new --keep 'v*.*.*=20' --any-keep 50

The rules come in this order, so that each shields its images from those behind it:
untagged images; each --keep, in the order in which they are given; all other images;
images in the archive. --keep TAG=N is about images with a tag that begins with TAG or,
if there is a * in it, matches it; write what is longer before what it begins with, as
--keep prod-eu=5 --keep prod=10. The newest N of them stay.

Of --any-older-than, --any-keep and --archive-unused one can be given. Numbers are days,
with or without a d, and what is kept are images.

Prints the policy as Amazon ECR takes it. Warnings of lint go to stderr.`

// planFlags are the flags of `lifecycle new`.
type planFlags struct {
	untagged, anyAge, unused, archived string
	keep                               []string
	anyKeep                            int
}

func newLifecycleNewCommand(app *App) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Write a policy",
		Long:  lifecycleNewHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.newPolicy(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.untagged, "untagged-older-than", "", "expire untagged images pushed more than so many `days` ago")
	flags.StringArrayVar(&f.keep, "keep", nil, "keep the newest n images with such a tag, `tag=n`; may be repeated")
	flags.StringVar(&f.anyAge, "any-older-than", "", "expire all other images pushed more than so many `days` ago")
	numberVar(flags, &f.anyKeep, "any-keep", 1, math.MaxInt32, "keep the newest `n` of all images")
	flags.StringVar(&f.unused, "archive-unused", "", "archive all other images not pulled for so many `days`")
	flags.StringVar(&f.archived, "archived-older-than", "", "expire images archived more than so many `days` ago (90 or more)")
	return cmd
}

func (app *App) newPolicy(cmd *cobra.Command, f planFlags) error {
	plan, err := f.plan(cmd)
	if err != nil {
		return err
	}
	policy, err := plan.Policy()
	if err != nil {
		return usageError{err}
	}
	text, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		return err
	}
	for _, p := range lifecycle.Lint(text) {
		app.Messagef("%s: %s", p.Severity, printable(p.String()))
	}
	_, err = app.Stdout.Write(append(text, '\n'))
	return err
}

func (f planFlags) plan(cmd *cobra.Command) (lifecycle.Retention, error) {
	var p lifecycle.Retention
	given, all := 0, 0
	for _, name := range []string{"untagged-older-than", "keep", "any-older-than", "any-keep", "archive-unused", "archived-older-than"} {
		if cmd.Flags().Changed(name) {
			given++
			if strings.HasPrefix(name, "any-") || name == "archive-unused" {
				all++
			}
		}
	}
	switch {
	case given == 0:
		return p, usagef("no rule; see ecrkit lifecycle new --help")
	case all > 1:
		return p, usagef("of --any-older-than, --any-keep and --archive-unused one can be given: there can be one rule about all images")
	case cmd.Flags().Changed("any-keep") && f.anyKeep < 1:
		return p, usagef("--any-keep %d is less than 1", f.anyKeep)
	}
	p.AnyKeep = f.anyKeep
	for _, days := range []struct {
		name, text string
		into       *int
	}{
		{"untagged-older-than", f.untagged, &p.UntaggedDays}, {"any-older-than", f.anyAge, &p.AnyDays},
		{"archive-unused", f.unused, &p.ArchiveUnusedDays}, {"archived-older-than", f.archived, &p.ArchivedDays},
	} {
		if !cmd.Flags().Changed(days.name) {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(days.text, "d"), 10, 31)
		if err != nil || n == 0 {
			return p, usagef("--%s %q is no number of days", days.name, days.text)
		}
		*days.into = int(n)
	}
	for _, text := range f.keep {
		tag, number, _ := strings.Cut(text, "=")
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil || n == 0 || tag == "" {
			return p, usagef("--keep %q is not TAG=N; prod=10 is", text)
		}
		p.Keep = append(p.Keep, lifecycle.KeepTagged{Tag: tag, Count: int(n)})
	}
	return p, nil
}
