package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleEvaluateHelp = `Say which images a lifecycle policy expires or archives, and why.

  aws ecr describe-images --repository-name app --filter imageStatus=ANY >images.json
  ecrkit lifecycle evaluate --policy policy.json --images images.json
  ecrkit lifecycle evaluate --policy policy.json --images images.json --at +30d
  ecrkit lifecycle evaluate --policy policy.json --images images.json --max-expire 10%

--images is the output of aws ecr describe-images, one or more pages, in one or more
files. That does not tell what an index (a multi-platform image) lists, which Amazon ECR
does not touch while the index is there: unless files with the output of aws ecr
batch-get-image tell it, more images may be shown than Amazon ECR acts on, and never
fewer. Those manifests also tell which layers images share, so that the bytes are exact.

--at is a time, or how far it is from now: what is there now is taken to be there then,
and nothing else. --max-expire is a gate: exit code 5 if more images expire, a number or
a share of all.

Prints the images that go, or --all, and a line with the sum. With --output json one
object: evaluatedAt, repository if it is known, results, summary, notes. Of a result
imageDigest, imageTags, imagePushedAt, imageSizeInBytes, action (EXPIRE, TRANSITION to the
archive or KEEP), rulePriority of the rule that acts, reason, shieldedBy (priorities of
rules that keep a later one from acting), identifiedBy (of all rules that select the
image), listedBy (an index that keeps it), follows (its subject, whose fate it shares). Of
the summary images, keep, expire, transition, expireBytes and transitionBytes (bytes, and
sharedOnce: each layer counted once, and none that stays), later (images that become free
to expire because their index goes), unknownIndexes. What is not known is left out.`

// evaluatedImage is the JSON form of the verdict on an image.
type evaluatedImage struct {
	ImageDigest      digest.Digest     `json:"imageDigest"`
	ImageTags        []string          `json:"imageTags"`
	ImagePushedAt    time.Time         `json:"imagePushedAt"`
	ImageSizeInBytes int64             `json:"imageSizeInBytes,omitempty"`
	Action           lifecycle.Outcome `json:"action"`
	RulePriority     int               `json:"rulePriority,omitempty"`
	Reason           string            `json:"reason"`
	ShieldedBy       []int             `json:"shieldedBy"`
	IdentifiedBy     []int             `json:"identifiedBy"`
	ListedBy         digest.Digest     `json:"listedBy,omitempty"`
	Follows          digest.Digest     `json:"follows,omitempty"`
}

// evaluated is the JSON form of an evaluation.
type evaluated struct {
	EvaluatedAt time.Time         `json:"evaluatedAt"`
	Repository  string            `json:"repository,omitempty"`
	Results     []evaluatedImage  `json:"results"`
	Summary     lifecycle.Summary `json:"summary"`
	Notes       []string          `json:"notes"`
}

func newLifecycleEvaluateCommand(app *App) *cobra.Command {
	var f evaluationFlags
	var all bool
	var limit string
	cmd := &cobra.Command{
		Use:   "evaluate --policy FILE --images FILE",
		Short: "Say which images a policy expires, and why",
		Long:  lifecycleEvaluateHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.evaluate(cmd.Context(), f, all, limit) },
	}
	f.add(cmd, true)
	cmd.Flags().BoolVar(&all, "all", false, "show the images that stay, too")
	cmd.Flags().StringVar(&limit, "max-expire", "", "end with exit code 5 if more images expire: a `number`, or a share of all, as 10%")
	return cmd
}

func (app *App) evaluate(ctx context.Context, f evaluationFlags, all bool, maxExpire string) error {
	if err := f.check(f.policy); err != nil {
		return err
	}
	at, err := f.time(app.Now())
	if err != nil {
		return err
	}
	var limit lifecycle.Limit
	if maxExpire != "" {
		if limit, err = lifecycle.ParseLimit(maxExpire); err != nil {
			return usagef("--max-expire %w", err)
		}
	}
	policy, err := app.readPolicy(f.policy)
	if err != nil {
		return err
	}
	inventory, err := app.loadInventory(ctx, f.images)
	if err != nil {
		return err
	}
	e := lifecycle.Evaluate(policy, inventory.Images, at)
	summary := e.Summary()
	notes := evaluationNotes(inventory, summary, policy)
	for _, note := range notes {
		app.Messagef("%s", note)
	}
	if err := app.printEvaluation(inventory, e, summary, notes, all); err != nil {
		return err
	}
	if maxExpire != "" && !limit.Allows(summary) {
		return gatef("%s of %d would expire, more than --max-expire %s allows", english.Plural(summary.Expire, "image", ""), summary.Images, limit)
	}
	return nil
}

