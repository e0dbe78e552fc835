package cli

import (
	"bytes"
	"encoding/json"
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
