package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/mirror/media"
)

// TestWriteSet compares what is written image by image with what package json writes at once.
func TestWriteSet(t *testing.T) {
	t.Parallel()
	images := []media.Image{{Repository: "HOST/app", Tags: []string{"1.0"}}, {Repository: "HOST/app", Tags: []string{`"images":[`}}}
	for _, n := range []int{0, 1, 2} {
		s := media.Set{Version: 1, Parts: []media.SetPart{{Name: `"images":[]`}}, Images: images[:n], Needs: []media.RequiredBlob{{Name: "app"}}}
		want, err := json.Marshal(s)
		check(t, err)
		var got bytes.Buffer
		check(t, writeSet(&got, s))
		if got.String()+"}" != string(want) {
			t.Errorf("wrote %s\nwant %s", got.String(), want)
		}
	}
}

// TestTagged counts the images that an import counts: not what belongs to others, by its subject or by a tag.
func TestTagged(t *testing.T) {
	t.Parallel()
	signature := "sha256-" + strings.Repeat("ab", 32) + ".sig"
	s := media.Set{Images: []media.Image{
		{Tags: []string{"1.0", "latest"}}, {Tags: []string{}}, {Tags: []string{"note"}, Subject: "sha256:ab"}, {Tags: []string{"signed", signature}},
		{Tags: []string{signature}}, {Tags: []string{signature}}, {Subject: "sha256:ab"}, {Tags: []string{signature}, Subject: "sha256:ab"},
	}}
	if n := tagged(s); n != 4 {
		t.Errorf("%d images, want 4", n)
	}
}
