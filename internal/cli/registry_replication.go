package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const replicationHelp = `Replication: Amazon ECR copies images that are pushed to other regions and accounts.

  ecrkit registry replication set replication.yaml
  ecrkit registry replication status HOST/prod/app:1.2 --wait

It copies what is pushed from then on. Images that exist already are copied by a backfill: see
ecrkit registry backfill. Deletions and settings are not replicated.`

const replicationGetHelp = `Show where a registry replicates images.

  ecrkit registry replication get
  ecrkit registry replication get HOST --output json

Prints the rules, or with --output json one object: registry, host, replicationConfiguration,
as the aws CLI takes it. Needs ecr:DescribeRegistry.`

const replicationSetHelp = `Replace the replication rules of a registry by those of a file.

  ecrkit registry replication set replication.yaml
  ecrkit registry replication set replication.yaml HOST --dry-run

FILE is YAML or JSON as the aws CLI's --replication-configuration, - is stdin:

  rules:
    - destinations:
        - region: eu-west-1
        - {region: eu-west-1, registryId: "222222222222"}
      repositoryFilters:
        - {filter: prod/}

Without registryId a destination is in the registry's own account. A filter is the beginning of a
name; without filters all repositories are replicated. At most 10 rules with 100 filters each,
and 25 destinations. What Amazon ECR would refuse is refused before any call (exit code 2).

The registry policy of another account must allow yours ecr:ReplicateImage, and
ecr:CreateRepository for repositories that do not exist there; a message names those accounts.

Prints each change, or with --output json one object: registry, host, dryRun, changed, changes
(setting, from, to). Needs ecr:DescribeRegistry, ecr:PutReplicationConfiguration and
iam:CreateServiceLinkedRole.`

const replicationRmHelp = `End the replication of a registry. Images that were replicated stay.

  ecrkit registry replication rm
  ecrkit registry replication rm HOST --yes

On a terminal it asks; --yes does not ask, and is needed without a terminal. --dry-run shows what
would change. Prints what ecrkit registry replication set prints. Needs ecr:DescribeRegistry and
ecr:PutReplicationConfiguration.`

const replicationStatusHelp = `Show how far the replication of an image is.

  ecrkit registry replication status HOST/prod/app:1.2
  ecrkit registry replication status HOST/prod/app:1.2 --wait --timeout 30m

--wait looks again until the image has arrived, or failed to, at each destination, but not longer
than --timeout.

Exit codes: 0 the image is at all destinations, or without --wait on its way; 1 it failed to
arrive, has no destination because no rule applied to it when it was pushed, or was still on its
way when the time was over.

Prints the destinations with their status, or with --output json one object: reference,
replicationStatuses (destination: region, registryId; status: IN_PROGRESS, COMPLETE or FAILED;
failureCode). Needs ecr:DescribeImageReplicationStatus.`

func newRegistryReplicationCommand(app *App) *cobra.Command {
	get := &cobra.Command{
		Use:   "get [HOST]",
		Short: "Show where a registry replicates images",
		Long:  replicationGetHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.getReplication(cmd.Context(), optional(args, 0))
		},
	}
	var dryRun bool
	set := &cobra.Command{
		Use:   "set FILE [HOST]",
		Short: "Replace the replication rules of a registry",
		Long:  replicationSetHelp,
		Args:  arguments(1, "FILE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setReplication(cmd.Context(), args[0], optional(args, 1), dryRun)
		},
	}
	set.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	var f removalFlags
	rm := &cobra.Command{
		Use:   "rm [HOST]",
		Short: "End the replication of a registry",
		Long:  replicationRmHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeReplication(cmd.Context(), optional(args, 0), f)
		},
	}
	f.add(rm)
	var w waitFlags
	status := &cobra.Command{
		Use:   "status REF",
		Short: "Show how far the replication of an image is",
		Long:  replicationStatusHelp,
		Args:  arguments(0, "REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.replicationStatus(cmd.Context(), args[0], w)
		},
	}
	w.add(status, "wait until the image is at all destinations", 30*time.Minute)
	return newGroup("replication", "Manage where a registry replicates images", replicationHelp, get, set, rm, status)
}

