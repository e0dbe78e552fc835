package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/lifecycle"
)

const repoTemplateSetHelp = `Create a repository creation template, or change an existing one.

  ecrkit repo template set team/ --for create-on-push --immutable-tags
  ecrkit repo template set ROOT HOST --for create-on-push,pull-through-cache --immutable-tags
  ecrkit repo template set team/ --policy policy.json --dry-run

PREFIX is how the names of repositories begin, or ROOT. In an existing template only
what flags name changes. To remove a setting, remove the template with ecrkit repo
template rm and create it again. A new one needs --for: create-on-push, replication,
pull-through-cache, one or more. By default its repositories have tags that can be
moved, and AES256.

A KMS key, by its ARN, and resource tags need --role, the ARN of a role with which Amazon
ECR creates the repositories: see
https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html.

Prints each change, or with --output json one object: dryRun, registry, host, changed,
changes (setting, from, to). Needs ecr:DescribeRepositoryCreationTemplates,
ecr:CreateRepositoryCreationTemplate and ecr:UpdateRepositoryCreationTemplate.`

// templateFlags are the flags of `repo template set`.
type templateFlags struct {
	purposes           []string
	description, role  string
	immutable, mutable bool
	exclusions         []string
	encryption, key    string
	tags               map[string]string
	policy, lifecycle  string // files
	dryRun             bool
}

