package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleExplainHelp = `Show what each rule of a lifecycle policy does with one image.

  ecrkit lifecycle explain v1.2 --images HOST/app
  ecrkit lifecycle explain v1.2 --policy policy.json --images images.json
  ecrkit lifecycle explain 4f53cda18c2b --policy policy.json --images images.json --at +1w

IMAGE is a tag, or a digest or its beginning. A rule identifies an image, or does not; the
first that does is the only one that can act on it, and shields it from the others.

Prints what happens to the image, why, and how each rule sees it: none (the rule does not
identify it), acts, keeps, or shielded (it would act, but an earlier rule has identified
the image). With --output json one object: evaluatedAt, image as a result of ecrkit
lifecycle evaluate, rules, notes. Of a rule rulePriority, description, effect, reason,
tags (of the image that it matches), number and of: the place of the image among those
that the rule identifies, the newest being 1. See ecrkit lifecycle evaluate --help for
--images and --at.`

// explained is the JSON form of an explanation.
type explained struct {
	EvaluatedAt time.Time       `json:"evaluatedAt"`
	Image       evaluatedImage  `json:"image"`
	Rules       []explainedRule `json:"rules"`
	Notes       []string        `json:"notes"`
}

type explainedRule struct {
	RulePriority int              `json:"rulePriority"`
	Description  string           `json:"description,omitempty"`
	Effect       lifecycle.Effect `json:"effect"`
	Reason       string           `json:"reason"`
	Tags         []string         `json:"tags"`
	Number       int              `json:"number,omitempty"`
	Of           int              `json:"of,omitempty"`
}

func newLifecycleExplainCommand(app *App) *cobra.Command {
	var f evaluationFlags
	cmd := &cobra.Command{
		Use:   "explain IMAGE [--policy FILE] --images FILE|REPO",
		Short: "Show what each rule does with one image",
		Long:  lifecycleExplainHelp,
		Args:  arguments(0, "IMAGE"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.explainImage(cmd.Context(), args[0], f) },
	}
	f.add(cmd, true)
	return cmd
}

func (app *App) explainImage(ctx context.Context, name string, f evaluationFlags) error {
	in, err := app.evaluationInput(ctx, f, f.policy)
	if err != nil {
		return err
	}
	e := lifecycle.Evaluate(in.policies[0], in.inventory.Images, in.at)
	i, err := e.Find(name)
	if err != nil {
		return err
	}
	notes := evaluationNotes(in, e, in.policies[0])
	for _, note := range notes {
		app.Messagef("%s", note)
	}
	x := e.Explain(i)
	result := explained{EvaluatedAt: e.At, Image: newEvaluatedImage(x.Image, e, i), Rules: []explainedRule{}, Notes: notes}
	for _, r := range x.Rules {
		result.Rules = append(result.Rules, explainedRule{r.Rule.Priority, r.Rule.Description, r.Effect, r.Reason, append([]string{}, r.Tags...), r.Number, r.Of})
	}
	return app.PrintResult(result, app.explanationText(e.At, x))
}

func (app *App) explanationText(at time.Time, x lifecycle.Explanation) string {
	var out strings.Builder
	columns := app.columns()
	field := func(name, value string) { out.WriteString(safetext.Field(name, printable(value), 8, columns)) }
	field("Image", x.Image.Digest.String())
	field("Tags", showTags(x.Image.Tags))
	field("Pushed", x.Image.PushedAt.Format("2006-01-02 15:04:05 UTC"))
	for _, t := range []struct {
		name string
		time time.Time
	}{{"Pulled", x.Image.LastPulledAt}, {"Restored", x.Image.LastActivatedAt}, {"Archived", x.Image.LastArchivedAt}} {
		if !t.time.IsZero() {
			field(t.name, t.time.Format("2006-01-02 15:04:05 UTC"))
		}
	}
	action := actionWord(x.Verdict.Outcome)
	if x.Verdict.Rule > 0 {
		action += fmt.Sprintf(" by rule %d", x.Verdict.Rule)
	}
	field("Action", fmt.Sprintf("%s, at %s", action, at.Format("2006-01-02 15:04:05 UTC")))
	field("Why", x.Reason)
	out.WriteByte('\n')
	t := table{header: []string{"RULE", "EFFECT", "SELECTS", "WHY"}, wrap: true}
	for _, r := range x.Rules {
		t.add(strconv.Itoa(r.Rule.Priority), string(r.Effect), ruleWords(r.Rule), r.Reason)
	}
	_ = t.print(&out, columns) // a strings.Builder takes everything
	return out.String()
}

// ruleWords is a rule for people, as "prod* and eu*: expire all but 10".
func ruleWords(r lifecycle.Rule) string {
	s := r.Selection
	what := string(s.TagStatus)
	if s.TagStatus == lifecycle.Tagged {
		texts := append([]string{}, s.TagPatterns...)
		for _, prefix := range s.TagPrefixes {
			texts = append(texts, prefix+"*")
		}
		what = english.WordSeries(texts, "and")
	}
	if s.Class() == lifecycle.Archive {
		what += " in the archive"
	}
	verb := "expire"
	if r.Action.Type == lifecycle.ActionTransition {
		verb = "archive"
	}
	switch s.CountType {
	case lifecycle.ImageCountMoreThan:
		return fmt.Sprintf("%s: %s all but %d", what, verb, s.Count)
	case lifecycle.SinceImagePulled:
		return fmt.Sprintf("%s: %s %dd after pull", what, verb, s.Count)
	case lifecycle.SinceImageTransitioned:
		return fmt.Sprintf("%s: %s %dd after archival", what, verb, s.Count)
	}
	return fmt.Sprintf("%s: %s %dd after push", what, verb, s.Count)
}
