package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/lifecycle"
)

const repoApplyHelp = `Apply the desired state of repositories and the settings of their registry.

  ecrkit repo apply repositories.yaml --dry-run
  ecrkit repo apply repositories.yaml
  ecrkit repo apply repositories.yaml HOST --max-expire 5%

FILE is YAML or JSON, - is stdin (see docs/repositories.md):

  version: 1
  defaults:
    tagMutability: IMMUTABLE
    kmsKey: alias/images
    resourceTags: {team: core}
    lifecyclePolicyFile: lifecycle.json
  repositories:
    - name: team/app
    - name: team/dev
      mutabilityExclusions: ["dev-*"]
  scanning:
    type: BASIC
    rules: [{frequency: SCAN_ON_PUSH, filters: ["*"]}]
  registryPolicyFile: registry-policy.json
  pullThrough:
    - {prefix: quay, upstream: quay.io}
  replication:
    rules: [{destinations: [{region: eu-west-1}], repositoryFilters: [{filter: team/}]}]

What is missing is created, what differs is changed, and what the file does not mention stays as
it is. Repositories, images and pull-through cache rules are never deleted. The same again changes
nothing. A file with a mistake in any place is refused before any call (exit code 2).

A lifecycle policy deletes images within 24 hours. The command shows how many that would be. If it
is more than --max-expire allows for one repository, a number or a share of its images, nothing
is changed (exit code 5). The same applies to a repository or registry policy that lets in
everybody, without --allow-everybody. The encryption of a repository and the upstream of a
pull-through cache rule cannot be changed: the rest is done, and the exit code is 5.

On a terminal it shows the differences and asks; --yes does not ask. Where there is no terminal it
does not ask either. --dry-run shows the differences and changes nothing, with the exit code
of a run that does; with --fail-on-drift the exit code is 5 if there are any differences.
The registry is HOST, else the one that FILE names, else $ECRKIT_REGISTRY.

ecrkit repo export writes such a file of what exists.

Prints each change, for policies line by line, or with --output json one object: dryRun,
applied (false for a dry run or if it was refused), registry, host, steps (object, action:
create, change, remove or impossible, setting, from, to, effect: what ecrkit lifecycle
evaluate has as summary, error). If some steps fail, the others are done (exit code 3).`

// repoApplyFlags are the flags of `ecrkit repo apply`.
type repoApplyFlags struct {
	dryRun, failOnDrift, everybody, yes bool
	maxExpire                           string
}

