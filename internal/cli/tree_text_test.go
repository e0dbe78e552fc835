package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// On a terminal that is too narrow for whole digests they are shortened, and no line is broken; elsewhere they are whole.
func TestDigestsOnTerminals(t *testing.T) {
	t.Parallel()
	child := digest.FromString("child")
	image := &treeImage{Digest: digest.FromString("index"), MediaType: ocispec.MediaTypeImageIndex, Images: []*treeImage{
		{Digest: child, MediaType: ocispec.MediaTypeImageManifest, Platform: "linux/amd64"},
	}}
	result := inspected{Reference: "HOST/app:1", Inspection: transfer.Inspection{Digest: image.Digest, MediaType: image.MediaType, Images: []transfer.InspectedImage{
		{Digest: child, MediaType: ocispec.MediaTypeImageManifest, Platform: "linux/amd64", Size: 1 << 20},
	}}}
	for columns, whole := range map[int]bool{0: true, 60: false, 80: false, 120: true} {
		app := &App{}
		if columns > 0 {
			app.StdoutSize = func() (int, int, error) { return columns, 24, nil }
		}
		tree := app.treeText(ref.Reference{Kind: ref.KindLayout, Path: "images", Tag: "1"}, image)
		_, table, _ := strings.Cut(app.inspectText(result), "\n\n")
		for _, text := range []string{tree, table} {
			if got := strings.Contains(text, string(child)); got != whole {
				t.Errorf("%d columns: whole digests: %t\n%s", columns, got, text)
			}
			if !strings.Contains(text, string(child[:19])) {
				t.Errorf("%d columns: the digest is cut\n%s", columns, text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimSpace(line)); columns > 0 && n > columns {
					t.Errorf("%d columns: a line has %d: %s", columns, n, line)
				}
			}
		}
	}
}
