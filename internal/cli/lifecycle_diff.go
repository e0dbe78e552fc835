package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleDiffHelp = `Show which images a lifecycle policy expires that another does not.

  ecrkit lifecycle diff new.json --images HOST/app
  ecrkit lifecycle diff old.json new.json --images images.json
  aws ecr get-lifecycle-policy --repository-name app |
      ecrkit lifecycle diff - new.json --images images.json --at +90d

Without OLD it is the present policy of the repository, which --images must name then.

Prints the images whose fate changes if NEW takes the place of OLD: + expire are images
that expire with NEW only, - expire those that expire with OLD only; likewise for images
that are archived. With --output json one object: evaluatedAt, expired, saved, archived,
unarchived (lists of results as of ecrkit lifecycle evaluate, with the reason in NEW),
oldBytes and newBytes (what the images that expire leave free: bytes, and sharedOnce:
each layer counted once, and none that stays), notes. See ecrkit lifecycle evaluate
--help for --images and --at.`

// policyDifference is the JSON form of a difference.
type policyDifference struct {
	EvaluatedAt time.Time             `json:"evaluatedAt"`
	Expired     []evaluatedImage      `json:"expired"`
	Saved       []evaluatedImage      `json:"saved"`
	Archived    []evaluatedImage      `json:"archived"`
	Unarchived  []evaluatedImage      `json:"unarchived"`
	OldBytes    lifecycle.StorageSize `json:"oldBytes"`
	NewBytes    lifecycle.StorageSize `json:"newBytes"`
	Notes       []string              `json:"notes"`
}

func newLifecycleDiffCommand(app *App) *cobra.Command {
	var f evaluationFlags
	cmd := &cobra.Command{
		Use:   "diff [OLD] NEW --images FILE|REPO",
		Short: "Compare what two policies do",
		Long:  lifecycleDiffHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return arguments(0, "OLD", "NEW")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				args = []string{"", args[0]}
			}
			return app.diffPolicies(cmd.Context(), args[0], args[1], f)
		},
	}
	f.add(cmd, false)
	return cmd
}

func (app *App) diffPolicies(ctx context.Context, oldName, newName string, f evaluationFlags) error {
	in, err := app.evaluationInput(ctx, f, oldName, newName)
	if err != nil {
		return err
	}
	before, after := lifecycle.Evaluate(in.policies[0], in.inventory.Images, in.at), lifecycle.Evaluate(in.policies[1], in.inventory.Images, in.at)
	result := newPolicyDifference(in, before, after, in.policies[1])
	for _, note := range result.Notes {
		app.Messagef("%s", note)
	}
	text := differenceTable(in.inventory, before, after, app.columns())
	text += fmt.Sprintf("%d more %s, %d %s saved; the old policy frees %s, the new one %s\n",
		len(result.Expired), english.PluralWord(len(result.Expired), "expires", "expire"), len(result.Saved), english.PluralWord(len(result.Saved), "is", "are"), bytesWords(result.OldBytes), bytesWords(result.NewBytes))
	return app.PrintResult(result, text)
}

// newPolicyDifference compares two evaluations of the same images; policy is that of
// after.
func newPolicyDifference(in evaluationInput, before, after lifecycle.Evaluation, policy *lifecycle.Policy) policyDifference {
	d := lifecycle.Diff(before, after)
	list := func(numbers []int) []evaluatedImage {
		images := []evaluatedImage{}
		for _, i := range numbers {
			images = append(images, newEvaluatedImage(in.inventory.Images[i], after, i))
		}
		return images
	}
	return policyDifference{
		EvaluatedAt: after.At, Expired: list(d.Expired), Saved: list(d.Saved), Archived: list(d.Archived), Unarchived: list(d.Unarchived),
		OldBytes: d.OldBytes, NewBytes: d.NewBytes, Notes: evaluationNotes(in, after, policy),
	}
}

// differenceTable shows the images to people.
func differenceTable(inventory lifecycle.Inventory, before, after lifecycle.Evaluation, columns int) string {
	d := lifecycle.Diff(before, after)
	t := table{header: []string{"CHANGE", "DIGEST", "PUSHED", "SIZE", "TAGS", "WHY"}, wrap: true}
	for _, list := range []struct {
		change  string
		numbers []int
	}{{"+ expire", d.Expired}, {"- expire", d.Saved}, {"+ archive", d.Archived}, {"- archive", d.Unarchived}} {
		for _, i := range list.numbers {
			image := inventory.Images[i]
			t.add(list.change, showDigest(image.Digest, columns), image.PushedAt.Format(time.DateOnly), showSize(image.Size), showTags(image.Tags), after.Reason(i))
		}
	}
	var out strings.Builder
	_ = t.print(&out, columns) // a strings.Builder takes everything
	return out.String()
}
