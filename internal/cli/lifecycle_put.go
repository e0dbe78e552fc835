package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecyclePutHelp = `Put a lifecycle policy on repositories, after showing what it deletes.

  ecrkit lifecycle put HOST/team/app --policy policy.json
  ecrkit lifecycle put team/app team/db --policy policy.json --dry-run
  ecrkit lifecycle put team/app --policy policy.json --max-expire 10% --yes

Within 24 hours Amazon ECR deletes what the policy selects. That cannot be undone. So the
images of each repository are read now, and what the policy does with them 24 hours from
now is shown beside what the present policy does. If that cannot be found out, no policy
is put. A policy that Amazon ECR refuses is refused (ecrkit lifecycle lint), and warnings
about it are shown.

On a terminal it asks; --yes does not ask, and is needed where there is no terminal.
--dry-run shows what would happen and changes nothing. --max-expire is a number of images,
or a share of all: a repository in which more would expire gets no policy (exit code 5).
--max-expire 0 takes only a policy that expires nothing yet. If some repositories fail,
the others get the policy (exit code 3).

The manifests of indexes are read, unless the policy counts from pulls; see ecrkit
lifecycle evaluate --help for --manifests.

Prints what changes, or with --output json one object: dryRun, repositories, failed
(repository, error). Of a repository: repository, changed (false if it has this policy),
summary and presentSummary as that of ecrkit lifecycle evaluate, and what ecrkit lifecycle
diff prints. Needs ecr:GetLifecyclePolicy, ecr:DescribeImages, ecr:BatchGetImage and
ecr:PutLifecyclePolicy.`

// lifecyclePutFlags are the flags of `ecrkit lifecycle put`.
type lifecyclePutFlags struct {
	policy      string
	maxExpire   string
	manifests   manifestsFlag
	yes, dryRun bool
}

// putLifecycle is the JSON form of what becomes of a repository with a policy.
type putLifecycle struct {
	Repository     string            `json:"repository"` // HOST/NAME
	Changed        bool              `json:"changed"`
	Summary        lifecycle.Summary `json:"summary"`
	PresentSummary lifecycle.Summary `json:"presentSummary"`
	policyDifference
}

// putLifecycles is the JSON form of the result of `lifecycle put`.
type putLifecycles struct {
	DryRun       bool               `json:"dryRun"`
	Repositories []putLifecycle     `json:"repositories"`
	Failed       []failedRepository `json:"failed"`
}

// lifecyclePut is a policy on its way to a repository.
type lifecyclePut struct {
	governedRepository
	effect governance.LifecycleEffect
	result putLifecycle
}