func (app *App) printEvaluation(inventory lifecycle.Inventory, e lifecycle.Evaluation, summary lifecycle.Summary, notes []string, all bool) error {
	if app.Output == outputJSON {
		result := evaluated{EvaluatedAt: e.At, Repository: inventory.Repository, Results: []evaluatedImage{}, Summary: summary, Notes: notes}
		for i, image := range inventory.Images {
			result.Results = append(result.Results, newEvaluatedImage(image, e, i))
		}
		return app.PrintResult(result, "")
	}
	columns := app.columns()
	t := table{header: []string{"ACTION", "DIGEST", "PUSHED", "SIZE", "TAGS", "WHY"}}
	for _, i := range evaluationOrder(inventory.Images, e) {
		image, v := inventory.Images[i], e.Verdicts[i]
		if v.Outcome != lifecycle.Keep || all {
			t.add(actionWord(v.Outcome), showDigest(image.Digest, columns), image.PushedAt.Format(time.DateOnly), showSize(image.Size),
				cut(showTags(image.Tags), 40, columns > 0), e.Reason(i))
		}
	}
	if err := t.print(app.Stdout, columns); err != nil {
		return err
	}
	_, err := fmt.Fprintln(app.Stdout, summaryLine(summary))
	return err
}

func newEvaluatedImage(image lifecycle.Image, e lifecycle.Evaluation, i int) evaluatedImage {
	v := e.Verdicts[i]
	return evaluatedImage{
		ImageDigest: image.Digest, ImageTags: append([]string{}, image.Tags...), ImagePushedAt: image.PushedAt, ImageSizeInBytes: image.Size,
		Action: v.Outcome, RulePriority: v.Rule, Reason: e.Reason(i),
		ShieldedBy: append([]int{}, v.ShieldedBy()...), IdentifiedBy: append([]int{}, v.IdentifiedBy()...), ListedBy: v.ListedBy, Follows: v.Follows,
	}
}

// evaluationOrder gives the numbers of the images: those that expire, those that are
// archived, those that stay, each the oldest first.
func evaluationOrder(images []lifecycle.Image, e lifecycle.Evaluation) []int {
	order := make([]int, len(images))
	for i := range order {
		order[i] = i
	}
	rank := map[lifecycle.Outcome]int{lifecycle.Expire: 0, lifecycle.Transition: 1, lifecycle.Keep: 2}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := rank[e.Verdicts[a].Outcome] - rank[e.Verdicts[b].Outcome]; d != 0 {
			return d
		}
		return images[a].PushedAt.Compare(images[b].PushedAt)
	})
	return order
}

// actionWord is an outcome for people.
func actionWord(o lifecycle.Outcome) string {
	switch o {
	case lifecycle.Expire:
		return "expire"
	case lifecycle.Transition:
		return "archive"
	}
	return "keep"
}

// summaryLine is the sum, as "3 of 7 images expire (at most 150 MiB), 4 stay".
func summaryLine(s lifecycle.Summary) string {
	line := fmt.Sprintf("%d of %s expire", s.Expire, english.Plural(s.Images, "image", ""))
	if s.Expire > 0 {
		line += " (" + bytesWords(s.ExpireBytes) + ")"
	}
	if s.Transition > 0 {
		line += fmt.Sprintf(", %d go to the archive (%s)", s.Transition, bytesWords(s.TransitionBytes))
	}
	return line + fmt.Sprintf(", %d stay", s.Keep)
}

// bytesWords is an amount of storage for people.
func bytesWords(b lifecycle.Bytes) string {
	size := humanize.IBytes(uint64(b.Bytes))
	if b.SharedOnce || b.Bytes == 0 {
		return size
	}
	return "at most " + size
}

// evaluationNotes says what to know of the result.
func evaluationNotes(inventory lifecycle.Inventory, s lifecycle.Summary, policy *lifecycle.Policy) []string {
	notes := []string{}
	if s.UnknownIndexes > 0 {
		notes = append(notes, fmt.Sprintf("it is not known what %s: Amazon ECR leaves such images alone, so it may act on fewer images than these; "+
			"add the output of aws ecr batch-get-image for the indexes to --images", english.Plural(s.UnknownIndexes, "index lists", "indexes list")))
	}
	if s.Later > 0 {
		notes = append(notes, fmt.Sprintf("%s while an index is there that goes now; a later run is free to act on them", english.Plural(s.Later, "image stays", "images stay")))
	}
	archived := slices.ContainsFunc(inventory.Images, func(i lifecycle.Image) bool { return i.Status == lifecycle.StatusArchived })
	if !archived && slices.ContainsFunc(policy.Rules(), func(r lifecycle.Rule) bool { return r.Selection.Class() == lifecycle.Archive }) {
		notes = append(notes, "the policy has a rule about archived images, and the list has none: aws ecr describe-images lists them with --filter imageStatus=ANY only")
	}
	return notes
}
