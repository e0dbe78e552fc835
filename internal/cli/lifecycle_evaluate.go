package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/lifecycle"
)

const lifecycleEvaluateHelp = `Show which images a lifecycle policy expires or archives, and why.

  aws ecr describe-images --repository-name app --filter imageStatus=ANY >images.json
  ecrkit lifecycle evaluate --policy policy.json --images images.json
  ecrkit lifecycle evaluate --policy policy.json --images images.json --at +30d
  ecrkit lifecycle evaluate --policy policy.json --images images.json --max-expire 10%

--images is the output of aws ecr describe-images, one or more pages, in one or more
files. It does not contain which images an index (a multi-platform image) lists, and
Amazon ECR keeps those as long as the index exists. Without files with the output of aws
ecr batch-get-image, more images may be shown than Amazon ECR acts on, but never fewer.
Those manifests also contain which layers images share, so that the bytes are exact.

--at is a time, or how far it is from now. The images are those of now, without later
pushes and deletions. --max-expire is a gate: exit code 5 if more images expire, a
number or a share of all. --preview is a file with the output of aws ecr
get-lifecycle-policy-preview, with which the result is compared: exit code 1 if they do
not agree.

Prints the images that expire or are archived, or --all, and a line with the sum. With --output
json one object: evaluatedAt, repository if it is known, results, summary, notes. Of a result
imageDigest, imageTags, imagePushedAt, imageSizeInBytes, action (EXPIRE, TRANSITION to the archive
or KEEP), rulePriority of the rule that acts, reason, shieldedBy (priorities of rules that keep a
later one from acting), identifiedBy (of all rules that select the image), listedBy (an index that
keeps it), follows (its subject, whose fate it shares). Of the summary images, keep, expire,
transition, expireBytes and transitionBytes (bytes, and sharedOnce: each layer counted once, and
none that stays), later (images that become free to expire because their index goes),
unknownIndexes. With --preview also differences: imageDigest, imageTags, action and rulePriority of
ecrkit, previewAction and previewRulePriority of Amazon ECR, reason. What is not known is left out.`

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
	// Differences are those from a preview, nil without one.
	Differences *[]previewDifference `json:"differences,omitempty"`
}

// evaluateFlags are the flags of `lifecycle evaluate` alone.
type evaluateFlags struct {
	all       bool
	maxExpire string
	preview   string
}

func newLifecycleEvaluateCommand(app *App) *cobra.Command {
	var f evaluationFlags
	var own evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate [--policy FILE] --images FILE|REPO",
		Short: "Show which images a policy expires, and why",
		Long:  lifecycleEvaluateHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.evaluate(cmd.Context(), f, own) },
	}
	f.add(cmd, true)
	flags := cmd.Flags()
	flags.BoolVar(&own.all, "all", false, "also show the images that stay")
	flags.StringVar(&own.maxExpire, "max-expire", "", "exit code 5 if more images expire: a `number`, or a share of all, as 10%")
	flags.StringVar(&own.preview, "preview", "", "`file` with a preview of Amazon ECR to compare with")
	return cmd
}

func (app *App) evaluate(ctx context.Context, f evaluationFlags, own evaluateFlags) error {
	limit, err := parseMaxExpire(own.maxExpire)
	if err != nil {
		return err
	}
	in, err := app.evaluationInput(ctx, f, f.policy)
	if err != nil {
		return err
	}
	inventory, policy := in.inventory, in.policies[0]
	e := lifecycle.Evaluate(policy, inventory.Images, in.at)
	result := evaluated{EvaluatedAt: e.At, Repository: inventory.Repository, Summary: e.Summary(), Notes: evaluationNotes(in, e, policy)}
	var differences []previewDifference
	if own.preview != "" {
		preview, err := app.readPreview(own.preview)
		if err != nil {
			return err
		}
		differences = comparePreview(inventory, e, preview)
		result.Differences = &differences
	}
	if err := app.printEvaluation(inventory, e, result, own.all); err != nil {
		return err
	}
	if err := disagreement(differences); err != nil {
		return err
	}
	return checkMaxExpire(limit, result.Summary)
}

// parseMaxExpire reads --max-expire; nil is no limit.
func parseMaxExpire(text string) (*lifecycle.ExpiryLimit, error) {
	if text == "" {
		return nil, nil
	}
	limit, err := lifecycle.ParseExpiryLimit(text)
	if err != nil {
		return nil, usagef("--max-expire %w", err)
	}
	return &limit, nil
}

