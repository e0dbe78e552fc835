package media

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// FuzzVerifyStream looks for a set in one file that is accepted and whose bytes are not those that an export writes.
func FuzzVerifyStream(f *testing.F) {
	w := world{"a.example/web": {Store: memory.New("web")}}
	w["a.example/web"].put(f, "1", 1, 700)
	var set bytes.Buffer
	_, err := ExportStream(f.Context(), mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}, w, &set, ExportOptions{})
	if err != nil {
		f.Fatal(err)
	}
	good := set.Bytes()
	for _, n := range []int{0, 512, 2048, len(good) - 1024, len(good)} {
		f.Add(good[:n])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := VerifyStream(t.Context(), bytes.NewReader(data), ReadOptions{})
		switch {
		case err == nil:
			if s.Size <= 0 || s.Size > int64(len(data)) || s.ID == "" {
				t.Errorf("a set of %d bytes says that it has %d, ID %q", len(data), s.Size, s.ID)
			}
			if _, err := VerifyStream(t.Context(), bytes.NewReader(append(bytes.Clone(data), 0)), ReadOptions{}); err == nil {
				t.Error("accepted with one more byte")
			}
		case !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, ErrNoSet) && !errors.Is(err, content.ErrUnsupported):
			t.Errorf("an error of no kind: %v", err)
		}
	})
}
