package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const rmHelp = `Delete images and tags from repositories of Amazon ECR, other registries and OCI
layouts.

  ecrkit rm 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit rm HOST/app@sha256:0123... HOST/db:old --yes
  ecrkit rm HOST/app:1.2@sha256:0123... --dry-run

REF:TAG removes that tag. If the image has other tags, it stays under them; with its
last tag it is deleted.
REF@DIGEST deletes the image with all its tags.
REF:TAG@DIGEST removes the tag if it names that image, and fails otherwise.

An image that an index names cannot be deleted before the index; given together,
the index goes first. This cannot be undone.

On a terminal it shows what goes and asks; --yes does not ask, and is needed where
there is no terminal. --dry-run shows it and deletes nothing. Several REFs of one
repository are deleted with one call for each 100. If some cannot be deleted, the
others are (exit code 3).

Other registries get one request for each REF. Many of them delete by digest only,
or nothing at all, and with some a tag takes its image along.

In an OCI layout the entry in index.json is removed; its blobs stay, since another
process may be using them. ecrkit copy --all-tags to a new layout leaves them behind.

Prints what was deleted, or with --output json one object: dryRun, deleted
(repository, tag, digest), failed (reference, error).`

// rmFlags are the flags of `ecrkit rm`.
type rmFlags struct{ yes, dryRun, ignoreMissing bool }

