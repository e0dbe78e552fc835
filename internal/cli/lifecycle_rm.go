package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const lifecycleRmHelp = `Remove the lifecycle policy from repositories: no more images expire there.

  ecrkit lifecycle rm HOST/team/app
  ecrkit lifecycle rm team/app team/db --yes

On a terminal it shows the policies and asks; --yes does not ask, and is needed where
there is no terminal. --dry-run shows them and changes nothing. A repository without a
policy is not a failure. If some repositories fail, the others lose theirs (exit code
3).

Prints the policies that were removed, or with --output json one object: dryRun,
repositories (repository, changed, policy as it was or null), failed (repository, error).
Needs ecr:GetLifecyclePolicy and ecr:DeleteLifecyclePolicy.`

// removedLifecycle is the JSON form of a policy that was removed.
type removedLifecycle struct {
	Repository string          `json:"repository"`
	Changed    bool            `json:"changed"` // false if there was none
	Policy     json.RawMessage `json:"policy"`
}

func newLifecycleRmCommand(app *App) *cobra.Command {
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:     "rm REPO...",
		Aliases: []string{"delete"},
		Short:   "Remove the policy from repositories",
		Long:    lifecycleRmHelp,
		Args:    atLeast("REPO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeLifecycle(cmd.Context(), args, yes, dryRun)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be removed, and change nothing")
	return cmd
}

func (app *App) removeLifecycle(ctx context.Context, names []string, yes, dryRun bool) error {
	switch {
	case yes && dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case !yes && !dryRun && !app.Interactive:
		return usagef("lifecycle rm asks before it removes a policy, and stdin is not a terminal; pass --yes, or --dry-run to see what would be deleted")
	}
	repositories, err := app.openEach(ctx, names)
	if err != nil {
		return err
	}
	result := struct {
		DryRun       bool               `json:"dryRun"`
		Repositories []removedLifecycle `json:"repositories"`
		Failed       []failedRepository `json:"failed"`
	}{dryRun, []removedLifecycle{}, []failedRepository{}}
	var failures []error
	fail := func(place string, err error) {
		failures = append(failures, err)
		result.Failed = append(result.Failed, failedRepository{place, newFailure(place, err)})
	}
	policies := map[string]string{}
	for _, r := range repositories {
		policy, err := r.registry.LifecyclePolicy(ctx, r.name)
		switch {
		case errors.Is(err, governance.ErrNoLifecyclePolicy):
			app.Messagef("%s has no lifecycle policy", r.place)
			result.Repositories = append(result.Repositories, removedLifecycle{r.place, false, nil})
		case err != nil:
			fail(r.place, err)
		default:
			policies[r.place] = policy
			if !yes && !dryRun {
				fmt.Fprint(app.Stderr, removedPolicy(r.place, policy))
			}
		}
	}
	if !yes && !dryRun && len(policies) > 0 {
		agreed, err := app.ask(ctx, fmt.Sprintf("Remove the policy of %s?", english.Plural(len(policies), "repository", "repositories")))
		if err == nil && !agreed {
			err = errors.New("nothing was changed")
		}
		if err != nil {
			return err
		}
	}
	var text strings.Builder
	for _, r := range repositories {
		policy, ok := policies[r.place]
		if !ok {
			continue
		}
		if !dryRun {
			deleted, err := r.registry.DeleteLifecyclePolicy(ctx, r.name)
			if err != nil {
				fail(r.place, err)
				continue
			}
			policy = cmp.Or(deleted, policy) // "" if the answer was lost
		}
		removed := removedLifecycle{r.place, true, nil}
		if json.Valid([]byte(policy)) {
			removed.Policy = json.RawMessage(policy)
		}
		result.Repositories = append(result.Repositories, removed)
		text.WriteString(removedPolicy(r.place, policy))
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	for _, r := range result.Repositories {
		if r.Changed && !dryRun {
			app.Messagef("lifecycle policy removed from %s", r.Repository)
		}
	}
	if dryRun {
		app.dryRunDone()
	}
	return partly(len(result.Repositories), failures)
}

func removedPolicy(place, policy string) string {
	return fmt.Sprintf("%s:\n%s\n", place, indented(json.RawMessage(strings.TrimSpace(policy))))
}