func (app *App) getReplication(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	c, err := r.ReplicationConfiguration(ctx)
	if err != nil {
		return err
	}
	if len(c.Rules) == 0 {
		app.Messagef("%s replicates nothing", r)
	}
	t := table{header: []string{"RULE", "REPOSITORIES", "DESTINATION"}, wrap: true}
	for i, rule := range c.Rules {
		for _, d := range rule.Destinations {
			t.add(fmt.Sprint(i+1), showPrefixes(rule.Filters), d.String())
		}
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	return app.PrintResult(struct {
		Registry      string                              `json:"registry"`
		Host          string                              `json:"host"`
		Configuration governance.ReplicationConfiguration `json:"replicationConfiguration"`
	}{r.String(), r.Host, c}, text.String())
}

// showPrefixes is which repositories filters select.
func showPrefixes(filters []governance.ReplicationFilter) string {
	if len(filters) == 0 {
		return "all"
	}
	var prefixes []string
	for _, f := range filters {
		prefixes = append(prefixes, f.Filter+"*")
	}
	return strings.Join(prefixes, ", ")
}

func (app *App) setReplication(ctx context.Context, path, host string, dryRun bool) error {
	text, err := app.readFile(path, 1<<20)
	if err != nil {
		return usageError{err}
	}
	wanted, err := governance.ParseReplicationConfiguration(bytes.NewReader(text))
	if err != nil {
		return wrongDocument(path, text, replicationConfiguration, err)
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	if wanted, err = wanted.Complete(r); err != nil {
		return usagef("%s: %w", showFile(path), err)
	}
	return app.changeReplication(ctx, r, wanted, dryRun)
}

func (app *App) changeReplication(ctx context.Context, r *governance.Registry, wanted governance.ReplicationConfiguration, dryRun bool) error {
	has, err := r.ReplicationConfiguration(ctx)
	if err != nil {
		return err
	}
	if has.Equal(wanted) {
		return app.printRegistryChanges(r, dryRun, nil)
	}
	if !dryRun {
		if err := r.PutReplicationConfiguration(ctx, wanted); err != nil {
			return err
		}
	}
	app.remindOfAccounts(r, wanted)
	return app.printRegistryChanges(r, dryRun, replicationChanges(has, wanted))
}

// remindOfAccounts names the destinations in other accounts, whose registry policies must let r in.
func (app *App) remindOfAccounts(r *governance.Registry, wanted governance.ReplicationConfiguration) {
	var accounts []string
	for _, d := range wanted.Destinations() {
		if d.Account != r.Account {
			accounts = append(accounts, d.String())
		}
	}
	if len(accounts) > 0 {
		app.Messagef("the registry policies of %s must allow ecr:ReplicateImage and ecr:CreateRepository to account %s; otherwise replication to them fails", strings.Join(accounts, ", "), r.Account)
	}
}

// replicationChanges has a change for each rule that differs.
func replicationChanges(before, after governance.ReplicationConfiguration) (changes []settingChange) {
	rule := func(c governance.ReplicationConfiguration, i int) string {
		if i >= len(c.Rules) {
			return ""
		}
		text, _ := json.Marshal(c.Rules[i]) // strings always marshal
		return string(text)
	}
	for i := range max(len(before.Rules), len(after.Rules)) {
		if from, to := rule(before, i), rule(after, i); from != to {
			changes = append(changes, settingChange{fmt.Sprintf("replication rule %d", i+1), from, to})
		}
	}
	return changes
}

func (app *App) removeReplication(ctx context.Context, host string, f removalFlags) error {
	if err := f.check(app, "registry replication rm"); err != nil {
		return err
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	if err := f.confirm(ctx, app, "End the replication of %s?", r); err != nil {
		return err
	}
	return app.changeReplication(ctx, r, governance.ReplicationConfiguration{Rules: []governance.ReplicationRule{}}, f.dryRun)
}

func (app *App) replicationStatus(ctx context.Context, name string, w waitFlags) error {
	reference, err := app.parseReference(name)
	if err != nil {
		return err
	}
	if reference = withLatest(reference); reference.Kind != ref.KindECR {
		return usagef("%s is not an image in Amazon ECR", name)
	}
	r, err := app.governanceOf(ctx, reference.Registry)
	if err != nil {
		return err
	}
	end, err := w.showing(app, "the replication of "+reference.String())
	if err != nil {
		return err
	}
	statuses, err := r.WaitReplicated(ctx, reference.Repository, content.ImageName{Tag: reference.Tag, Digest: reference.Digest}, w.limit())
	end()
	unfinished := errors.Is(err, governance.ErrReplicationUnfinished)
	if err != nil && !unfinished {
		return err
	}
	t := table{header: []string{"DESTINATION", "STATUS", "FAILURE"}, wrap: true}
	var failed []string
	for _, s := range statuses {
		t.add(s.Destination.String(), s.Status, s.FailureCode)
		if s.Status == "FAILED" {
			failed = append(failed, s.Destination.String()+" "+s.FailureCode)
		}
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	result := struct {
		Reference string                         `json:"reference"`
		Statuses  []governance.ReplicationStatus `json:"replicationStatuses"`
	}{reference.String(), statuses}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	switch {
	case len(statuses) == 0:
		return fmt.Errorf("%s: %w: no rule applied to it when it was pushed; push it again, or start a backfill with `ecrkit registry backfill start`", reference, governance.ErrNotReplicated)
	case len(failed) > 0:
		return fmt.Errorf("%s: %w: %s", reference, governance.ErrNotReplicated, strings.Join(failed, ", "))
	case unfinished && w.wait:
		return err
	}
	return nil
}
