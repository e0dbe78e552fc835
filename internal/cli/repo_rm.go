package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const repoRmHelp = `Delete repositories of Amazon ECR.

  ecrkit repo rm HOST/team/old
  ecrkit repo rm team/old team/older --force --dry-run
  ecrkit repo rm team/old --force --yes

A repository with images, also archived ones, is deleted only with --force, and they
with it (exit code 5 otherwise). This cannot be undone. Single images are deleted by
ecrkit rm.

On a terminal it shows what goes and asks; --yes does not ask, and is needed where there
is no terminal. --dry-run shows it and deletes nothing. If some cannot be deleted, the
others are (exit code 3).

Prints what was deleted, or with --output json one object: dryRun, deleted (repository,
images, size in bytes), failed (repository, error). Needs ecr:DescribeRepositories,
ecr:DescribeImages and ecr:DeleteRepository.`

// repoRmFlags are the flags of `ecrkit repo rm`.
type repoRmFlags struct{ force, yes, dryRun bool }

func newRepoRmCommand(app *App) *cobra.Command {
	var f repoRmFlags
	cmd := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"delete"},
		Short:   "Delete repositories",
		Long:    repoRmHelp,
		Args:    atLeast("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return app.removeRepositories(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.force, "force", false, "delete the images too")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be deleted, and delete nothing")
	return cmd
}

// repositoryRemoval is a repository that is to go.
type repositoryRemoval struct {
	registry  *governance.Registry
	reference ref.Reference
	governance.Content
}

// removedRepositories is the JSON form of the result of `repo rm`.
type removedRepositories struct {
	DryRun  bool                `json:"dryRun"`
	Deleted []removedRepository `json:"deleted"`
	Failed  []failedRepository  `json:"failed"`
}

type removedRepository struct {
	Repository string `json:"repository"` // HOST/NAME
	Images     int    `json:"images"`
	Size       int64  `json:"size"` // bytes of all images
}

type failedRepository struct {
	Repository string  `json:"repository"`
	Error      failure `json:"error"`
}

func (app *App) removeRepositories(ctx context.Context, names []string, f repoRmFlags) error {
	switch {
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case !f.yes && !f.dryRun && !app.Interactive:
		return usagef("repo rm asks before it deletes, and stdin is not a terminal; pass --yes, or --dry-run to see what would be deleted")
	}
	result := removedRepositories{DryRun: f.dryRun, Deleted: []removedRepository{}, Failed: []failedRepository{}}
	var failures []error
	fail := func(place string, err error) {
		failures = append(failures, err)
		result.Failed = append(result.Failed, failedRepository{place, newFailure(place, err)})
	}
	removals, err := app.repositoryRemovals(ctx, names, f, fail)
	if err != nil {
		return err
	}
	t := table{header: []string{"REPOSITORY", "IMAGES", "SIZE"}}
	for _, removal := range removals {
		t.add(removal.reference.Place(), fmt.Sprint(removal.Images), showSize(removal.Bytes))
	}
	if !f.yes && !f.dryRun && len(removals) > 0 {
		if err := t.print(app.Stderr, app.terminalColumns()); err != nil {
			return err
		}
		yes, err := app.ask(ctx, deleteQuestion(removals))
		if err == nil && !yes {
			err = errors.New("nothing was deleted")
		}
		if err != nil {
			return err
		}
	}
	t.rows = nil
	for _, removal := range removals {
		place := removal.reference.Place()
		if !f.dryRun {
			if err := removal.registry.DeleteRepository(ctx, removal.reference.Repository, f.force); err != nil {
				if errors.Is(err, governance.ErrNotEmpty) { // images were pushed since they were counted
					err = fmt.Errorf("%w; --force deletes them too", err)
				}
				fail(place, err)
				continue
			}
		}
		result.Deleted = append(result.Deleted, removedRepository{place, removal.Images, removal.Bytes})
		t.add(place, fmt.Sprint(removal.Images), showSize(removal.Bytes))
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	for _, r := range result.Deleted {
		switch {
		case f.dryRun:
		case r.Images > 0:
			app.Messagef("deleted repository %s and its %s", r.Repository, english.Plural(r.Images, "image", ""))
		default:
			app.Messagef("deleted repository %s", r.Repository)
		}
	}
	if f.dryRun {
		app.dryRunDone()
	}
	return partly(len(result.Deleted), failures)
}

// repositoryRemovals finds out what may be deleted, and calls fail for what may not.
func (app *App) repositoryRemovals(ctx context.Context, names []string, f repoRmFlags, fail func(string, error)) ([]repositoryRemoval, error) {
	var removals []repositoryRemoval
	seen := map[string]bool{}
	for _, name := range names {
		r, reference, err := app.openGoverned(ctx, name)
		if err != nil {
			return nil, err
		}
		if place := reference.Place(); seen[place] {
			continue
		}
		seen[reference.Place()] = true
		content, err := r.Content(ctx, reference.Repository)
		switch {
		case err != nil:
			fail(reference.Place(), err)
		case content.Images > 0 && !f.force:
			fail(reference.Place(), gatef("repository %s has %s; --force deletes them too", reference.Place(), english.Plural(content.Images, "image", "")))
		default:
			removals = append(removals, repositoryRemoval{r, reference, content})
		}
	}
	return removals, nil
}

func deleteQuestion(removals []repositoryRemoval) string {
	images := 0
	for _, r := range removals {
		images += r.Images
	}
	question := "Delete " + english.Plural(len(removals), "repository", "repositories")
	if images > 0 {
		question += " and " + english.Plural(images, "image", "")
	}
	return question + "?"
}
