package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleLintHelp = `Check a lifecycle policy for errors, and for what may surprise.

  ecrkit lifecycle lint policy.json
  aws ecr get-lifecycle-policy --repository-name app | ecrkit lifecycle lint - --strict

An error is what Amazon ECR refuses. A warning is about a rule that probably does not do what was
meant: one that never acts because earlier rules shield its images (shadowed), one that wants tags
for all of several patterns (all-tags), one that counts images on which it cannot act (overlap),
patterns that match no tag (never-acts) or add nothing (redundant). A note explains something.
--ignore leaves a kind of warning or note out.

Prints each problem with its place in the text, or with --output json one object: file,
problems (severity error, warning or note; code; rulePriority; field; message; line;
column), errors, warnings, notes. If the file is the output of aws ecr
get-lifecycle-policy, lines are those of the text in it.

Exit code 1 if there is an error; 0 with warnings and notes, but with --strict 5 if there
is a warning.`

// lintedPolicy is the JSON form of a checked policy.
type lintedPolicy struct {
	File     string              `json:"file"`
	Problems []lifecycle.Problem `json:"problems"`
	Errors   int                 `json:"errors"`
	Warnings int                 `json:"warnings"`
	Notes    int                 `json:"notes"`
}

func newLifecycleLintCommand(app *App) *cobra.Command {
	var strict bool
	var ignore []string
	cmd := &cobra.Command{
		Use:   "lint FILE",
		Short: "Check a policy for errors and warnings",
		Long:  lifecycleLintHelp,
		Args:  arguments(0, "FILE"),
		RunE:  func(_ *cobra.Command, args []string) error { return app.lintPolicy(args[0], strict, ignore) },
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "end with exit code 5 if there is a warning")
	cmd.Flags().StringArrayVar(&ignore, "ignore", nil, "leave out warnings and notes of this `code`; may be repeated")
	return cmd
}

func (app *App) lintPolicy(name string, strict bool, ignore []string) error {
	text, err := app.readPolicyText(name)
	if err != nil {
		return err
	}
	linted := lintedPolicy{File: showFile(name), Problems: []lifecycle.Problem{}}
	var out strings.Builder
	for _, p := range lifecycle.Lint(text) {
		switch {
		case p.Severity == lifecycle.SeverityError:
			linted.Errors++
		case slices.Contains(ignore, p.Code):
			continue
		case p.Severity == lifecycle.SeverityWarning:
			linted.Warnings++
		default:
			linted.Notes++
		}
		linted.Problems = append(linted.Problems, p)
		fmt.Fprintf(&out, "%s:%d:%d: %s: %s [%s]\n", linted.File, p.Line, p.Column, p.Severity, printable(p.String()), p.Code)
	}
	if len(linted.Problems) == 0 {
		fmt.Fprintf(&out, "%s: no problem\n", linted.File)
	}
	if err := app.PrintResult(linted, out.String()); err != nil {
		return err
	}
	switch {
	case linted.Errors > 0:
		if is := documentOf(text); is != "" && is != lifecyclePolicy {
			return fmt.Errorf("%s: Amazon ECR refuses this as a lifecycle policy: this is %s", linted.File, is)
		}
		return fmt.Errorf("%s: Amazon ECR refuses this policy: %s", linted.File, english.Plural(linted.Errors, "error", ""))
	case strict && linted.Warnings > 0:
		return gatef("%s: %s; --ignore CODE leaves out what is meant so", linted.File, english.Plural(linted.Warnings, "warning", ""))
	}
	return nil
}
