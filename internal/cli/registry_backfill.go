package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const backfillHelp = `Backfills: have Amazon ECR replicate the images that a registry already has.

  ecrkit registry backfill start eu-west-1 --wait
  ecrkit registry backfill ls
  ecrkit registry backfill status ID --wait

Replication copies what is pushed after a rule was set. A backfill copies the rest to one
destination of the replication rules, repository by repository. One runs for each destination
region at a time. Amazon ECR ends a backfill of which half or more fails.`

const backfillStartHelp = `Start a backfill to a destination of the replication rules.

  ecrkit registry backfill start eu-west-1
  ecrkit registry backfill start 222222222222/eu-west-1 --wait --timeout 6h

DESTINATION is REGION in the registry's own account, or ACCOUNT/REGION. --wait waits until the
backfill has ended, as ecrkit registry backfill status does.

Prints what that command prints. Needs ecr:StartReplicationBackfill, and with --wait
ecr:DescribeReplicationBackfillResults.`

const backfillStatusHelp = `Show how far a backfill is and, once it has ended, which images it did not replicate.

  ecrkit registry backfill status ID
  ecrkit registry backfill status ID --wait --timeout 6h

Exit codes: 0 it is complete, or without --wait is still running; 3 it is complete, but some images
failed; 1 it failed or was stopped, or had not ended when the time was over.

Prints the backfill and the images that failed, or with --output json one object: backfill
(replicationBackfillId, destination, status, startedAt, endedAt, failureCode, counts), failed
(repository, digest, tag, failureCode). Needs ecr:DescribeReplicationBackfillResults.`

const backfillLsHelp = `List the backfills of a registry.

  ecrkit registry backfill ls
  ecrkit registry backfill ls HOST --output json

Prints one line for each, or with --output json one object: registry, host, backfills, as
ecrkit registry backfill status prints them. Needs ecr:ListReplicationBackfills.`

const backfillStopHelp = `Stop a backfill. Images that it has replicated stay.

  ecrkit registry backfill stop ID

Prints what ecrkit registry backfill status prints. Needs ecr:StopReplicationBackfill.`

func newRegistryBackfillCommand(app *App) *cobra.Command {
	var started, looked waitFlags
	start := &cobra.Command{
		Use:   "start DESTINATION [HOST]",
		Short: "Start a backfill to a destination",
		Long:  backfillStartHelp,
		Args:  arguments(1, "DESTINATION", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.startBackfill(cmd.Context(), args[0], optional(args, 1), started)
		},
	}
	started.add(start, "wait until the backfill has ended", 24*time.Hour)
	status := &cobra.Command{
		Use:   "status ID [HOST]",
		Short: "Show how far a backfill is",
		Long:  backfillStatusHelp,
		Args:  arguments(1, "ID", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := app.openGovernance(cmd.Context(), optional(args, 1))
			if err != nil {
				return err
			}
			return app.showBackfill(cmd.Context(), r, args[0], looked)
		},
	}
	looked.add(status, "wait until the backfill has ended", 24*time.Hour)
	ls := &cobra.Command{
		Use:     "ls [HOST]",
		Aliases: []string{"list"},
		Short:   "List the backfills of a registry",
		Long:    backfillLsHelp,
		Args:    arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.listBackfills(cmd.Context(), optional(args, 0))
		},
	}
	stop := &cobra.Command{
		Use:   "stop ID [HOST]",
		Short: "Stop a backfill",
		Long:  backfillStopHelp,
		Args:  arguments(1, "ID", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := app.openGovernance(cmd.Context(), optional(args, 1))
			if err != nil {
				return err
			}
			b, err := r.StopBackfill(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return app.printBackfill(b, []governance.FailedReplication{})
		},
	}
	return newGroup("backfill", "Replicate the images that a registry already has", backfillHelp, start, status, ls, stop)
}

func (app *App) startBackfill(ctx context.Context, destination, host string, w waitFlags) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	d, err := governance.ParseDestination(destination, r)
	if err != nil {
		return usageError{err}
	}
	b, err := r.StartBackfill(ctx, d)
	if err != nil {
		return err
	}
	if !w.wait {
		return app.printBackfill(b, []governance.FailedReplication{})
	}
	app.Messagef("started backfill %s to %s", b.ID, b.Destination)
	return app.showBackfill(ctx, r, b.ID, w)
}

func (app *App) showBackfill(ctx context.Context, r *governance.Registry, id string, w waitFlags) error {
	end, err := w.showing(app, "backfill "+id)
	if err != nil {
		return err
	}
	b, failed, err := r.WaitBackfill(ctx, id, w.limit())
	end()
	unfinished := errors.Is(err, governance.ErrBackfillUnfinished)
	if err != nil && !unfinished {
		return err
	}
	if err := app.printBackfill(b, failed); err != nil {
		return err
	}
	switch {
	case unfinished && w.wait:
		return err
	case b.Status == "FAILED" || b.Status == "STOPPED":
		return fmt.Errorf("backfill %s to %s: %s", id, b.Destination, strings.TrimSpace(b.Status+" "+b.FailureCode))
	case b.Status == "COMPLETE" && b.Failed > 0:
		return partly(int(b.Completed), []error{fmt.Errorf("backfill %s to %s: %d of %d replications failed", id, b.Destination, b.Failed, b.Total)})
	}
	return nil
}

func (app *App) printBackfill(b governance.Backfill, failed []governance.FailedReplication) error {
	t := table{header: []string{"BACKFILL", "DESTINATION", "STATUS", "DONE", "FAILED"}}
	addBackfill(&t, b)
	var text strings.Builder
	err := t.print(&text, app.columns())
	if len(failed) > 0 {
		images := table{header: []string{"REPOSITORY", "IMAGE", "FAILURE"}, wrap: true}
		for _, f := range failed {
			image := f.Digest
			if f.Tag != "" {
				image = f.Tag
			}
			images.add(f.Repository, image, f.FailureCode)
		}
		text.WriteString("\n")
		err = errors.Join(err, images.print(&text, app.columns()))
	}
	if err != nil {
		return err
	}
	return app.PrintResult(struct {
		Backfill governance.Backfill            `json:"backfill"`
		Failed   []governance.FailedReplication `json:"failed"`
	}{b, failed}, text.String())
}

func addBackfill(t *table, b governance.Backfill) {
	t.add(b.ID, b.Destination.String(), strings.TrimSpace(b.Status+" "+b.FailureCode), fmt.Sprintf("%d of %d", b.Completed, b.Total), fmt.Sprint(b.Failed))
}

func (app *App) listBackfills(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	all, err := r.Backfills(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		app.Messagef("%s has no backfills", r)
	}
	t := table{header: []string{"BACKFILL", "DESTINATION", "STATUS", "DONE", "FAILED"}}
	for _, b := range all {
		addBackfill(&t, b)
	}
	var text strings.Builder
	if err := t.print(&text, app.columns()); err != nil {
		return err
	}
	return app.PrintResult(struct {
		Registry  string                `json:"registry"`
		Host      string                `json:"host"`
		Backfills []governance.Backfill `json:"backfills"`
	}{r.String(), r.Host, all}, text.String())
}
