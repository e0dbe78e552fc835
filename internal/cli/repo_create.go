package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const repoCreateHelp = `Create repositories in Amazon ECR.

  ecrkit repo create 123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app
  ecrkit repo create HOST/app HOST/db --immutable-tags --scan-on-push
  ecrkit repo create HOST/app --immutable-tags --mutability-exclusion 'dev-*' --if-missing
  ecrkit repo create HOST/app --kms-key alias/images --repository-tag team=core

A NAME without HOST is one in the registry $ECRKIT_REGISTRY. All repositories get
the same settings. One that exists already is an error (exit code 5); with
--if-missing it is left as it is, its settings too.

Prints HOST/NAME of each, or with --output json one object with "repositories": name,
host, arn, createdAt, tagMutability, mutabilityExclusions, scanOnPush, encryption,
kmsKey, created (false if it existed).`

// createdRepository is the JSON form of one repository of `repo create`.
type createdRepository struct {
	ecr.RepositoryDescription
	Created bool `json:"created"`
}

func newRepoCreateCommand(app *App) *cobra.Command {
	var settings ecr.Settings
	var ifMissing bool
	cmd := &cobra.Command{
		Use:   "create NAME...",
		Short: "Create repositories",
		Long:  repoCreateHelp,
		Args:  atLeast("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := settings.Validate(); err != nil {
				return usageError{err}
			}
			if err := (governance.Mutability{Exclusions: settings.MutabilityExclusions}).Validate(); err != nil {
				return usageError{err}
			}
			return app.createRepositories(cmd.Context(), args, settings, ifMissing)
		},
	}
	addRepositoryFlags(cmd, &settings)
	cmd.Flags().BoolVar(&ifMissing, "if-missing", false, "leave a repository that exists as it is")
	return cmd
}

func (app *App) createRepositories(ctx context.Context, names []string, settings ecr.Settings, ifMissing bool) error {
	var references []ref.Reference
	for _, name := range names {
		r, err := app.parseRepository(name)
		if err != nil {
			return err
		}
		references = append(references, r)
	}
	created := []createdRepository{}
	var text strings.Builder
	var failures []error
	for _, r := range references {
		repository, err := app.createRepository(ctx, r, settings, ifMissing)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		created = append(created, repository)
		fmt.Fprintln(&text, r.Place())
	}
	if len(created) > 0 {
		result := struct {
			Repositories []createdRepository `json:"repositories"`
		}{created}
		if err := app.PrintResult(result, text.String()); err != nil {
			return err
		}
	}
	return partly(len(created), failures)
}

func (app *App) createRepository(ctx context.Context, r ref.Reference, settings ecr.Settings, ifMissing bool) (createdRepository, error) {
	e, err := app.openECR(ctx, r)
	if err != nil {
		return createdRepository{}, err
	}
	repository, err := e.CreateRepository(ctx, settings)
	var exists *ecr.RepositoryExistsError
	if ifMissing && errors.As(err, &exists) {
		app.Messagef("repository %s exists; it is left as it is", r.Place())
		repository, err = e.Describe(ctx)
		return createdRepository{repository, false}, err
	}
	return createdRepository{repository, true}, err
}
