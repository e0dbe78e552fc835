package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const repoTagHelp = `Add resource tags to a repository of Amazon ECR. Cost reports and permissions use them.

  ecrkit repo tag HOST/team/app team=core environment=production
  ecrkit repo tag team/app owner= --dry-run

A tag that the repository has gets the new value, others stay. These are not the tags of
images: ecrkit tag sets those.

Prints each change, or with --output json one object: dryRun, repositories (repository,
changed, changes: setting, from, to). Needs ecr:DescribeRepositories,
ecr:ListTagsForResource and ecr:TagResource.`

const repoUntagHelp = `Remove resource tags from a repository of Amazon ECR.

  ecrkit repo untag HOST/team/app environment owner

A KEY that the repository does not have is skipped. Prints and needs what ecrkit repo
tag does, with ecr:UntagResource.`

func newRepoTagCommand(app *App) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "tag NAME KEY=VALUE...",
		Short: "Add resource tags to a repository",
		Long:  repoTagHelp,
		Args:  atLeast("NAME", "KEY=VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tags := map[string]string{}
			for _, arg := range args[1:] {
				key, value, ok := strings.Cut(arg, "=")
				if !ok || key == "" {
					return usagef("%q is not KEY=VALUE; write %s=VALUE", arg, cmp.Or(key, "KEY"))
				}
				if _, twice := tags[key]; twice {
					return usagef("%q: the key %s was given before", arg, key)
				}
				tags[key] = value
			}
			return app.tagRepository(cmd.Context(), args[0], tags, nil, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func newRepoUntagCommand(app *App) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "untag NAME KEY...",
		Short: "Remove resource tags from a repository",
		Long:  repoUntagHelp,
		Args:  atLeast("NAME", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.tagRepository(cmd.Context(), args[0], nil, args[1:], dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

// tagRepository sets resource tags and removes others.
func (app *App) tagRepository(ctx context.Context, name string, set map[string]string, remove []string, dryRun bool) error {
	r, reference, err := app.openGoverned(ctx, name)
	if err != nil {
		return err
	}
	repository, err := r.Repository(ctx, reference.Repository)
	if err != nil {
		return err
	}
	has, err := r.ResourceTags(ctx, repository.ARN)
	if err != nil {
		return err
	}
	changed := changedRepository{Repository: reference.Place(), Changes: []settingChange{}}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if old, ok := has[key]; !ok || old != set[key] {
			change := settingChange{Setting: "resourceTags", To: key + "=" + set[key]}
			if ok {
				change.From = key + "=" + old
			}
			changed.Changes = append(changed.Changes, change)
		}
	}
	var gone []string
	for _, key := range remove {
		if old, ok := has[key]; ok && !slices.Contains(gone, key) {
			gone = append(gone, key)
			changed.Changes = append(changed.Changes, settingChange{Setting: "resourceTags", From: key + "=" + old})
		}
	}
	changed.Changed = len(changed.Changes) > 0
	if changed.Changed && !dryRun {
		if len(set) > 0 {
			err = r.Tag(ctx, repository.ARN, set)
		} else {
			err = r.Untag(ctx, repository.ARN, gone)
		}
		if err != nil {
			return err
		}
	}
	result := repositoryChanges{DryRun: dryRun, Repositories: []changedRepository{changed}}
	return app.PrintResult(result, result.text())
}
