package lifecycle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// Preview is the result of a policy by Amazon ECR itself: the images on which it acts.
type Preview map[digest.Digest]PreviewAction

// PreviewAction is what happens to one image.
type PreviewAction struct {
	Outcome Outcome
	Rule    int // its priority
}

// ReadPreview reads the output of `aws ecr get-lifecycle-policy-preview`, one page or
// more. An incomplete preview is an error.
func ReadPreview(text io.Reader) (Preview, error) {
	bounded := &io.LimitedReader{R: text, N: maxListBytes}
	d := json.NewDecoder(bounded)
	preview := make(Preview)
	for n := 1; ; n++ {
		var page struct {
			Status  string `json:"status"`
			Results *[]struct {
				ImageDigest string `json:"imageDigest"`
				Rule        int    `json:"appliedRulePriority"`
				Action      struct {
					Type Outcome `json:"type"`
				} `json:"action"`
			} `json:"previewResults"`
		}
		var document json.RawMessage
		err := d.Decode(&document)
		if err == nil {
			err = strictjson.Unmarshal(document, &page)
		}
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return preview, nil
		case bounded.N == 0:
			return nil, fmt.Errorf("the preview is longer than %d MiB", maxListBytes>>20)
		case err != nil:
			return nil, fmt.Errorf("the preview is not JSON of aws ecr get-lifecycle-policy-preview: %w", err)
		case page.Status != "COMPLETE":
			return nil, fmt.Errorf("the preview is not complete: its status is %.40q; ask for it again", page.Status)
		case page.Results == nil:
			return nil, errors.New("the preview has no previewResults")
		}
		for _, r := range *page.Results {
			id, err := parseDigest(r.ImageDigest)
			if err != nil {
				return nil, fmt.Errorf("the preview: %w", err)
			}
			if r.Action.Type != Expire && r.Action.Type != Transition {
				return nil, fmt.Errorf("the preview: image %s: the action %.40q is unknown", id, r.Action.Type)
			}
			action := PreviewAction{r.Action.Type, r.Rule}
			if other, ok := preview[id]; ok && other != action {
				return nil, fmt.Errorf("the preview: image %s: it has two actions", id)
			}
			preview[id] = action
		}
	}
}

// Mismatch is an image on which an evaluation and a preview do not agree.
type Mismatch struct {
	Digest digest.Digest
	Number int           // of the image; -1 if it is in the preview only
	Ours   PreviewAction // KEEP if nothing is done to it
	Theirs PreviewAction
}

// Compare returns the images for which the preview has another result, in the order of the
// images. A referrer that follows its subject need not be in the preview: Amazon ECR
// removes it afterwards.
func (e Evaluation) Compare(p Preview) []Mismatch {
	var list []Mismatch
	known := make(map[digest.Digest]bool, len(e.images))
	for i, v := range e.Verdicts {
		id := e.images[i].Digest
		known[id] = true
		theirs, acts := p[id]
		if !acts {
			theirs.Outcome = Keep
			if v.Follows != "" {
				continue
			}
		}
		if ours := (PreviewAction{v.Outcome, v.Rule}); ours != theirs {
			list = append(list, Mismatch{id, i, ours, theirs})
		}
	}
	var more []Mismatch
	for id, theirs := range p {
		if !known[id] {
			more = append(more, Mismatch{id, -1, PreviewAction{Outcome: Keep}, theirs})
		}
	}
	slices.SortFunc(more, func(a, b Mismatch) int { return cmp.Compare(a.Digest, b.Digest) })
	return append(list, more...)
}
