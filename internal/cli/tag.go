package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const tagHelp = `Add tags to an image, or an index, in its own repository.

  ecrkit tag 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2.3 1.2 1 latest
  ecrkit tag HOST/app@sha256:0123... stable
  ecrkit tag oci:build:1.2 latest

Nothing but the manifest is read, once, and its bytes are written again under each tag:
in Amazon ECR one BatchGetImage and one PutImage a tag. A tag that names another image
moves, unless it is immutable. All tags are tried. Where the policy requires signatures,
an image without them gets no tag (exit code 4).

Prints one line a tag, DIGEST, reference and what became of it: tagged, or
unchanged if it named the image before. With --output json one object: reference,
digest, mediaType, manifestSize, config, tags (an array of tag, status, previous,
error; the status is tagged, unchanged, conflict or failed), dryRun.

Exit code 5 if an immutable tag names another image, whatever became of the others;
otherwise 3 if some tags were set and some failed.`

// retagResult is the JSON form of what tag prints.
type retagResult struct {
	Reference string `json:"reference"` // the image as it was named
	transfer.RetagResult
	Tags   []retaggedTag `json:"tags"` // instead of those of RetagResult
	DryRun bool          `json:"dryRun"`
}

type retaggedTag struct {
	transfer.TagResult
	Error *failure `json:"error,omitempty"` // instead of the text
}

func newRetagResult(src ref.Reference, result transfer.RetagResult, dryRun bool) retagResult {
	r := retagResult{Reference: src.String(), RetagResult: result, Tags: []retaggedTag{}, DryRun: dryRun}
	for _, t := range result.Tags {
		one := retaggedTag{TagResult: t}
		if t.Err != nil {
			one.Error = failureOf(src.Place()+":"+t.Tag, t.Err)
		}
		r.Tags = append(r.Tags, one)
	}
	return r
}

func newTagCommand(app *App) *cobra.Command {
	var dryRun bool
	var policy policyFlags
	var files resultFiles
	cmd := &cobra.Command{
		Use:   "tag SRC NEWTAG...",
		Short: "Add tags to an image",
		Long:  tagHelp + "\n\n" + madeHelp,
		Args:  atLeast("SRC", "NEWTAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := app.parseReference(args[0])
			if err != nil {
				return err
			}
			for _, tag := range args[1:] {
				if err := checkNewTag(tag); err != nil {
					return err
				}
			}
			src = withLatest(src)
			results, err := files.open(app)
			if err != nil {
				return err
			}
			defer results.discard()
			repository, err := app.openRepository(cmd.Context(), src)
			if err != nil {
				return err
			}
			name, err := app.mayTag(cmd.Context(), repository, src, policy)
			if err != nil {
				return err
			}
			retag := transfer.Retag
			if dryRun {
				retag = transfer.PlanRetag
			}
			result, err := retag(cmd.Context(), repository, name, args[1:])
			if result.Digest == "" {
				return err
			}
			if err := app.PrintResult(newRetagResult(src, result, dryRun), retagText(src, result)); err != nil {
				return err
			}
			reporting := error(nil)
			if !dryRun {
				reporting = app.report("Image tagged", results, retagged(src, result))
			}
			if err == nil || errors.Is(err, content.ErrConflict) {
				return errors.Join(err, reporting)
			}
			return partly(result.Done(), []error{err, reporting})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what each tag names and whether it would change, and change nothing")
	addPolicyFlag(cmd, &policy)
	addNoPolicyFlag(cmd, &policy)
	files.add(cmd)
	return cmd
}

// retagged is the image with those of its new tags that it has; nothing if there are none.
func retagged(src ref.Reference, result transfer.RetagResult) []made {
	var references []ref.Reference
	for _, t := range result.Tags {
		if t.Status == transfer.TagSet || t.Status == transfer.TagUnchanged {
			r := src
			r.Tag, r.Digest = t.Tag, ""
			references = append(references, r)
		}
	}
	if len(references) == 0 {
		return nil
	}
	m := newMade(references, result.Digest, result.MediaType, result.ManifestSize)
	m.config = result.Config
	return []made{m}
}

// mayTag returns the name of the image that src names, by which it is to get its tags:
// the digest, if the policy required a signature of it.
func (app *App) mayTag(ctx context.Context, repository content.Endpoint, src ref.Reference, flags policyFlags) (string, error) {
	policy, err := app.policy(flags, app.keysFor(src))
	if err != nil || policy == nil || !src.IsRepository() {
		return src.Name(), err
	}
	demand, err := policy.ofDestination(ctx, src)
	if err != nil || demand == nil {
		return src.Name(), err
	}
	image, err := transfer.ReadManifest(ctx, repository, src.Name(), nil)
	if err != nil {
		return "", err
	}
	_, err = verifyImage(ctx, repository, image, demand.Requirements)
	return string(image.Descriptor.Digest), app.refuse(ctx, err, demand.warn)
}

// retagText is the result for people; what failed is on stderr.
func retagText(src ref.Reference, result transfer.RetagResult) string {
	var b strings.Builder
	for _, t := range result.Tags {
		if t.Err != nil {
			continue
		}
		note := string(t.Status)
		if t.Previous != "" && t.Previous != result.Digest {
			note += ", was " + string(t.Previous)
		}
		fmt.Fprintf(&b, "%s  %s:%s  %s\n", result.Digest, src.Place(), t.Tag, note)
	}
	return b.String()
}

// checkNewTag refuses what is no plain tag.
func checkNewTag(tag string) error {
	err := content.CheckTag(tag)
	if err != nil && strings.ContainsAny(tag, ":/@") {
		if i := strings.LastIndexByte(tag, ':'); content.IsTag(tag[i+1:]) {
			return usagef("%w; write %s for the repository of the image, and use ecrkit copy for another one", err, tag[i+1:])
		}
		return usagef("%w; a new tag is in the repository of the image, use ecrkit copy for another one", err)
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}
