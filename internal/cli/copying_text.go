package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// copyOutcome is what became of one destination: result or plan, or err.
type copyOutcome struct {
	references []ref.Reference // that name the destination, by different tags
	result     *transfer.Result
	plan       *transfer.Plan
	err        error
	replaced   []string // the names that an archive of one image had before
	trusted
}

// trusted is what was verified and signed.
type trusted struct {
	Verification *sign.Verification `json:"verification,omitempty"` // of the source
	Signatures   []sign.Signed      `json:"signatures,omitempty"`   // that were made
	Scan         *scanOutcome       `json:"scan,omitempty"`
}

// split returns the outcome of the tags that were set, and that of each tag that was not.
func (o copyOutcome) split() []copyOutcome {
	var some *transfer.TagsError
	if !errors.As(o.err, &some) {
		return []copyOutcome{o}
	}
	done, failed := o, []copyOutcome{}
	done.err, done.references = nil, nil
	for _, r := range o.references {
		i := slices.IndexFunc(some.Failed, func(f transfer.TagFailure) bool { return f.Tag == r.Tag })
		if i < 0 {
			done.references = append(done.references, r)
		} else {
			failed = append(failed, copyOutcome{references: []ref.Reference{r}, err: some.Failed[i].Err, trusted: trusted{Verification: o.Verification}})
		}
	}
	if len(done.references) == 0 {
		return failed
	}
	return append([]copyOutcome{done}, failed...)
}

// json is the outcome as --output json shows it.
func (o copyOutcome) json() any {
	name := o.references[0].String()
	switch {
	case o.err != nil:
		return struct {
			Reference string  `json:"reference"`
			Error     failure `json:"error"`
			trusted
		}{name, newFailure(name, o.err), o.trusted}
	case o.plan != nil:
		return struct {
			Reference string `json:"reference"`
			*transfer.Plan
			Replaced []string `json:"replaced,omitempty"`
			trusted
		}{name, o.plan, o.replaced, o.trusted}
	}
	return struct {
		Reference string `json:"reference"`
		*transfer.Result
		Replaced []string `json:"replaced,omitempty"`
		trusted
	}{name, o.result, o.replaced, o.trusted}
}

// text is the outcome for people: a line or paragraph for each reference.
func (o copyOutcome) text() string {
	var text strings.Builder
	for _, dst := range o.references {
		switch {
		case o.err != nil: // is reported on stderr
		case o.plan != nil:
			text.WriteString(planText(dst, *o.plan))
		default:
			fmt.Fprintf(&text, "%s  %s\n", o.result.Digest, dst)
		}
	}
	return text.String()
}

// printOutcomes prints the outcomes: as JSON an object "images" of all of them, whose
// only one has its members in the object itself too. Those that failed are the error.
func (app *App) printOutcomes(outcomes []copyOutcome) error {
	var failures []error
	var text strings.Builder
	images := []any{}
	for _, o := range outcomes {
		if o.err != nil {
			failures = append(failures, o.err)
		}
		images = append(images, o.json())
		text.WriteString(o.text())
	}
	if app.Output == outputText {
		if err := app.PrintResult(nil, text.String()); err != nil {
			return err
		}
		return partly(len(outcomes)-len(failures), failures)
	}
	only := any(nil)
	switch o := outcomes[0]; {
	case len(outcomes) > 1:
	case o.err != nil: // the error comes with the end of the command
		only = struct {
			Reference string `json:"reference"`
			trusted
		}{o.references[0].String(), o.trusted}
	default:
		only = o.json()
	}
	if err := app.printImages(images, only); err != nil {
		return err
	}
	return partly(len(outcomes)-len(failures), failures)
}

// tellMoved reports which tags named another image before.
func (app *App) tellMoved(dst content.Target, did string, moved map[string]digest.Digest) {
	for _, tag := range slices.Sorted(maps.Keys(moved)) {
		app.Messagef("%s %s:%s, which named %s before", did, dst, tag, moved[tag])
	}
}

// tellReplaced reports, and returns, which names an archive of one image does not have any more.
func (app *App) tellReplaced(dst content.Target, did string, tags []string) []string {
	archive, ok := dst.(interface{ Replaced(tags []string) []string })
	if !ok {
		return nil
	}
	replaced := archive.Replaced(tags)
	for _, name := range replaced {
		app.Messagef("%s %s, which %s had before", did, name, dst)
	}
	return replaced
}

// summary reports in one line what a copy did.
func summary(did string, r transfer.Result) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s", did, blobs(r.BlobsSent, r.BytesSent+r.BytesResumed))
	if r.BytesResumed > 0 {
		fmt.Fprintf(&s, ", of which %s had been sent before", humanize.IBytes(uint64(r.BytesResumed)))
	}
	if r.BlobsMounted > 0 {
		fmt.Fprintf(&s, ", %s mounted", blobs(r.BlobsMounted, r.BytesMounted))
	}
	fmt.Fprintf(&s, ", %s already present, %.1f s", blobs(r.BlobsSkipped, r.BytesSkipped), r.Seconds)
	return s.String()
}

func blobs(n int, bytes int64) string {
	return fmt.Sprintf("%s (%s)", english.Plural(n, "blob", ""), humanize.IBytes(uint64(bytes)))
}

// planText reports what a copy would do.
func planText(dst ref.Reference, p transfer.Plan) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s  %s\n", p.Digest, dst)
	fmt.Fprintf(&s, "  to send: %s and %s; already present: %s\n", blobs(p.Blobs, p.Bytes), english.Plural(p.Manifests, "manifest", ""), blobs(p.BlobsSkipped, p.BytesSkipped))
	total := 0
	for _, op := range slices.Sorted(maps.Keys(p.Calls)) {
		total += p.Calls[op]
		fmt.Fprintf(&s, "  %6d × %s\n", p.Calls[op], op)
	}
	fmt.Fprintf(&s, "  %6d requests in total at most\n", total)
	return s.String()
}