func newRepoTemplateSetCommand(app *App) *cobra.Command {
	var f templateFlags
	cmd := &cobra.Command{
		Use:   "set PREFIX [HOST]",
		Short: "Create or change a template",
		Long:  repoTemplateSetHelp,
		Args:  arguments(1, "PREFIX", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setTemplate(cmd.Context(), args[0], optional(args, 1), f)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.purposes, "for", nil, "`when` it is applied: create-on-push, replication, pull-through-cache; may be repeated")
	completeValues(cmd, "for", []string{"create-on-push", "replication", "pull-through-cache"})
	flags.StringVar(&f.description, "description", "", "`text` that says what it is for")
	flags.BoolVar(&f.immutable, "immutable-tags", false, "keep every tag at the image that it names first")
	flags.BoolVar(&f.mutable, "mutable-tags", false, "let tags be moved to other images")
	flags.StringArrayVar(&f.exclusions, "mutability-exclusion", nil, "`pattern` of tags, with *, to which the opposite applies; may be repeated")
	flags.Var(upperCase{&f.encryption}, "encryption", "AES256, KMS or KMS_DSSE (default AES256, with --kms-key KMS)")
	flags.StringVar(&f.key, "kms-key", "", "ARN of the KMS `key` (default the AWS managed one)")
	flags.StringToStringVar(&f.tags, "repository-tag", nil, "resource tag `key=value` of the repositories; may be repeated")
	flags.Lookup("repository-tag").DefValue = "" // is not shown
	flags.StringVar(&f.policy, "policy", "", "`file` of their repository policy, - for stdin")
	flags.StringVar(&f.lifecycle, "lifecycle-policy", "", "`file` of their lifecycle policy, - for stdin")
	flags.StringVar(&f.role, "role", "", "`ARN` of the role with which they are created")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func (app *App) setTemplate(ctx context.Context, prefix, host string, f templateFlags) error {
	switch {
	case f.immutable && f.mutable:
		return usagef("--immutable-tags and --mutable-tags exclude each other")
	case f.policy == "-" && f.lifecycle == "-":
		return usagef("stdin (-) can be read once only")
	}
	// What is wrong by itself is a mistake in the command line.
	given := governance.Template{Prefix: prefix, AppliedFor: []string{"CREATE_ON_PUSH"}, TagMutability: "MUTABLE", Encryption: "AES256"}
	if err := app.applyTemplateFlags(&given, f); err != nil {
		return err
	}
	if err := given.Validate(); err != nil {
		return usageError{err}
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	before, err := r.Template(ctx, prefix)
	missing := errors.Is(err, governance.ErrNoTemplate)
	switch {
	case missing && len(f.purposes) == 0:
		return usagef("there is no template %s in %s; to create it, say with --for when it applies: create-on-push, replication, pull-through-cache", prefix, r)
	case missing:
		before = governance.Template{Prefix: prefix, TagMutability: "MUTABLE", Encryption: "AES256"}
	case err != nil:
		return err
	}
	after := before
	carryOver(&after, given, f)
	if err := after.Validate(); err != nil {
		return usageError{err}
	}
	var changes []settingChange
	if missing || !after.Equal(before) {
		changes = templateChanges(prefix, before, after, missing)
		if !f.dryRun {
			put := r.UpdateTemplate
			if missing {
				put = r.CreateTemplate
			}
			if err := put(ctx, after); err != nil {
				return err
			}
		}
	}
	result := changesOf(r, f.dryRun, changes)
	return app.PrintResult(result, result.text())
}

// applyTemplateFlags writes into t what the flags say.
func (app *App) applyTemplateFlags(t *governance.Template, f templateFlags) error {
	if len(f.purposes) > 0 {
		t.AppliedFor = nil
		for _, p := range f.purposes {
			t.AppliedFor = append(t.AppliedFor, strings.ToUpper(strings.ReplaceAll(p, "-", "_")))
		}
	}
	t.Description, t.RoleARN, t.ResourceTags = f.description, f.role, f.tags
	m := governance.Mutability{Immutable: f.immutable, Exclusions: f.exclusions}
	t.TagMutability, t.MutabilityExclusions = m.Mode(), m.Exclusions
	t.KMSKey = f.key
	switch {
	case f.encryption != "":
		t.Encryption = f.encryption
	case f.key != "":
		t.Encryption = "KMS"
	}
	if f.policy != "" {
		text, err := app.readFile(f.policy, 4*repopolicy.MaxLength)
		if err != nil {
			return usageError{err}
		}
		if _, err := repopolicy.ParseRepository(text); err != nil {
			return wrongDocument(f.policy, text, permissionsPolicy, err)
		}
		t.Policy = text
	}
	if f.lifecycle != "" {
		text, err := app.readPolicyText(f.lifecycle)
		if err != nil {
			return usageError{err}
		}
		if _, err := lifecycle.Parse(text); err != nil {
			return wrongDocument(f.lifecycle, text, lifecyclePolicy, err)
		}
		t.LifecyclePolicy = text
	}
	return nil
}

// carryOver changes what the flags are about.
func carryOver(t *governance.Template, given governance.Template, f templateFlags) {
	if len(f.purposes) > 0 {
		t.AppliedFor = given.AppliedFor
	}
	if f.description != "" {
		t.Description = given.Description
	}
	if f.role != "" {
		t.RoleARN = given.RoleARN
	}
	switch {
	case f.immutable || f.mutable:
		t.TagMutability, t.MutabilityExclusions = given.TagMutability, given.MutabilityExclusions
	case len(f.exclusions) > 0:
		m := governance.Mutability{Immutable: strings.HasPrefix(t.TagMutability, "IMMUTABLE"), Exclusions: f.exclusions}
		t.TagMutability, t.MutabilityExclusions = m.Mode(), m.Exclusions
	}
	if f.encryption != "" || f.key != "" {
		t.Encryption, t.KMSKey = given.Encryption, given.KMSKey
	}
	if len(f.tags) > 0 {
		t.ResourceTags = given.ResourceTags
	}
	if given.Policy != nil {
		t.Policy = given.Policy
	}
	if given.LifecyclePolicy != nil {
		t.LifecyclePolicy = given.LifecyclePolicy
	}
}

// templateChanges are what differs, or what there is if there was none.
func templateChanges(prefix string, before, after governance.Template, created bool) []settingChange {
	var changes []settingChange
	from, to := templateSettings(before), templateSettings(after)
	for i, s := range to {
		was := from[i].value
		if created {
			was = ""
		}
		if was == s.value || created && (s.value == "" || s.value == "-") {
			continue
		}
		changes = append(changes, settingChange{"template " + prefix + " " + s.name, was, s.value})
	}
	return changes
}