func newRepoApplyCommand(app *App) *cobra.Command {
	var f repoApplyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE [HOST]",
		Short: "Apply the desired state of repositories",
		Long:  repoApplyHelp,
		Args:  arguments(1, "FILE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.applyRepositories(cmd.Context(), args[0], optional(args, 1), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what differs, and change nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.failOnDrift, "fail-on-drift", false, "with --dry-run: exit code 5 if anything differs")
	flags.StringVar(&f.maxExpire, "max-expire", "0", "change nothing if a lifecycle policy would expire more images of a repository: a `number`, or a share, as 10%")
	flags.BoolVar(&f.everybody, "allow-everybody", false, "set policies that let in everybody, too")
	return cmd
}

// applied is the JSON form of the result of `repo apply`.
type applied struct {
	DryRun   bool          `json:"dryRun"`
	Applied  bool          `json:"applied"`
	Registry string        `json:"registry"`
	Host     string        `json:"host"`
	Steps    []appliedStep `json:"steps"`
}

// appliedStep is the JSON form of a step.
type appliedStep struct {
	governance.Step
	Error *failure `json:"error,omitempty"`
}

func appliedSteps(steps []governance.Step) []appliedStep {
	all := []appliedStep{}
	for _, step := range steps {
		one := appliedStep{Step: step}
		if step.Err != nil {
			one.Error = failureOf(step.Object, step.Err)
		}
		all = append(all, one)
	}
	return all
}

func (app *App) applyRepositories(ctx context.Context, path, host string, f repoApplyFlags) error {
	limit, err := lifecycle.ParseExpiryLimit(f.maxExpire)
	switch {
	case err != nil:
		return usagef("--max-expire %w", err)
	case f.failOnDrift && !f.dryRun:
		return usagef("--fail-on-drift needs --dry-run")
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case path == "-" && app.Interactive && !f.yes && !f.dryRun:
		return usagef("repo apply asks before it changes anything, and stdin is the file; pass --yes, or --dry-run to see what would change")
	}
	desired, err := app.readDesired(path)
	if err != nil {
		return err
	}
	if host != "" && desired.Registry != "" && host != desired.Registry {
		return usagef("%s is about %s, not %s", showFile(path), desired.Registry, host)
	}
	if host == "" {
		host = desired.Registry
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	if desired, err = desired.For(r); err != nil {
		return usagef("%s: %w", showFile(path), err)
	}
	state, err := r.ReadState(ctx, desired)
	switch {
	case errors.Is(err, governance.ErrNoCredential):
		return usagef("%s: %w; add credentialArn, the ARN of a secret in AWS Secrets Manager", showFile(path), err)
	case err != nil:
		return err
	}
	steps := governance.NewPlan(r, desired, state)
	if err := r.Effects(ctx, steps, app.Now().Add(governance.LifecycleDelay)); err != nil {
		return err
	}
	result := applied{DryRun: f.dryRun, Registry: r.String(), Host: r.Host}
	refused := refusals(steps, limit, f.everybody)
	done, failures := 0, []error(nil)
	possible := slices.ContainsFunc(steps, func(s governance.Step) bool { return s.Action != governance.ActionImpossible })
	asks := app.Interactive && !f.yes && !f.dryRun && refused == nil && possible
	if asks {
		if err := app.confirmSteps(ctx, r.String(), steps); err != nil {
			return err
		}
	}
	if !f.dryRun && refused == nil {
		result.Applied = true
		done, failures = r.Do(ctx, steps)
	}
	result.Steps = appliedSteps(steps)
	text := stepsText(steps)
	if asks && len(failures) == 0 { // it was shown with the question
		text = ""
	}
	if err := app.PrintResult(result, text); err != nil {
		return err
	}
	app.Messagef("%s", summaryOfSteps(r.String(), steps, f.dryRun, done))
	if slices.ContainsFunc(steps, func(s governance.Step) bool { return s.Setting == governance.SettingReplication }) {
		app.remindOfAccounts(r, *desired.Replication)
	}
	impossible := impossibilities(steps)
	switch {
	case refused != nil:
		return refused
	case f.dryRun && f.failOnDrift && len(steps) > 0:
		return gatef("%s of %s", english.Plural(len(steps), "difference", ""), r)
	case f.dryRun:
		app.dryRunDone()
		return errors.Join(impossible...) // as without --dry-run
	case len(failures) > 0:
		return partly(done, append(failures, impossible...))
	}
	return errors.Join(impossible...)
}

// confirmSteps shows the steps and asks whether to do them.
func (app *App) confirmSteps(ctx context.Context, registry string, steps []governance.Step) error {
	fmt.Fprint(app.Stderr, stepsText(steps))
	app.Messagef("%s", summaryOfSteps(registry, steps, true, 0))
	yes, err := app.ask(ctx, "Apply?")
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// readDesired reads the file; files that it names are beside it.
func (app *App) readDesired(path string) (governance.Desired, error) {
	in := app.stdin()
	if path != "-" {
		f, err := app.openText(path)
		if err != nil {
			return governance.Desired{}, usageError{err}
		}
		defer f.Close() // opened for reading
		in = f
	}
	desired, err := governance.ParseDesired(in, func(name string) ([]byte, error) {
		if path != "-" && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return app.readPolicyText(name)
	})
	if err != nil {
		return desired, app.wrongFile(path, err)
	}
	return desired, nil
}

// refusals report why a plan is not carried out.
func refusals(steps []governance.Step, limit lifecycle.ExpiryLimit, everybody bool) error {
	var all []error
	for _, step := range steps {
		switch {
		case step.Effect != nil && !limit.Allows(*step.Effect):
			all = append(all, gatef("%s: its lifecycle policy would expire %d of %s, more than --max-expire %s allows; nothing was changed",
				step.Object, step.Effect.Expire, english.Plural(step.Effect.Images, "image", ""), limit))
		case (step.Setting == "policy" || step.Setting == governance.SettingRegistryPolicy) && step.To != "" && !everybody:
			document, err := repopolicy.Parse([]byte(step.To))
			switch open := document.Open(); {
			case err != nil:
				all = append(all, fmt.Errorf("%s: %s: %w", step.Object, step.Setting, err))
			case len(open) > 0:
				all = append(all, gatef("%s: statement %d of its policy lets in everybody, any AWS account; nothing was changed; --allow-everybody does it nevertheless",
					step.Object, open[0].Number))
			}
		}
	}
	return errors.Join(all...)
}

func impossibilities(steps []governance.Step) []error {
	var all []error
	for _, step := range steps {
		if step.Action != governance.ActionImpossible {
			continue
		}
		advice := "create another repository, and copy the images with `ecrkit copy --all-tags`"
		if prefix, ok := strings.CutPrefix(step.Setting, governance.SettingCacheRule+" "); ok {
			advice = "remove the rule with `ecrkit registry pull-through rm " + prefix + "`, and apply again"
		}
		all = append(all, gatef("%s: %s is %s, and cannot be changed into %s; %s", step.Object, step.Setting, step.From, step.To, advice))
	}
	return all
}

// stepsText has a line for each step, and one for the effect of a lifecycle policy.
func stepsText(steps []governance.Step) string {
	if len(steps) == 0 {
		return "no changes\n"
	}
	signs := map[string]string{governance.ActionCreate: "+", governance.ActionChange: "~", governance.ActionRemove: "-", governance.ActionImpossible: "!"}
	var text strings.Builder
	for _, step := range steps {
		line := fmt.Sprintf("%s %s %s", signs[step.Action], step.Object, settingChange{step.Setting, step.From, step.To})
		if step.Action == governance.ActionImpossible {
			line += " is impossible"
		}
		text.WriteString(printableLines(line) + "\n")
		if step.Effect != nil {
			text.WriteString("    " + summaryLine(*step.Effect) + "\n")
		}
		if step.Err != nil {
			text.WriteString("    failed: " + printable(step.Err.Error()) + "\n")
		}
	}
	return text.String()
}

// summaryOfSteps reports in a line what was done, or would be.
func summaryOfSteps(registry string, steps []governance.Step, dryRun bool, done int) string {
	counts := map[string]int{}
	for _, step := range steps {
		counts[step.Action]++
	}
	var parts []string
	for _, action := range []string{governance.ActionCreate, governance.ActionChange, governance.ActionRemove, governance.ActionImpossible} {
		switch n := counts[action]; {
		case n == 0:
		case action == governance.ActionImpossible:
			parts = append(parts, fmt.Sprintf("%d impossible", n))
		default:
			parts = append(parts, fmt.Sprintf("%d to %s", n, action))
		}
	}
	switch {
	case len(steps) == 0:
		return registry + ": no changes"
	case dryRun:
		return fmt.Sprintf("%s: %s: %s", registry, english.Plural(len(steps), "difference", ""), strings.Join(parts, ", "))
	}
	return fmt.Sprintf("%s: %d of %s done", registry, done, english.Plural(len(steps), "change", ""))
}
