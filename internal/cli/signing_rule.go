package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const signingAddRuleHelp = `Have images signed with a profile of AWS Signer when they are pushed.

  ecrkit signing add-rule \
    --profile arn:aws:signer:us-east-1:123456789012:/signing-profiles/release \
      --repository 'prod/*' --repository '*/prod'
  ecrkit signing add-rule HOST --profile ARN --dry-run

--repository is the name of a repository, in which * is any number of characters, / too;
without it the images of ALL repositories are signed. Other rules stay. If the profile has
a rule, the patterns go into that. An image that several profiles match gets a signature by
each. At most 10 rules with 100 patterns each: what would be more is refused before
anything is changed, as is what is no ARN of a signing profile in the registry's region.

Amazon ECR takes all rules as one: ecrkit reads them, adds to them and puts them back. Of
two changes at the same moment one may be lost.

The profile is made with
aws signer put-signing-profile --platform-id Notation-OCI-SHA384-ECDSA --profile-name release.
Whoever pushes needs signer:SignPayload on it.

What is added goes to stderr; --dry-run shows it and changes nothing. Prints the rules as
ecrkit signing get does, or with --output json one object: dryRun, changed, registry, host,
signingConfiguration. Needs ecr:GetSigningConfiguration and ecr:PutSigningConfiguration.`

const signingRemoveRuleHelp = `Have images no longer signed with a profile of AWS Signer.

  ecrkit signing remove-rule --profile ARN --repository 'prod/*'
  ecrkit signing remove-rule HOST --profile ARN

--repository takes this pattern, as it is written in the rule, from the rules of the profile;
one that has no other pattern goes as a whole. Without it all rules of the profile go. Other
rules stay, and so do signatures. If the profile has no such rule, nothing is changed (exit
code 1).

What goes is written to stderr; --dry-run shows it and changes nothing. Prints the rules that
are left as ecrkit signing get does, or with --output json one object: dryRun, changed,
registry, host, signingConfiguration. Needs ecr:GetSigningConfiguration and
ecr:PutSigningConfiguration.`

// signingRuleFlags are the flags of add-rule and remove-rule.
type signingRuleFlags struct {
	profile      string
	repositories []string
	dryRun       bool
}

func newSigningAddRuleCommand(app *App) *cobra.Command {
	var f signingRuleFlags
	cmd := &cobra.Command{
		Use:   "add-rule [HOST] --profile ARN",
		Short: "Have images signed with a profile",
		Long:  signingAddRuleHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.addSigningRule(cmd.Context(), optional(args, 0), f)
		},
	}
	f.add(cmd)
	return cmd
}

func newSigningRemoveRuleCommand(app *App) *cobra.Command {
	var f signingRuleFlags
	cmd := &cobra.Command{
		Use:   "remove-rule [HOST] --profile ARN",
		Short: "Have images no longer signed with a profile",
		Long:  signingRemoveRuleHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeSigningRule(cmd.Context(), optional(args, 0), f)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *signingRuleFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "`ARN` of the signing profile of AWS Signer")
	flags.StringArrayVar(&f.repositories, "repository", nil, "`pattern` of repositories; may be repeated (default all)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
}

func (app *App) addSigningRule(ctx context.Context, host string, f signingRuleFlags) error {
	r, err := app.parseRegistry(host)
	if err != nil {
		return err
	}
	filters := governance.WildcardFilters(f.repositories)
	if f.profile == "" {
		return usagef("--profile is missing: the ARN of a signing profile of AWS Signer, arn:aws:signer:%s:%s:/signing-profiles/NAME", r.Region, r.Account)
	}
	// What is wrong with the rule by itself is a mistake in the command line.
	rule := governance.SigningConfiguration{Rules: []governance.SigningRule{{Profile: f.profile, Filters: filters}}}
	if err := rule.Validate(r.Region); err != nil {
		return usageError{err}
	}
	return app.changeSigning(ctx, host, f.dryRun, func(c governance.SigningConfiguration) (governance.SigningConfiguration, error) {
		return c.With(f.profile, filters), nil
	})
}

func (app *App) removeSigningRule(ctx context.Context, host string, f signingRuleFlags) error {
	if f.profile == "" {
		return usagef("--profile is missing: the ARN of the signing profile, as `ecrkit signing get` shows it")
	}
	return app.changeSigning(ctx, host, f.dryRun, func(c governance.SigningConfiguration) (governance.SigningConfiguration, error) {
		return c.Without(f.profile, governance.WildcardFilters(f.repositories))
	})
}
