package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

const mirrorPlanHelp = `Show what a mirror would copy, and change nothing.

  ecrkit mirror plan mirror.yaml
  ecrkit mirror plan mirror.yaml --explain
  ecrkit mirror plan mirror.yaml --save plan.json && ecrkit mirror apply plan.json

CONFIG is YAML or JSON, - is stdin (see docs/mirror.md). For each repository of a destination the
plan has the tags that would be added or moved, those that differ and stay, conflicts, the number
of tags that are equal on both sides, and what is missing there: blobs, bytes, signatures and
other referrers where both sides are Amazon ECR.

--max-delete also plans to delete, at the destinations, what the configuration does not select: at
most so many tags and untagged images in all, 10 or 10%. If it would be more, that is a conflict.
prune in the configuration and --in-use protect images. If anything cannot be planned, nothing is
deleted.

--explain shows for each tag of a source the rule that selected or dropped it. --save writes the
plan to a file, which ecrkit mirror apply does exactly or refuses. --shard 3/8 plans the third of
eight parts: see ecrkit mirror apply.

--advice makes no requests. Within one account, replication or a pull-through cache of Amazon ECR
may do the same: it prints their configuration, and which part of the mirror they cannot do.

Prints the plan, or with --output json one object: hash, config, repositories (from, to, create,
kept, images: digest, arrives, tags: tag, action: add, move, leave, conflict, previous; referrers,
referrerTypes; blobs, bytes, decisions: tag, digest, selected, rule; error) and calls. The exit
code is 5 if the plan has a conflict. If some repositories cannot be read, the others are
planned (exit code 3).`

// mirrorPlanFlags are the flags of `ecrkit mirror plan`.
type mirrorPlanFlags struct {
	explain bool
	advice  bool
	save    string
	prune   pruneFlags
	shard   shardFlag
}

func newMirrorPlanCommand(app *App) *cobra.Command {
	var f mirrorPlanFlags
	cmd := &cobra.Command{
		Use:   "plan CONFIG",
		Short: "Show what a mirror would copy",
		Long:  mirrorPlanHelp,
		Args:  arguments(0, "CONFIG"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.planMirror(cmd.Context(), args[0], f) },
	}
	cmd.Flags().BoolVar(&f.explain, "explain", false, "show which rule selected or dropped each tag")
	cmd.Flags().BoolVar(&f.advice, "advice", false, "print how Amazon ECR can do this by itself, instead of a plan")
	f.prune.add(cmd)
	f.shard.add(cmd)
	cmd.Flags().StringVar(&f.save, "save", "", "write the plan to this `file`, for ecrkit mirror apply")
	return cmd
}

func (app *App) planMirror(ctx context.Context, path string, f mirrorPlanFlags) error {
	config, err := app.readMirrorConfig(path)
	if err != nil {
		return err
	}
	if f.advice {
		settings, err := app.settings()
		if err != nil {
			return err
		}
		advice := adviseMirror(config, settings.Registries)
		return app.PrintResult(advice, mirrorAdviceText(advice))
	}
	if f.prune.pruning, err = f.prune.read(app); err != nil {
		return err
	}
	opener, err := app.mirrorOpener(nil, "")
	if err != nil {
		return err
	}
	return app.showPlan(ctx, config, opener, f)
}

// showPlan makes a plan and prints it.
func (app *App) showPlan(ctx context.Context, config mirror.Config, opener mirror.Opener, f mirrorPlanFlags) error {
	shard, err := f.shard.read(app)
	if err != nil {
		return err
	}
	if err := app.divide(shard); err != nil {
		return err
	}
	defer app.limitMemoryTo(planMemory)()
	plan, planErr := mirror.NewPlan(ctx, config, opener, mirror.Options{Now: app.Now, ManifestDir: app.manifestDir(), Prune: f.prune.pruning, Shard: shard, Drift: true})
	if err := app.writeMirrorPlan(plan, f, planErr == nil); err != nil {
		return err
	}
	app.dryRunDone()
	if planErr != nil {
		return partly(planned(plan), []error{planErr})
	}
	return plan.Err()
}

// writeMirrorPlan prints a plan, and saves it if that is asked for and it is whole.
func (app *App) writeMirrorPlan(plan mirror.Plan, f mirrorPlanFlags, whole bool) error {
	save := f.save != "" && whole
	var document []byte // large: made once, and only if it is needed
	if save || app.Output == outputJSON {
		var err error
		if document, err = json.Marshal(plan); err != nil {
			return err
		}
	}
	if save {
		out, err := app.createOutput(f.save)
		if err != nil {
			return err
		}
		if err := out.commit(append(document, '\n')); err != nil {
			return err
		}
	}
	if app.Output == outputJSON {
		return app.printJSON(document)
	}
	_, err := io.WriteString(app.Stdout, mirrorPlanText(plan, f.explain))
	return err
}

// planned is how many repositories could be planned.
func planned(p mirror.Plan) (n int) {
	for _, r := range p.Repositories {
		if r.Error == "" {
			n++
		}
	}
	return n
}

