package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const repoSetHelp = `Change settings of repositories of Amazon ECR.

  ecrkit repo set HOST/team/app --immutable-tags
  ecrkit repo set team/app team/db --immutable-tags --mutability-exclusion 'dev-*'
  ecrkit repo set team/app --mutable-tags --dry-run

--immutable-tags keeps every tag at the image that it names, --mutable-tags lets all be
moved. A --mutability-exclusion is a pattern of tags, with *, to which the opposite
applies; at most five with two * each. With --immutable-tags or --mutable-tags, only the
exclusions in the command count; alone they replace the existing ones.

--scan-on-push sets the repository's own scan on push, --scan-on-push=false removes it.
Amazon ECR has deprecated it: the registry as a whole has rules for what is scanned
(ecrkit repo scanning), and where one of them matches, that applies.

Encryption and its key are fixed when a repository is created. Other settings have
commands of their own: ecrkit repo policy, tag and untag, ecrkit lifecycle.

--dry-run shows what would change. Prints each change, or with --output json one object:
dryRun, repositories (repository, changed, changes: setting, from, to). If some cannot be
changed, the others are (exit code 3).`

// repoSetFlags are the flags of `ecrkit repo set`.
type repoSetFlags struct {
	immutable, mutable bool
	exclusions         []string
	scanOnPush         *bool // nil if it was not given
	encryption, key    string
	dryRun             bool
}

func newRepoSetCommand(app *App) *cobra.Command {
	var f repoSetFlags
	var scanOnPush bool
	cmd := &cobra.Command{
		Use:   "set NAME...",
		Short: "Change settings of repositories",
		Long:  repoSetHelp,
		Args:  atLeast("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("scan-on-push") {
				f.scanOnPush = &scanOnPush
			}
			return app.setRepositories(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.immutable, "immutable-tags", false, "keep every tag at the image that it names")
	flags.BoolVar(&f.mutable, "mutable-tags", false, "let tags be moved to other images")
	flags.StringArrayVar(&f.exclusions, "mutability-exclusion", nil, "`pattern` of tags, with *, to which the opposite applies; may be repeated")
	flags.BoolVar(&scanOnPush, "scan-on-push", false, "have images scanned when they arrive (deprecated: see ecrkit repo scanning)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	// These are there to say why they are not.
	flags.StringVar(&f.encryption, "encryption", "", "")
	flags.StringVar(&f.key, "kms-key", "", "")
	_ = flags.MarkHidden("encryption")
	_ = flags.MarkHidden("kms-key")
	return cmd
}

func (f repoSetFlags) check() error {
	switch {
	case f.encryption != "" || f.key != "":
		return usagef("the encryption of a repository is fixed when it is created; create another with `ecrkit repo create --kms-key`, and copy the images with `ecrkit copy --all-tags`")
	case f.immutable && f.mutable:
		return usagef("--immutable-tags and --mutable-tags exclude each other")
	case !f.immutable && !f.mutable && len(f.exclusions) == 0 && f.scanOnPush == nil:
		return usagef("nothing to set; pass --immutable-tags, --mutable-tags, --mutability-exclusion or --scan-on-push")
	}
	if err := (governance.Mutability{Exclusions: f.exclusions}).Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

// mutability is the wanted one of a repository that has this one.
func (f repoSetFlags) mutability(has governance.Mutability) governance.Mutability {
	switch {
	case f.immutable || f.mutable:
		return governance.Mutability{Immutable: f.immutable, Exclusions: f.exclusions}
	case len(f.exclusions) > 0:
		return governance.Mutability{Immutable: has.Immutable, Exclusions: f.exclusions}
	}
	return has
}

func (app *App) setRepositories(ctx context.Context, names []string, f repoSetFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.scanOnPush != nil {
		app.Messagef("scan on push of single repositories is deprecated; `ecrkit repo scanning add --on-push NAME` has the registry scan them")
	}
	result := repositoryChanges{DryRun: f.dryRun, Repositories: []changedRepository{}}
	var failures []error
	for _, name := range names {
		r, reference, err := app.openGoverned(ctx, name)
		if err != nil {
			return err
		}
		changed, err := setRepository(ctx, r, reference, f)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		result.Repositories = append(result.Repositories, changed)
	}
	if len(result.Repositories) > 0 {
		if err := app.PrintResult(result, result.text()); err != nil {
			return err
		}
	}
	return partly(len(result.Repositories), failures)
}

func setRepository(ctx context.Context, r *governance.Registry, reference ref.Reference, f repoSetFlags) (changedRepository, error) {
	changed := changedRepository{Repository: reference.Place(), Changes: []settingChange{}}
	repository, err := r.Repository(ctx, reference.Repository)
	if err != nil {
		return changed, err
	}
	has := governance.MutabilityOf(repository)
	if m := f.mutability(has); !m.Equal(has) {
		changed.Changes = append(changed.Changes, settingChange{"tagMutability", has.String(), m.String()})
		if !f.dryRun {
			if err := r.SetMutability(ctx, repository.Name, m); err != nil {
				return changed, err
			}
		}
	}
	if on := f.scanOnPush; on != nil && *on != repository.ScanOnPush {
		changed.Changes = append(changed.Changes, settingChange{"scanOnPush", strconv.FormatBool(repository.ScanOnPush), strconv.FormatBool(*on)})
		if !f.dryRun {
			if err := r.SetScanOnPush(ctx, repository.Name, *on); err != nil {
				return changed, err
			}
		}
	}
	changed.Changed = len(changed.Changes) > 0
	return changed, nil
}
