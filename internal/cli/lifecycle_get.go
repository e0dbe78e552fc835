package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const lifecycleGetHelp = `Show the lifecycle policies of repositories.

  ecrkit lifecycle get HOST/team/app >policy.json
  ecrkit lifecycle get team/app team/db --output json

Prints the JSON of the policy, in the form that ecrkit lifecycle put takes; of several repositories
each after a line with its name. A repository without a policy is not a failure: a message on
stderr says so. With --output json one object: repositories (repository, policy, which is null if
there is none), failed (repository, error). If some cannot be read, the others are (exit code 3).
Needs ecr:GetLifecyclePolicy.`

// repositoryLifecycle is the JSON form of the policy of a repository.
type repositoryLifecycle struct {
	Repository string          `json:"repository"` // HOST/NAME
	Policy     json.RawMessage `json:"policy"`     // null if there is none
}

func newLifecycleGetCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "get REPO...",
		Short: "Show the policies of repositories",
		Long:  lifecycleGetHelp,
		Args:  atLeast("REPO"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.getLifecycle(cmd.Context(), args) },
	}
}

func (app *App) getLifecycle(ctx context.Context, names []string) error {
	repositories, err := app.openEach(ctx, names)
	if err != nil {
		return err
	}
	result := struct {
		Repositories []repositoryLifecycle `json:"repositories"`
		Failed       []failedRepository    `json:"failed"`
	}{[]repositoryLifecycle{}, []failedRepository{}}
	var failures []error
	var text strings.Builder
	for _, r := range repositories {
		policy, err := r.registry.LifecyclePolicy(ctx, r.name)
		if err == nil && !json.Valid([]byte(policy)) {
			err = fmt.Errorf("lifecycle policy of %s: it is not JSON", r.place)
		}
		switch {
		case errors.Is(err, governance.ErrNoLifecyclePolicy):
			app.Messagef("%s has no lifecycle policy", r.place)
			result.Repositories = append(result.Repositories, repositoryLifecycle{r.place, nil})
			continue
		case err != nil:
			failures = append(failures, err)
			result.Failed = append(result.Failed, failedRepository{r.place, newFailure(r.place, err)})
			continue
		}
		result.Repositories = append(result.Repositories, repositoryLifecycle{r.place, json.RawMessage(policy)})
		if len(repositories) > 1 {
			fmt.Fprintf(&text, "%s:\n", r.place)
		}
		text.WriteString(indented(json.RawMessage(strings.TrimSpace(policy))) + "\n")
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	return partly(len(result.Repositories), failures)
}

// governedRepository is a repository that a user named.
type governedRepository struct {
	registry *governance.Registry
	name     string
	place    string // HOST/NAME
}

// openEach returns the repositories that a user names, each once.
func (app *App) openEach(ctx context.Context, names []string) ([]governedRepository, error) {
	var repositories []governedRepository
	seen := map[string]bool{}
	for _, name := range names {
		registry, reference, err := app.openGoverned(ctx, name)
		if err != nil {
			return nil, err
		}
		if place := reference.Place(); !seen[place] {
			seen[place] = true
			repositories = append(repositories, governedRepository{registry, reference.Repository, place})
		}
	}
	return repositories, nil
}