// checkMaxExpire is the gate of --max-expire.
func checkMaxExpire(limit *lifecycle.ExpiryLimit, s lifecycle.Summary) error {
	if limit == nil || limit.Allows(s) {
		return nil
	}
	return gatef("%s of %d would expire, more than --max-expire %s allows", english.Plural(s.Expire, "image", ""), s.Images, limit)
}

func (app *App) readPreview(name string) (lifecycle.Preview, error) {
	file, err := app.openText(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	preview, err := lifecycle.ReadPreview(file)
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	return preview, nil
}

// printEvaluation prints the result, to which it adds the images.
func (app *App) printEvaluation(inventory lifecycle.Inventory, e lifecycle.Evaluation, result evaluated, all bool) error {
	for _, note := range result.Notes {
		app.Messagef("%s", note)
	}
	if app.Output == outputJSON {
		result.Results = []evaluatedImage{}
		for i, image := range inventory.Images {
			result.Results = append(result.Results, newEvaluatedImage(image, e, i))
		}
		return app.PrintResult(result, "")
	}
	columns := app.columns()
	t := table{header: []string{"ACTION", "DIGEST", "PUSHED", "SIZE", "TAGS", "WHY"}, wrap: true}
	for _, i := range evaluationOrder(inventory.Images, e) {
		image, v := inventory.Images[i], e.Verdicts[i]
		if v.Outcome != lifecycle.Keep || all {
			t.add(actionWord(v.Outcome), showDigest(image.Digest, columns), image.PushedAt.Format(time.DateOnly), showSize(image.Size),
				showTags(image.Tags), e.Reason(i))
		}
	}
	if err := t.print(app.Stdout, columns); err != nil {
		return err
	}
	text := summaryLine(result.Summary) + "\n"
	if result.Differences != nil {
		text += differencesText(*result.Differences, columns)
	}
	_, err := io.WriteString(app.Stdout, text)
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

// evaluationOrder returns the numbers of the images: those that expire, those that are
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
	expiring := s.Expire
	if s.Images == 1 {
		expiring = 1 // 0 of 1 image expires
	}
	line := fmt.Sprintf("%d of %s %s", s.Expire, english.Plural(s.Images, "image", ""), english.PluralWord(expiring, "expires", "expire"))
	if s.Expire > 0 {
		line += " (" + bytesWords(s.ExpireBytes) + ")"
	}
	if s.Transition > 0 {
		line += fmt.Sprintf(", %d %s to the archive (%s)", s.Transition, english.PluralWord(s.Transition, "goes", "go"), bytesWords(s.TransitionBytes))
	}
	return line + fmt.Sprintf(", %d %s", s.Keep, english.PluralWord(s.Keep, "stays", "stay"))
}

// bytesWords is an amount of storage for people.
func bytesWords(b lifecycle.StorageSize) string {
	size := humanize.IBytes(uint64(b.Bytes))
	if b.SharedOnce || b.Bytes == 0 {
		return size
	}
	return "at most " + size
}

// evaluationNotes reports what to know of the result.
func evaluationNotes(in evaluationInput, e lifecycle.Evaluation, policy *lifecycle.Policy) []string {
	notes, inventory := []string{}, in.inventory
	s, after := e.Summary(), 0
	for _, image := range inventory.Images {
		if image.PushedAt.After(e.At) {
			after++
		}
	}
	if after > 0 {
		notes = append(notes, fmt.Sprintf("%s pushed after %s, and yet rules count them", english.Plural(after, "image was", "images were"), e.At.Format(time.RFC3339)))
	}
	if s.UnknownIndexes > 0 {
		next := "add the output of aws ecr batch-get-image for the indexes to --images"
		if in.live {
			next = "--manifests indexes reads them, which counts as a pull of each"
		}
		notes = append(notes, fmt.Sprintf("it is not known what %s: Amazon ECR leaves such images alone, so it may act on fewer images than these; %s",
			english.Plural(s.UnknownIndexes, "index lists", "indexes list"), next))
	}
	if s.Later > 0 {
		notes = append(notes, fmt.Sprintf("%s while an index is there that goes now; a later run is free to act on them", english.Plural(s.Later, "image stays", "images stay")))
	}
	archived := slices.ContainsFunc(inventory.Images, func(i lifecycle.Image) bool { return i.Status == lifecycle.StatusArchived })
	if !in.live && !archived && slices.ContainsFunc(policy.Rules(), func(r lifecycle.Rule) bool { return r.Selection.Class() == lifecycle.Archive }) {
		notes = append(notes, "the policy has a rule about archived images, and the list has none: aws ecr describe-images lists them with --filter imageStatus=ANY only")
	}
	return notes
}