func newRmCommand(app *App) *cobra.Command {
	var f rmFlags
	cmd := &cobra.Command{
		Use:     "rm REF...",
		Aliases: []string{"delete"},
		Short:   "Delete images and tags",
		Long:    rmHelp,
		Args:    atLeast("REF"),
		RunE:    func(cmd *cobra.Command, args []string) error { return app.remove(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be deleted, and delete nothing")
	flags.BoolVar(&f.ignoreMissing, "ignore-missing", false, "succeed if an image does not exist")
	return cmd
}

// removal is what is deleted in one place.
type removal struct {
	place  content.Deleter
	prefix string // the place, in what is printed
	names  []content.ImageName
}

// removed is the JSON form of the result of rm.
type removed struct {
	DryRun  bool            `json:"dryRun"`
	Deleted []deletedImage  `json:"deleted"`
	Failed  []failedRemoval `json:"failed"`
}

type deletedImage struct {
	Repository string `json:"repository"`
	content.ImageName
}

type failedRemoval struct {
	Reference string  `json:"reference"`
	Error     failure `json:"error"`
}

func (app *App) remove(ctx context.Context, args []string, f rmFlags) error {
	if f.yes && f.dryRun {
		return usagef("--yes and --dry-run exclude each other")
	}
	if !f.yes && !f.dryRun && !app.Interactive {
		return usagef("rm asks before it deletes, and stdin is not a terminal; pass --yes, or --dry-run to see what would be deleted")
	}
	removals, err := app.removals(ctx, args)
	if err != nil {
		return err
	}
	if !f.yes {
		goOn, err := app.previewRemoval(ctx, removals, f)
		if err != nil || !goOn {
			return err
		}
	}
	result := removed{Deleted: []deletedImage{}, Failed: []failedRemoval{}}
	var failures []error
	for _, r := range removals {
		deletions, err := r.place.Delete(ctx, r.names)
		for _, n := range deletions.Deleted {
			result.Deleted = append(result.Deleted, deletedImage{r.prefix, n})
		}
		for _, failure := range deletions.Failures {
			if f.ignoreMissing && errors.Is(failure, content.ErrNotFound) {
				app.Messagef("%v", failure)
				continue
			}
			failures = append(failures, failure)
			result.Failed = append(result.Failed, failedRemoval{r.prefix + failure.Name.String(), newFailure(r.prefix+failure.Name.String(), failure)})
		}
		if err != nil {
			failures = append(failures, err)
			result.Failed = append(result.Failed, failedRemoval{r.prefix, newFailure(r.prefix, err)})
		}
	}
	if err := app.PrintResult(result, removedText(result.Deleted)); err != nil {
		return err
	}
	for _, d := range result.Deleted {
		if d.Tag != "" {
			app.Messagef("removed tag %s:%s", d.Repository, d.Tag)
		} else {
			app.Messagef("deleted image %s@%s", d.Repository, d.Digest)
		}
	}
	return partly(len(result.Deleted), failures)
}

// removals puts the references of each place together, in their order.
func (app *App) removals(ctx context.Context, args []string) ([]removal, error) {
	var removals []removal
	index := map[string]int{}
	references, err := app.parseReferences(args)
	if err != nil {
		return nil, err
	}
	for i, r := range references {
		name := content.ImageName{Tag: r.Tag, Digest: r.Digest}
		switch {
		case !r.IsRepository() && r.Kind != ref.KindLayout:
			return nil, usagef("%s: rm deletes from repositories and from OCI layouts", args[i])
		case name == (content.ImageName{}):
			return nil, usagef("%s: say what to delete: %s:TAG or %s@DIGEST", args[i], r.Place(), r.Place())
		}
		at, known := index[r.Place()]
		if !known {
			place, err := app.openDeleter(ctx, r)
			if err != nil {
				return nil, err
			}
			at = len(removals)
			index[r.Place()] = at
			removals = append(removals, removal{place: place, prefix: r.Place()})
		}
		removals[at].names = append(removals[at].names, name)
	}
	return removals, nil
}

func (app *App) openDeleter(ctx context.Context, r ref.Reference) (content.Deleter, error) {
	switch r.Kind {
	case ref.KindLayout:
		return layout.New(r.Path), nil
	case ref.KindRegistry:
		return app.openRegistry(ctx, r)
	}
	return app.openECR(ctx, r)
}

// previewRemoval shows what goes, and without --dry-run asks whether it may.
func (app *App) previewRemoval(ctx context.Context, removals []removal, f rmFlags) (goOn bool, err error) {
	result := removed{DryRun: true, Deleted: []deletedImage{}, Failed: []failedRemoval{}}
	var failures []error
	var text strings.Builder
	t := table{header: []string{"IMAGE", "DIGEST", "SIZE", "PUSHED", "WHAT GOES"}, wrap: true}
	for _, r := range removals {
		plan, err := r.place.PlanDelete(ctx, r.names)
		if err != nil {
			return false, err
		}
		for _, p := range plan.Images {
			t.add(r.prefix, showDigest(p.Digest, app.terminalColumns()), showSize(p.Size), app.age(p.PushedAt), whatGoes(p))
			for _, tag := range p.Removed {
				result.Deleted = append(result.Deleted, deletedImage{r.prefix, content.ImageName{Tag: tag, Digest: p.Digest}})
			}
			if len(p.Removed) == 0 {
				result.Deleted = append(result.Deleted, deletedImage{r.prefix, content.ImageName{Digest: p.Digest}})
			}
		}
		for _, n := range plan.Missing {
			failure := fmt.Errorf("%s%s: %w", r.prefix, n, content.ErrNotFound)
			if f.ignoreMissing {
				app.Messagef("%v", failure)
				continue
			}
			failures = append(failures, failure)
			result.Failed = append(result.Failed, failedRemoval{r.prefix + n.String(), newFailure(r.prefix+n.String(), failure)})
		}
	}
	if f.dryRun {
		if err := t.print(&text, app.columns()); err != nil {
			return false, err
		}
		if err := app.PrintResult(result, text.String()); err != nil {
			return false, err
		}
		app.dryRunDone()
		return false, partly(len(result.Deleted), failures)
	}
	if len(t.rows) == 0 {
		return false, errors.Join(failures...)
	}
	for _, failure := range failures {
		fmt.Fprintln(app.Stderr, failure)
	}
	if err := t.print(app.Stderr, app.terminalColumns()); err != nil {
		return false, err
	}
	yes, err := app.ask(ctx, fmt.Sprintf("Delete %s?", english.Plural(len(result.Deleted), "tag or image", "tags and images")))
	if err == nil && !yes {
		err = errors.New("nothing was deleted")
	}
	return yes, err
}

// whatGoes reports what would become of an image.
func whatGoes(p content.PlannedDeletion) string {
	var stay []string
	for _, tag := range p.Tags {
		if !slices.Contains(p.Removed, tag) {
			stay = append(stay, tag)
		}
	}
	switch {
	case p.Whole && len(p.Removed) == 0:
		return "the image (no tag)"
	case p.Whole:
		return "the image and its " + tags(p.Removed)
	}
	if len(stay) == 0 { // a registry that does not tell of others
		return tags(p.Removed)
	}
	return fmt.Sprintf("%s; it stays as %s", tags(p.Removed), showTags(stay))
}

// tags returns tags with the noun.
func tags(names []string) string {
	return english.PluralWord(len(names), "tag", "") + " " + showTags(names)
}

func removedText(deleted []deletedImage) string {
	var text strings.Builder
	for _, d := range deleted {
		name := d.ImageName
		name.Digest = ""
		if d.Tag == "" {
			name.Digest = d.Digest
		}
		fmt.Fprintf(&text, "%s  %s%s\n", d.Digest, d.Repository, name)
	}
	return text.String()
}