// mirrorPlanText is a plan for people.
func mirrorPlanText(p mirror.Plan, explain bool) string {
	var s strings.Builder
	for _, r := range p.Repositories {
		fmt.Fprintf(&s, "%s\n  from %s\n", r.To, r.From)
		switch {
		case r.Error != "":
			fmt.Fprintf(&s, "  not planned: %s\n", printable(r.Error))
			continue
		case r.Create:
			s.WriteString("  repository: create" + mirrorSettingsText(r.Settings) + "\n")
		}
		s.WriteString(mirrorDriftText(r))
		for _, image := range slices.SortedStableFunc(slices.Values(r.Images), compareFirstTags) {
			s.WriteString(mirrorImageText(image))
		}
		for _, d := range r.Delete {
			s.WriteString(mirrorDeletionText(d))
		}
		if r.NothingSelected() {
			s.WriteString("  " + nothingSelected(r) + "\n")
		}
		fmt.Fprintf(&s, "  %s already equal; to send: %s\n", english.Plural(r.Kept, "tag", ""), blobs(r.Blobs, r.Bytes))
		if explain { // the repository of the first destination has the decisions about a source
			for _, d := range slices.SortedFunc(slices.Values(r.Decisions), func(a, b mirror.Decision) int { return compareTags(a.Tag, b.Tag) }) {
				verdict := "dropped"
				if d.Selected {
					verdict = "selected"
				}
				fmt.Fprintf(&s, "    %-8s  %s  (%s)\n", verdict, printable(d.Tag), printable(d.Rule))
			}
		}
	}
	fmt.Fprintf(&s, "%s to add, %d to move, %d different and left, %d in conflict\n",
		english.Plural(p.Count(mirror.AddTag), "tag", ""), p.Count(mirror.MoveTag), p.Count(mirror.LeaveTag), p.Count(mirror.Conflict))
	if p.Prune != nil {
		n, present := p.Deletions()
		fmt.Fprintf(&s, "%d of %s to delete, at most %s\n", n, english.Plural(present, "tag and untagged image", "tags and untagged images"), p.Prune.MaxDelete)
	}
	least, operation := ecr.MinTimeOfRequests(p.Calls)
	if p.Shard != nil {
		fmt.Fprintf(&s, "shard %s: %d of %s\n", p.Shard.Shard, len(p.Repositories), english.Plural(p.Shard.All, "repository", "repositories"))
		least *= time.Duration(p.Shard.Count) // it has its share of the quota
	}
	if least.Seconds() >= 1 {
		fmt.Fprintf(&s, "at least %.0f s by the quota of %s\n", least.Seconds(), operation)
	}
	return s.String()
}

func compareFirstTags(a, b mirror.Image) int {
	first := func(i mirror.Image) string {
		if len(i.Tags) == 0 {
			return ""
		}
		return i.Tags[0].Tag
	}
	return compareTags(first(a), first(b))
}

// compareTags sorts images by a tag of each; "" is an image without tags, which comes last.
func compareTags(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a))
	}
	return strings.Compare(a, b)
}

func mirrorImageText(image mirror.Image) string {
	var s strings.Builder
	for _, t := range image.Tags {
		fmt.Fprintf(&s, "  %-8s  %s  %s%s", t.Action, t.Tag, showDigest(image.AtDestination(), 1), chosenOf(image))
		if t.Previous != "" {
			fmt.Fprintf(&s, " (now %s)", showDigest(t.Previous, 1))
		}
		switch {
		case t.Immutable:
			s.WriteString(", which is immutable")
		case t.Instead != "":
			fmt.Fprintf(&s, " (%s names another image)", printable(t.Instead))
		}
		s.WriteString("\n")
	}
	switch {
	case image.Referrers > 0:
		fmt.Fprintf(&s, "  %-8s  %s of %s (%s)\n", "add", english.Plural(image.Referrers, "referrer", ""), showDigest(image.Digest, 1), typesText(image.ReferrerTypes))
	case len(image.Tags) == 0:
		fmt.Fprintf(&s, "  %-8s  %s%s\n", "add", image.AtDestination(), chosenOf(image))
	}
	return s.String()
}

// chosenOf names the image of which some platforms are copied, if that changes the digest.
func chosenOf(image mirror.Image) string {
	if image.Arrives == "" {
		return ""
	}
	return fmt.Sprintf(" (some platforms of %s)", showDigest(image.Digest, 1))
}

// nothingSelected names a repository of which no tag is selected.
func nothingSelected(r mirror.Repository) string {
	return fmt.Sprintf("no tag is selected of the %d of %s; ecrkit mirror plan --explain shows why", len(r.Decisions), r.From)
}

// typesText is "1 TYPE, 2 TYPE".
func typesText(counts map[string]int) string {
	var texts []string
	for _, artifactType := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[artifactType], artifactType))
	}
	return strings.Join(texts, ", ")
}

// errConflicts is the advice for a plan with conflicts.
var errConflicts = errors.New("tags at a destination name other images; existing: overwrite in the configuration (--existing overwrite for a set) moves them unless they are immutable, skip leaves them, retag adds tags with the digest")
