package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const signingHelp = `Managed signing: have Amazon ECR sign images when they are pushed.

  ecrkit signing add-rule --profile ARN --repository 'prod/*'
  ecrkit signing get
  ecrkit signing status HOST/prod/app:1.2 --wait

The signatures are Notation signatures (Notary Project) by a signing profile of AWS
Signer, made with the rights of whoever pushes: that identity needs
signer:SignPayload on the profile. They are neither cosign's, nor made with a KMS key,
and ecrkit verify does not read them; for those use ecrkit sign. Amazon ECR hands out
images whether they are signed or not.

The rules are one configuration for the whole registry, an account in a region. HOST
is the registry; without it that is $ECRKIT_REGISTRY. The identity in use must be of
the registry's own account.`

func newSigningCommand(app *App) *cobra.Command {
	return newGroup("signing", "Have Amazon ECR sign images when they are pushed", signingHelp,
		newSigningGetCommand(app), newSigningSetCommand(app), newSigningAddRuleCommand(app),
		newSigningRemoveRuleCommand(app), newSigningDeleteCommand(app), newSigningStatusCommand(app),
	)
}

// registrySigning is the JSON form of the signing configuration of a registry.
type registrySigning struct {
	Registry      string                           `json:"registry"` // ACCOUNT/REGION
	Host          string                           `json:"host"`
	Configuration *governance.SigningConfiguration `json:"signingConfiguration"` // null if there is none
}

// changedSigning is the JSON form of what a command has made of it.
type changedSigning struct {
	DryRun  bool `json:"dryRun"`
	Changed bool `json:"changed"`
	registrySigning
}

func signingOf(r *governance.Registry, c *governance.SigningConfiguration) registrySigning {
	return registrySigning{Registry: r.String(), Host: r.Host, Configuration: c}
}

// currentSigning reads the configuration; nil means none.
func currentSigning(ctx context.Context, r *governance.Registry) (*governance.SigningConfiguration, error) {
	c, err := r.SigningConfiguration(ctx)
	switch {
	case errors.Is(err, governance.ErrNoSigningConfiguration):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &c, nil
}

// changeSigning reads the configuration, has change make another of it, and puts that
// if it differs. Amazon ECR has no way to do so at once: of two changes at the same
// time one may be lost.
func (app *App) changeSigning(ctx context.Context, host string, dryRun bool, change func(governance.SigningConfiguration) (governance.SigningConfiguration, error)) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	before, err := currentSigning(ctx, r)
	if err != nil {
		return err
	}
	old := governance.SigningConfiguration{Rules: []governance.SigningRule{}}
	if before != nil {
		old = *before
	}
	after, err := change(old)
	if err == nil {
		err = after.Validate(r.Region)
	}
	if err != nil {
		return err
	}
	changed := before == nil || !old.Equal(after)
	for _, line := range signingChanges(old, after) {
		app.Messagef("%s", line)
	}
	switch {
	case !changed:
		app.Messagef("the signing configuration of %s has no changes", r)
	case dryRun:
		app.Messagef("nothing was changed in %s", r)
	default:
		if after, err = r.PutSigningConfiguration(ctx, after); err != nil {
			return err
		}
	}
	text, err := app.signingText(after)
	if err != nil {
		return err
	}
	return app.PrintResult(changedSigning{dryRun, changed, signingOf(r, &after)}, text)
}

// allRepositories is shown for a rule without filters.
const allRepositories = "all repositories"

// signingText is a table of the rules.
func (app *App) signingText(c governance.SigningConfiguration) (string, error) {
	t := table{header: []string{"SIGNING PROFILE", "REPOSITORIES"}, wrap: true}
	for _, rule := range c.Rules {
		t.add(rule.Profile, strings.Join(signingFilters(rule), ", "))
	}
	var text strings.Builder
	err := t.print(&text, app.columns())
	return text.String(), err
}

// signingFilters are the filters of a rule, for people.
func signingFilters(rule governance.SigningRule) []string {
	if len(rule.Filters) == 0 {
		return []string{allRepositories}
	}
	var filters []string
	for _, f := range rule.Filters {
		filters = append(filters, f.Filter)
	}
	return filters
}

// signingChanges has a line for what is added, with +, and for what goes, with -.
func signingChanges(before, after governance.SigningConfiguration) []string {
	lines := func(c governance.SigningConfiguration) (order []string, has map[string]bool) {
		has = map[string]bool{}
		for _, rule := range c.Rules {
			for _, f := range signingFilters(rule) {
				line := fmt.Sprintf("%s  %s", rule.Profile, f)
				if !has[line] {
					order = append(order, line)
				}
				has[line] = true
			}
		}
		return order, has
	}
	old, had := lines(before)
	now, has := lines(after)
	var changes []string
	for _, line := range old {
		if !has[line] {
			changes = append(changes, "- "+line)
		}
	}
	for _, line := range now {
		if !had[line] {
			changes = append(changes, "+ "+line)
		}
	}
	return changes
}

// optional is an argument that may be left out, "" then.
func optional(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}
