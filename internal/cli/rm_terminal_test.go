package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

type plannedDeleter struct {
	content.Deleter
	plan content.DeletePlan
}

func (d plannedDeleter) PlanDelete(context.Context, []content.ImageName) (content.DeletePlan, error) {
	return d.plan, nil
}

// Who is asked whether tags may go sees all of them, however narrow the terminal is.
func TestRmShowsAllThatGoes(t *testing.T) {
	t.Parallel()
	var tags []string
	for i := range 12 {
		tags = append(tags, fmt.Sprintf("release-candidate-%d", i))
	}
	for _, columns := range []int{40, 80, 120} {
		var messages bytes.Buffer
		app := &App{
			Stdin: strings.NewReader("no\n"), Stdout: &bytes.Buffer{}, Stderr: &lockedWriter{w: &messages}, Interactive: true, Now: time.Now,
			TerminalSize: func() (int, int, error) { return columns, 24, nil },
		}
		place := plannedDeleter{plan: content.DeletePlan{Images: []content.PlannedDeletion{{Removed: tags, Whole: true}}}}
		yes, err := app.previewRemoval(t.Context(), []removal{{place: place, prefix: "HOST/app"}}, rmFlags{})
		if yes || err == nil || err.Error() != "nothing was deleted" {
			t.Errorf("%t, %v", yes, err)
		}
		for _, tag := range tags {
			if !strings.Contains(messages.String(), tag) {
				t.Errorf("%d columns: %s is missing in\n%s", columns, tag, messages.String())
			}
		}
	}
}