func newLifecyclePutCommand(app *App) *cobra.Command {
	var f lifecyclePutFlags
	cmd := &cobra.Command{
		Use:   "put REPO... --policy FILE",
		Short: "Put a policy on repositories, after showing what it deletes",
		Long:  lifecyclePutHelp,
		Args:  atLeast("REPO"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.putLifecycle(cmd.Context(), args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "`file` of the policy, - for stdin")
	flags.StringVar(&f.maxExpire, "max-expire", "", "put no policy with which more images expire: a `number`, or a share of all, as 10%")
	addManifestsFlag(cmd, &f.manifests)
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would happen, and change nothing")
	return cmd
}

func (app *App) putLifecycle(ctx context.Context, names []string, f lifecyclePutFlags) error {
	switch {
	case f.policy == "":
		return usageError{missingPolicy{"--policy is missing: the file of a lifecycle policy"}}
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case f.policy == "-" && !f.yes && !f.dryRun:
		return usagef("stdin cannot be the policy and answer a question; pass --yes or --dry-run")
	}
	limit, err := parseMaxExpire(f.maxExpire)
	if err != nil {
		return err
	}
	text, policy, err := app.lintedPolicy(f.policy)
	if err != nil {
		return err
	}
	if !f.yes && !f.dryRun && !app.Interactive { // after what is wrong with the file: --yes would not help with that
		return usagef("lifecycle put asks before it lets images be deleted, and stdin is not a terminal; pass --yes, or --dry-run to see what would happen")
	}
	repositories, err := app.openEach(ctx, names)
	if err != nil {
		return err
	}
	result := putLifecycles{DryRun: f.dryRun, Repositories: []putLifecycle{}, Failed: []failedRepository{}}
	var failures []error
	fail := func(place string, err error) {
		failures = append(failures, err)
		result.Failed = append(result.Failed, failedRepository{place, newFailure(place, err)})
	}
	var puts []lifecyclePut
	changes, asked := 0, false
	for _, r := range repositories {
		effect, err := r.registry.LifecycleEffect(ctx, r.name, policy, app.Now().Add(governance.LifecycleDelay), f.manifests.Manifests)
		if err != nil {
			fail(r.place, fmt.Errorf("what the policy would do is not known, so it is not put: %w", err))
			continue
		}
		p := lifecyclePut{governedRepository: r, effect: effect, result: newPutLifecycle(r.place, effect, text)}
		if p.result.Changed {
			if err := checkMaxExpire(limit, p.result.Summary); err != nil {
				app.showPut(p)
				fail(r.place, gatef("%s gets no policy: %w", r.place, err))
				continue
			}
			changes++
		}
		puts = append(puts, p)
	}
	if !f.yes && !f.dryRun && changes > 0 {
		for _, p := range puts {
			app.showPut(p)
		}
		yes, err := app.ask(ctx, fmt.Sprintf("Put the policy of %s?", english.Plural(changes, "repository", "repositories")))
		if err == nil && !yes {
			err = errors.New("nothing was changed")
		}
		if err != nil {
			return err
		}
		asked = true
	}
	var out strings.Builder
	for _, p := range puts {
		if p.result.Changed && asked {
			if err := p.recheck(ctx, f.manifests.Manifests); err != nil {
				fail(p.place, err)
				continue
			}
		}
		if p.result.Changed && !f.dryRun {
			if err := p.registry.PutLifecyclePolicy(ctx, p.name, text); err != nil {
				fail(p.place, err)
				continue
			}
		}
		result.Repositories = append(result.Repositories, p.result)
		out.WriteString(p.text(app.columns()))
	}
	if err := app.PrintResult(result, out.String()); err != nil {
		return err
	}
	for _, r := range result.Repositories {
		if r.Changed && !f.dryRun {
			app.Messagef("lifecycle policy put on %s", r.Repository)
		}
	}
	if f.dryRun {
		app.dryRunDone()
	}
	return partly(len(result.Repositories), failures)
}

// recheck makes sure that what was shown still holds: an answer can take long.
func (p lifecyclePut) recheck(ctx context.Context, manifests governance.Manifests) error {
	now, err := p.registry.LifecycleEffect(ctx, p.name, p.effect.Policy, p.effect.After.At, manifests)
	if err != nil {
		return fmt.Errorf("what the policy would do is not known any more, so it is not put: %w", err)
	}
	shown := map[digest.Digest]bool{}
	for i, v := range p.effect.After.Verdicts {
		shown[p.effect.Inventory.Images[i].Digest] = v.Outcome == lifecycle.Expire
	}
	for i, v := range now.After.Verdicts {
		if image := now.Inventory.Images[i]; v.Outcome == lifecycle.Expire && !shown[image.Digest] {
			return fmt.Errorf("%s gets no policy: it changed meanwhile, and image %s would expire, which was not shown; look again", p.place, image.Digest)
		}
	}
	return nil
}

// lintedPolicy reads a policy that Amazon ECR takes, and reports what may surprise.
func (app *App) lintedPolicy(name string) (string, *lifecycle.Policy, error) {
	text, err := app.readPolicyText(name)
	if err != nil {
		return "", nil, err
	}
	policy, err := lifecycle.Parse(text)
	if err != nil {
		return "", nil, wrongDocument(name, text, lifecyclePolicy, fmt.Errorf("%w; see `ecrkit lifecycle lint`", err))
	}
	for _, p := range lifecycle.Lint(text) {
		if p.Severity == lifecycle.SeverityWarning {
			app.Messagef("warning: %s", printable(p.String()))
		}
	}
	return string(text), policy, nil
}

func newPutLifecycle(place string, e governance.LifecycleEffect, text string) putLifecycle {
	in := evaluationInput{inventory: e.Inventory, live: true}
	p := putLifecycle{
		Repository: place, Changed: !e.Same(text), Summary: e.After.Summary(), PresentSummary: e.Before.Summary(),
		policyDifference: newPolicyDifference(in, e.Before, e.After, e.Policy),
	}
	if e.PresentErr != nil {
		p.Notes = append(p.Notes, e.PresentErr.Error())
	}
	return p
}

// showPut shows on stderr what a policy would do.
func (app *App) showPut(p lifecyclePut) {
	if !app.Quiet {
		fmt.Fprint(app.Stderr, p.text(app.terminalColumns()))
	}
}

// text is what becomes of a repository, for people.
func (p lifecyclePut) text(columns int) string {
	if !p.result.Changed {
		return p.place + ": it has this policy already\n"
	}
	present := "with the present policy as many"
	switch {
	case p.effect.Present == "":
		present = "there is no policy now"
	case p.effect.PresentErr != nil:
		present = "what the present policy does is not known"
	case p.result.PresentSummary != p.result.Summary:
		present = "with the present policy: " + summaryLine(p.result.PresentSummary)
	}
	var out strings.Builder
	say := func(what string) {
		out.WriteString(safetext.Hang("", p.place+": "+what, "  ", columns))
	}
	say("within 24 hours " + summaryLine(p.result.Summary) + "; " + present)
	for _, note := range p.result.Notes {
		say(printable(note))
	}
	d := p.effect.Difference()
	if len(d.Expired)+len(d.Saved)+len(d.Archived)+len(d.Unarchived) > 0 {
		out.WriteString(differenceTable(p.effect.Inventory, p.effect.Before, p.effect.After, columns))
	}
	return out.String()
}
