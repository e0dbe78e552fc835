package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/audit"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

const repoAuditHelp = `Check the repositories of a registry against security controls, with commands that fix them.

  ecrkit repo audit
  ecrkit repo audit 'team/*' --fail-on high
  ecrkit repo audit HOST --skip ECR.5 --report audit.html --report audit.sarif

  ECR.1          HIGH      images are scanned automatically
  ECR.2          MEDIUM    tags are immutable
  ECR.3          MEDIUM    the repository has a lifecycle policy
  ECR.5          MEDIUM    images are encrypted with a KMS key of your own
  POLICY-OPEN    HIGH      the repository policy does not let in everybody; CRITICAL if it
                           lets everybody push or change the repository
  UNTAGGED-KEPT  LOW       the lifecycle policy removes untagged images
  RESOURCE-TAGS  LOW       the repository has resource tags
  REPLICA-DRIFT  MEDIUM    replicas in other regions of the account have the same tag mutability,
                           and a lifecycle policy too. Those in other accounts are listed as not
                           checked

Without PATTERN the settings of the registry are checked too:

  REGISTRY-OPEN  HIGH      the registry policy does not let in everybody; CRITICAL if it lets
                           everybody replicate to the registry or change it
  CACHE-INVALID  MEDIUM    pull-through cache rules work with their secrets and roles

Controls with a number are those of AWS Security Hub. A control that cannot be checked
counts as failed. PATTERN selects repositories by name; * stands for any characters.
Without HOST the registry is $ECRKIT_REGISTRY. --skip leaves out a control.

A command with a placeholder, such as <KMS_KEY>, needs something that only you know; a
shell refuses it as it is.

--fail-on is a gate: exit code 5 if there is a finding of that severity or a worse one. If
some repositories cannot be read, the others are audited (exit code 3).

` + scanReportsHelp + `

The JSON is one object: registry (ACCOUNT/REGION), host, pattern, auditedAt, skipped,
repositories (name, arn, findings: id, severity, text, command, placeholders), registryFindings
(the same and object; null with PATTERN), failed (messages), notChecked (messages), summary
(repositories, clean, findings,
bySeverity). Needs the permissions of ecrkit repo describe, ecr:DescribeRegistry, for replicas
ecr:DescribeRepositories, ecr:GetLifecyclePolicy and ecr:DescribeRepositoryCreationTemplates in
their region, and without PATTERN ecr:GetRegistryPolicy, ecr:DescribePullThroughCacheRules and
ecr:ValidatePullThroughCacheRule.`

// repoAuditFlags are the flags of `ecrkit repo audit`.
type repoAuditFlags struct {
	failOn  string
	skip    []string
	reports scanReportFlags
}

func newRepoAuditCommand(app *App) *cobra.Command {
	var f repoAuditFlags
	cmd := &cobra.Command{
		Use:   "audit [PATTERN]",
		Short: "Check repositories against security controls",
		Long:  repoAuditHelp,
		Args:  arguments(1, "PATTERN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.auditRepositories(cmd.Context(), optional(args, 0), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.failOn, "fail-on", "", "exit code 5 from this `severity` on: critical, high, medium or low")
	completeValues(cmd, "fail-on", []string{"critical", "high", "medium", "low"})
	flags.StringSliceVar(&f.skip, "skip", nil, "`control` to leave out; may be repeated")
	var ids []string
	for _, c := range audit.Controls() {
		ids = append(ids, c.ID)
	}
	completeValues(cmd, "skip", ids)
	f.reports.add(cmd)
	return cmd
}

func (app *App) auditRepositories(ctx context.Context, text string, f repoAuditFlags) error {
	reports, err := f.reports.reports(app)
	if err != nil {
		return err
	}
	var failOn audit.Severity
	if f.failOn != "" {
		if failOn, err = audit.ParseSeverity(f.failOn); err != nil {
			return usagef("--fail-on: %w", err)
		}
	}
	var skipped []string
	for _, id := range f.skip {
		if id, err = audit.CheckControl(id); err != nil {
			return usagef("--skip: %w", err)
		}
		skipped = append(skipped, id)
	}
	registry, pattern, err := app.parsePattern(text)
	if err != nil {
		return err
	}
	whole := pattern == ""
	pattern = cmp.Or(pattern, "*")
	r, err := app.governanceOf(ctx, registry)
	if err != nil {
		return err
	}
	var repositories []ecr.RepositoryDescription
	for repository, err := range r.Repositories(ctx, pattern) {
		if err != nil {
			return err
		}
		repositories = append(repositories, repository)
	}
	if len(repositories) == 0 {
		// A gate that looked at nothing has not passed.
		return fmt.Errorf("no repository of %s matches %s", r, pattern)
	}
	slices.SortFunc(repositories, func(a, b ecr.RepositoryDescription) int { return cmp.Compare(a.Name, b.Name) })
	descriptions, failures := r.Describe(ctx, repositories)
	evidence, err := app.auditEvidence(ctx, r, descriptions, whole)
	if err != nil {
		return err
	}
	evidence.Failures = failures
	report := audit.NewReport(r, pattern, evidence, skipped, app.Now())
	if err := app.writeReports(report, reports); err != nil {
		return err
	}
	if n := report.Worst(failOn); f.failOn != "" && n > 0 {
		return errors.Join(gatef("%s of severity %s or worse", english.Plural(n, "finding", ""), failOn), errors.Join(failures...))
	}
	return partly(len(descriptions), failures)
}

// auditEvidence reads what is audited besides the repositories' own settings: their replicas and, with whole, the settings
// of the registry. What cannot be read counts as a failed control.
func (app *App) auditEvidence(ctx context.Context, r *governance.Registry, descriptions []governance.Description, whole bool) (audit.Evidence, error) {
	e := audit.Evidence{Repositories: descriptions}
	e.Replicas.ByName, e.Replicas.Elsewhere, e.Replicas.Err = r.Replicas(ctx, descriptions, func(ctx context.Context, region string) (*governance.Registry, error) {
		return app.governanceIn(ctx, r.Account, region)
	})
	if whole {
		e.Registry = &audit.RegistryEvidence{}
		e.Registry.Policy, e.Registry.PolicyErr = currentRegistryPolicy(ctx, r)
		e.Registry.CacheRules, e.Registry.CacheRulesErr = r.CheckCacheRules(ctx)
	}
	return e, ctx.Err()
}
