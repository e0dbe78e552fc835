package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const repoTemplateHelp = `Repository creation templates: with which settings Amazon ECR creates repositories
itself.

  ecrkit repo template set team/ --for create-on-push --lifecycle-policy policy.json
  ecrkit repo template ls
  ecrkit repo template get team/
  ecrkit repo template rm team/

It creates one when an image is pushed to a repository that does not exist
(create-on-push), when an image is replicated, or pulled through the cache. Without a
template for create-on-push such a push fails. PREFIX is how the names begin; the
longest that fits is used, and ROOT for all other names. Existing repositories do not
change.

HOST is the registry; without it that is $ECRKIT_REGISTRY. The identity in use must be of
the registry's own account.`

const repoTemplateLsHelp = `List the repository creation templates of a registry.

  ecrkit repo template ls 123456789012.dkr.ecr.us-east-1.amazonaws.com

Prints a table, or with --output json one object: registry (ACCOUNT/REGION), host,
templates (prefix, description, appliedFor, tagMutability, mutabilityExclusions,
encryption, kmsKey, resourceTags, policy, lifecyclePolicy, customRoleArn, createdAt,
updatedAt; policies are null if there is none). Needs
ecr:DescribeRepositoryCreationTemplates.`

const repoTemplateGetHelp = `Show a repository creation template.

  ecrkit repo template get team/
  ecrkit repo template get ROOT HOST --output json

Prints its settings, or with --output json the one of ecrkit repo template ls. Needs
ecr:DescribeRepositoryCreationTemplates.`

const repoTemplateRmHelp = `Delete a repository creation template. Repositories made by it stay.

  ecrkit repo template rm team/
  ecrkit repo template rm ROOT HOST --yes

On a terminal it asks; --yes does not, and is needed where there is no terminal.
Prints what was deleted, or with --output json the one object that ecrkit repo template
set prints. Needs ecr:DescribeRepositoryCreationTemplates and
ecr:DeleteRepositoryCreationTemplate.`

func newRepoTemplateCommand(app *App) *cobra.Command {
	ls := &cobra.Command{
		Use:     "ls [HOST]",
		Aliases: []string{"list"},
		Short:   "List the templates of a registry",
		Long:    repoTemplateLsHelp,
		Args:    arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.listTemplates(cmd.Context(), optional(args, 0))
		},
	}
	get := &cobra.Command{
		Use:   "get PREFIX [HOST]",
		Short: "Show a template",
		Long:  repoTemplateGetHelp,
		Args:  arguments(1, "PREFIX", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.getTemplate(cmd.Context(), args[0], optional(args, 1))
		},
	}
	var yes bool
	rm := &cobra.Command{
		Use:     "rm PREFIX [HOST]",
		Aliases: []string{"delete"},
		Short:   "Delete a template",
		Long:    repoTemplateRmHelp,
		Args:    arguments(1, "PREFIX", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeTemplate(cmd.Context(), args[0], optional(args, 1), yes)
		},
	}
	rm.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return newGroup("template", "Manage the templates for repositories that Amazon ECR creates", repoTemplateHelp,
		ls, get, newRepoTemplateSetCommand(app), rm)
}

// registryTemplates is the JSON form of the templates of a registry.
type registryTemplates struct {
	Registry  string                `json:"registry"`
	Host      string                `json:"host"`
	Templates []governance.Template `json:"templates"`
}

func (app *App) listTemplates(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	templates, err := r.Templates(ctx)
	if err != nil {
		return err
	}
	if len(templates) == 0 {
		app.Messagef("%s has no repository creation templates", r)
	}
	t := table{header: []string{"PREFIX", "APPLIED FOR", "TAGS", "ENCRYPTION", "DESCRIPTION"}, wrap: true}
	for _, template := range templates {
		t.add(template.Prefix, strings.Join(template.AppliedFor, ", "), template.TagMutability, template.Encryption, template.Description)
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	return app.PrintResult(registryTemplates{r.String(), r.Host, templates}, text.String())
}

func (app *App) getTemplate(ctx context.Context, prefix, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	t, err := r.Template(ctx, prefix)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", t.Prefix)
	for _, s := range templateSettings(t) {
		fmt.Fprintf(&text, "  %-16s %s\n", s.name+":", printable(s.value))
	}
	return app.PrintResult(t, text.String())
}

// templateSetting is a setting of a template, for people.
type templateSetting struct{ name, value string }

func templateSettings(t governance.Template) []templateSetting {
	mutability := t.TagMutability
	if m, err := t.Mutability(); err == nil {
		mutability = m.String()
	}
	return []templateSetting{
		{"description", t.Description},
		{"appliedFor", strings.Join(t.AppliedFor, ", ")},
		{"tagMutability", mutability},
		{"encryption", strings.TrimSpace(t.Encryption + " " + t.KMSKey)},
		{"resourceTags", showResourceTags(t.ResourceTags)},
		{"policy", showDocument(t.Policy)},
		{"lifecyclePolicy", showDocument(t.LifecyclePolicy)},
		{"customRoleArn", t.RoleARN},
	}
}

func (app *App) removeTemplate(ctx context.Context, prefix, host string, yes bool) error {
	if !yes && !app.Interactive {
		return usagef("repo template rm asks before it deletes, and stdin is not a terminal; pass --yes")
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	if _, err := r.Template(ctx, prefix); err != nil {
		return err
	}
	if !yes {
		yes, err := app.ask(ctx, fmt.Sprintf("Delete the repository creation template %s of %s?", prefix, r))
		if err == nil && !yes {
			err = errors.New("nothing was deleted")
		}
		if err != nil {
			return err
		}
	}
	if err := r.DeleteTemplate(ctx, prefix); err != nil {
		return err
	}
	result := changesOf(r, false, []settingChange{{Setting: "template " + prefix, From: "template"}})
	return app.PrintResult(result, result.text())
}
