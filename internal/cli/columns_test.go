package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestEightyColumns: what people read of an image and of a policy fits a terminal of 80 columns, and nothing of it is cut.
func TestEightyColumns(t *testing.T) {
	t.Parallel()
	app := &App{Now: time.Now, StdoutSize: func() (int, int, error) { return 80, 24, nil }}
	config := digest.FromString("config")
	image := inspected{Reference: "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.2"}
	image.Digest, image.MediaType, image.Status = digest.FromString("manifest"), ocispec.MediaTypeImageManifest, "ACTIVE"
	image.Images = []transfer.InspectedImage{{Digest: image.Digest, Platform: "linux/amd64", Config: &content.Descriptor{
		Digest: config, MediaType: ocispec.MediaTypeImageConfig, Size: 1234}}}
	put := lifecyclePut{governedRepository: governedRepository{place: "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"}, effect: governance.LifecycleEffect{Present: "{}"}}
	put.result.Changed = true
	put.result.Summary, put.result.PresentSummary = lifecycle.Summary{Images: 9, Keep: 5, Expire: 4}, lifecycle.Summary{Images: 9, Keep: 4, Expire: 5}
	put.result.Notes = []string{"the manifests of 12 indexes could not be read, so that their images may expire or stay with them"}
	for name, text := range map[string]string{"inspect": app.inspectText(image), "lifecycle put": put.text(80)} {
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
	joined := strings.Join(strings.Fields(app.inspectText(image)+put.text(80)), " ")
	for _, whole := range []string{string(image.Digest), string(config) + " (" + ocispec.MediaTypeImageConfig, put.result.Notes[0]} {
		if !strings.Contains(joined, whole) {
			t.Errorf("%s is missing in %s", whole, joined)
		}
	}
}
