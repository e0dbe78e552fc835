package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// previewDifference is the JSON form of an image on which a preview of Amazon ECR
// does not agree.
type previewDifference struct {
	ImageDigest         digest.Digest     `json:"imageDigest"`
	ImageTags           []string          `json:"imageTags"`
	Action              lifecycle.Outcome `json:"action"`
	RulePriority        int               `json:"rulePriority,omitempty"`
	PreviewAction       lifecycle.Outcome `json:"previewAction"`
	PreviewRulePriority int               `json:"previewRulePriority,omitempty"`
	Reason              string            `json:"reason"`
}

// comparePreview compares an evaluation with a preview of Amazon ECR.
func comparePreview(inventory lifecycle.Inventory, e lifecycle.Evaluation, preview lifecycle.Preview) []previewDifference {
	differences := []previewDifference{}
	for _, m := range e.Compare(preview) {
		d := previewDifference{
			ImageDigest: m.Digest, ImageTags: []string{}, Action: m.Ours.Outcome, RulePriority: m.Ours.Rule,
			PreviewAction: m.Theirs.Outcome, PreviewRulePriority: m.Theirs.Rule, Reason: "it is not in the list of images",
		}
		if m.Number >= 0 {
			d.ImageTags, d.Reason = append(d.ImageTags, inventory.Images[m.Number].Tags...), e.Reason(m.Number)
		}
		differences = append(differences, d)
	}
	return differences
}

// differencesText shows them to people.
func differencesText(differences []previewDifference, columns int) string {
	if len(differences) == 0 {
		return "the preview of Amazon ECR agrees\n"
	}
	action := func(o lifecycle.Outcome, rule int) string {
		if rule == 0 {
			return actionWord(o)
		}
		return fmt.Sprintf("%s (rule %d)", actionWord(o), rule)
	}
	t := table{header: []string{"DIGEST", "HERE", "AMAZON ECR", "TAGS", "WHY"}, wrap: true}
	for _, d := range differences {
		t.add(showDigest(d.ImageDigest, columns), action(d.Action, d.RulePriority), action(d.PreviewAction, d.PreviewRulePriority), showTags(d.ImageTags), d.Reason)
	}
	var out strings.Builder
	out.WriteByte('\n')
	_ = t.print(&out, columns) // a strings.Builder takes everything
	return out.String()
}

// disagreement is the error of a preview that does not agree, or nil.
func disagreement(differences []previewDifference) error {
	if len(differences) == 0 {
		return nil
	}
	return fmt.Errorf("the preview of Amazon ECR does not agree on %s; were the images listed, and the preview made, at the same time?",
		english.Plural(len(differences), "image", ""))
}
