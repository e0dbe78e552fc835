package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const repoScanningHelp = `Which images a registry of Amazon ECR scans for vulnerabilities, and when.

  ecrkit repo scanning get
  ecrkit repo scanning set --on-push '*'
  ecrkit repo scanning set --type enhanced --continuous 'prod/*' --on-push '*'
  ecrkit repo scanning add --on-push team/app

The rules are those of the registry, an account in a region, with patterns of repositories; * is
any number of characters. An image that no pattern matches is scanned on request only (ecrkit scan
start), with basic scanning. Scan on push of single repositories is deprecated.

  basic     scans operating system packages, on push
  enhanced  is Amazon Inspector: language packages too, on push or continuously; AWS
            charges for each image

HOST is the registry; without it that is $ECRKIT_REGISTRY. The identity in use must be of
the registry's own account.`

const repoScanningGetHelp = `Show the scanning configuration of a registry.

  ecrkit repo scanning get 123456789012.dkr.ecr.us-east-1.amazonaws.com

Prints the rules, or with --output json one object: registry (ACCOUNT/REGION), host,
scanning (type BASIC or ENHANCED, rules: frequency SCAN_ON_PUSH or CONTINUOUS_SCAN,
filters). ecrkit repo describe shows what applies to a repository. Needs
ecr:GetRegistryScanningConfiguration.`

const repoScanningSetHelp = `Replace the scanning configuration of a registry.

  ecrkit repo scanning set --on-push '*'
  ecrkit repo scanning set HOST --type enhanced --continuous 'prod/*' --on-push '*'
  ecrkit repo scanning set --manual --dry-run

--on-push and --continuous are the rules from then on; without both the rules stay, and
--manual removes them. Without --type that stays. At most 100 patterns with four * each.

Prints each change, or with --output json one object: dryRun, registry, host, changed,
changes (setting, from, to), scanning as ecrkit repo scanning get has it. Needs
ecr:GetRegistryScanningConfiguration and ecr:PutRegistryScanningConfiguration, and for
enhanced scanning inspector2:Enable and others, see
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-iam.html.`

const repoScanningAddHelp = `Add patterns to the scanning configuration of a registry.

  ecrkit repo scanning add --on-push team/app
  ecrkit repo scanning add HOST --continuous 'prod/*'

Existing rules stay. Amazon ECR takes all rules as one: ecrkit reads them, adds to them
and puts them back; of two changes at the same moment one may be lost. Prints and needs
what ecrkit repo scanning set does.`

// scanningFlags are the flags of `repo scanning set` and `add`.
type scanningFlags struct {
	kind           string
	onPush, always []string
	manual, dryRun bool
}

func newRepoScanningCommand(app *App) *cobra.Command {
	get := &cobra.Command{
		Use:   "get [HOST]",
		Short: "Show what a registry scans",
		Long:  repoScanningGetHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.getScanning(cmd.Context(), optional(args, 0))
		},
	}
	var f scanningFlags
	set := &cobra.Command{
		Use:   "set [HOST]",
		Short: "Replace the rules for what a registry scans",
		Long:  repoScanningSetHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setScanning(cmd.Context(), optional(args, 0), f)
		},
	}
	flags := set.Flags()
	flags.Var(upperCase{&f.kind}, "type", "basic or enhanced (default as it is)")
	completeValues(set, "type", []string{"basic", "enhanced"})
	flags.BoolVar(&f.manual, "manual", false, "remove the rules: scan what is asked for only")
	f.add(set)
	var added scanningFlags
	add := &cobra.Command{
		Use:   "add [HOST]",
		Short: "Add rules for what a registry scans",
		Long:  repoScanningAddHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.addScanning(cmd.Context(), optional(args, 0), added)
		},
	}
	added.add(add)
	return newGroup("scanning", "Manage which images a registry scans", repoScanningHelp, get, set, add)
}

func (f *scanningFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.onPush, "on-push", nil, "`pattern` of repositories whose images are scanned when they arrive; may be repeated")
	flags.StringArrayVar(&f.always, "continuous", nil, "`pattern` of repositories whose images are scanned continuously; may be repeated")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
}

// registryScanning is the JSON form of a scanning configuration.
type registryScanning struct {
	Registry string                           `json:"registry"`
	Host     string                           `json:"host"`
	Scanning governance.ScanningConfiguration `json:"scanning"`
}

func (app *App) getScanning(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	c, err := r.ScanningConfiguration(ctx)
	if err != nil {
		return err
	}
	t := table{header: []string{"TYPE", "FREQUENCY", "REPOSITORIES"}}
	for _, rule := range c.Rules {
		t.add(c.Type, rule.Frequency, strings.Join(rule.Filters, ", "))
	}
	if len(c.Rules) == 0 {
		t.add(c.Type, governance.ScanManually, allRepositories)
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	return app.PrintResult(registryScanning{r.String(), r.Host, c}, text.String())
}

func (app *App) setScanning(ctx context.Context, host string, f scanningFlags) error {
	rules := len(f.onPush)+len(f.always) > 0
	switch {
	case f.manual && rules:
		return usagef("--manual and patterns exclude each other")
	case !f.manual && !rules && f.kind == "":
		return usagef("nothing to set; pass --type, --on-push, --continuous or --manual")
	}
	return app.changeScanning(ctx, host, f.dryRun, func(c governance.ScanningConfiguration) governance.ScanningConfiguration {
		if rules || f.manual {
			c = governance.NewScanningConfiguration(c.Type, f.onPush, f.always)
		}
		if f.kind != "" {
			c.Type = f.kind
		}
		return c
	})
}

func (app *App) addScanning(ctx context.Context, host string, f scanningFlags) error {
	if len(f.onPush)+len(f.always) == 0 {
		return usagef("nothing to add; pass --on-push or --continuous")
	}
	return app.changeScanning(ctx, host, f.dryRun, func(c governance.ScanningConfiguration) governance.ScanningConfiguration {
		return c.With(governance.ScanOnPush, f.onPush).With(governance.ScanContinuously, f.always)
	})
}

func (app *App) changeScanning(ctx context.Context, host string, dryRun bool, change func(governance.ScanningConfiguration) governance.ScanningConfiguration) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	before, err := r.ScanningConfiguration(ctx)
	if err != nil {
		return err
	}
	after := change(before)
	if err := after.Validate(); err != nil {
		return usageError{err}
	}
	changes := scanningChanges(before, after)
	if len(changes) > 0 && !dryRun {
		if after, err = r.PutScanningConfiguration(ctx, after); err != nil {
			return err
		}
	}
	result := changesOf(r, dryRun, changes)
	return app.PrintResult(struct {
		registryChanges
		Scanning governance.ScanningConfiguration `json:"scanning"`
	}{result, after}, result.text())
}

func scanningChanges(before, after governance.ScanningConfiguration) []settingChange {
	var changes []settingChange
	if before.Type != after.Type {
		changes = append(changes, settingChange{"scanning.type", before.Type, after.Type})
	}
	if before.Equal(after) {
		return nil
	}
	for _, frequency := range []string{governance.ScanOnPush, governance.ScanContinuously} {
		from, to := strings.Join(before.Filters(frequency), ", "), strings.Join(after.Filters(frequency), ", ")
		if from != to {
			changes = append(changes, settingChange{"scanning." + frequency, from, to})
		}
	}
	return changes
}
