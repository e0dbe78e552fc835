package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const repoAccountHelp = `Settings of Amazon ECR for a registry, an account in a region.

  ecrkit repo account get
  ecrkit repo account set BLOB_MOUNTING ENABLED

  BLOB_MOUNTING            ENABLED: a push mounts layers that another repository of the
                           registry has instead of sending them; DISABLED
  BASIC_SCAN_TYPE_VERSION  the scanner of basic scanning: AWS_NATIVE
  REGISTRY_POLICY_SCOPE    which actions the registry policy covers: V2

HOST is the registry; without it that is $ECRKIT_REGISTRY. The identity in use must be of
the registry's own account.`

const repoAccountGetHelp = `Show the account settings of a registry.

  ecrkit repo account get 123456789012.dkr.ecr.us-east-1.amazonaws.com

Prints a table, or with --output json one object: registry (ACCOUNT/REGION), host,
accountSettings (an object of names and values). Needs ecr:GetAccountSetting.`

const repoAccountSetHelp = `Change an account setting of a registry.

  ecrkit repo account set BLOB_MOUNTING ENABLED
  ecrkit repo account set BLOB_MOUNTING DISABLED HOST --dry-run

ecrkit repo account --help has the settings and their values. Prints the change, or with
--output json one object: dryRun, registry, host, changed, changes (setting, from, to).
Needs ecr:GetAccountSetting and ecr:PutAccountSetting.`

func newRepoAccountCommand(app *App) *cobra.Command {
	get := &cobra.Command{
		Use:   "get [HOST]",
		Short: "Show the account settings of a registry",
		Long:  repoAccountGetHelp,
		Args:  arguments(1, "HOST"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.getAccount(cmd.Context(), optional(args, 0)) },
	}
	var dryRun bool
	set := &cobra.Command{
		Use:   "set NAME VALUE [HOST]",
		Short: "Change an account setting of a registry",
		Long:  repoAccountSetHelp,
		Args:  arguments(1, "NAME", "VALUE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setAccount(cmd.Context(), strings.ToUpper(args[0]), strings.ToUpper(args[1]), optional(args, 2), dryRun)
		},
	}
	set.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	return newGroup("account", "Settings of a registry's account", repoAccountHelp, get, set)
}

// registryChanges is the JSON form of what becomes of the settings of a registry.
type registryChanges struct {
	DryRun   bool            `json:"dryRun"`
	Registry string          `json:"registry"` // ACCOUNT/REGION
	Host     string          `json:"host"`
	Changed  bool            `json:"changed"`
	Changes  []settingChange `json:"changes"`
}

// text has a line for each change.
func (c registryChanges) text() string {
	if !c.Changed {
		return c.Registry + ": no changes\n"
	}
	var text strings.Builder
	for _, change := range c.Changes {
		text.WriteString(printableLines(c.Registry+": "+change.String()) + "\n")
	}
	return text.String()
}

func changesOf(r *governance.Registry, dryRun bool, changes []settingChange) registryChanges {
	return registryChanges{DryRun: dryRun, Registry: r.String(), Host: r.Host, Changed: len(changes) > 0, Changes: append([]settingChange{}, changes...)}
}

func (app *App) getAccount(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	settings, err := r.AccountSettings(ctx)
	if err != nil {
		return err
	}
	t := table{header: []string{"SETTING", "VALUE"}}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		t.add(name, settings[name])
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	return app.PrintResult(struct {
		Registry string            `json:"registry"`
		Host     string            `json:"host"`
		Settings map[string]string `json:"accountSettings"`
	}{r.String(), r.Host, settings}, text.String())
}

func (app *App) setAccount(ctx context.Context, name, value, host string, dryRun bool) error {
	if err := governance.CheckAccountSetting(name, value); err != nil {
		return usageError{err}
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	settings, err := r.AccountSettings(ctx)
	if err != nil {
		return err
	}
	var changes []settingChange
	if settings[name] != value {
		changes = append(changes, settingChange{name, settings[name], value})
		if !dryRun {
			if err := r.PutAccountSetting(ctx, name, value); err != nil {
				return err
			}
		}
	}
	result := changesOf(r, dryRun, changes)
	return app.PrintResult(result, result.text())
}
