package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleDiffHelp = `Say which images a lifecycle policy expires that another does not.

  ecrkit lifecycle diff old.json new.json --images images.json
  aws ecr get-lifecycle-policy --repository-name app |
      ecrkit lifecycle diff - new.json --images images.json --at +90d

Prints the images whose fate changes if NEW takes the place of OLD: + expire are images
that expire with NEW only, - expire those that OLD expires and NEW saves; and so for those
that are archived. With --output json one object: evaluatedAt, expired, saved, archived,
unarchived (lists of results as of ecrkit lifecycle evaluate, with the reason in NEW),
oldBytes and newBytes (what the images that expire leave free: bytes, and sharedOnce: each
layer counted once, and none that stays), notes. See ecrkit lifecycle evaluate --help for
--images and --at.`

// policyDifference is the JSON form of a difference.
type policyDifference struct {
	EvaluatedAt time.Time        `json:"evaluatedAt"`
	Expired     []evaluatedImage `json:"expired"`
	Saved       []evaluatedImage `json:"saved"`
	Archived    []evaluatedImage `json:"archived"`
	Unarchived  []evaluatedImage `json:"unarchived"`
	OldBytes    lifecycle.Bytes  `json:"oldBytes"`
	NewBytes    lifecycle.Bytes  `json:"newBytes"`
	Notes       []string         `json:"notes"`
}

func newLifecycleDiffCommand(app *App) *cobra.Command {
	var f evaluationFlags
	cmd := &cobra.Command{
		Use:   "diff OLD NEW --images FILE",
		Short: "Compare what two policies do",
		Long:  lifecycleDiffHelp,
		Args:  arguments(0, "OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.diffPolicies(cmd.Context(), args[0], args[1], f)
		},
	}
	f.add(cmd, false)
	return cmd
}

func (app *App) diffPolicies(ctx context.Context, oldName, newName string, f evaluationFlags) error {
	if err := f.check(oldName, newName); err != nil {
		return err
	}
	at, err := f.time(app.Now())
	if err != nil {
		return err
	}
	oldPolicy, err := app.readPolicy(oldName)
	if err != nil {
		return err
	}
	newPolicy, err := app.readPolicy(newName)
	if err != nil {
		return err
	}
	inventory, err := app.loadInventory(ctx, f.images)
	if err != nil {
		return err
	}
	before, after := lifecycle.Evaluate(oldPolicy, inventory.Images, at), lifecycle.Evaluate(newPolicy, inventory.Images, at)
	d := lifecycle.Diff(before, after)
	notes := evaluationNotes(inventory, after, newPolicy)
	for _, note := range notes {
		app.Messagef("%s", note)
	}
	columns := app.columns()
	t := table{header: []string{"CHANGE", "DIGEST", "PUSHED", "SIZE", "TAGS", "WHY"}}
	list := func(change string, numbers []int, e lifecycle.Evaluation) []evaluatedImage {
		images := []evaluatedImage{}
		for _, i := range numbers {
			image := inventory.Images[i]
			images = append(images, newEvaluatedImage(image, after, i))
			t.add(change, showDigest(image.Digest, columns), image.PushedAt.Format(time.DateOnly), showSize(image.Size), cut(showTags(image.Tags), 40, columns > 0), e.Reason(i))
		}
		return images
	}
	result := policyDifference{
		EvaluatedAt: after.At,
		Expired:     list("+ expire", d.Expired, after), Saved: list("- expire", d.Saved, after),
		Archived: list("+ archive", d.Archived, after), Unarchived: list("- archive", d.Unarchived, after),
		OldBytes: d.OldBytes, NewBytes: d.NewBytes, Notes: notes,
	}
	var out strings.Builder
	_ = t.print(&out, columns) // a strings.Builder takes everything
	fmt.Fprintf(&out, "%d more expire, %d are saved; the old policy frees %s, the new one %s\n", len(d.Expired), len(d.Saved), bytesWords(d.OldBytes), bytesWords(d.NewBytes))
	return app.PrintResult(result, out.String())
}
