package docker

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// spaces never end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestLongLoadAnswer has a daemon answer without end: that is no success, and its error is not shown at any length.
func TestLongLoadAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer io.Reader
		want   string
	}{
		"spaces":        {spaces{}, "longer than 200000 bytes"},
		"after success": {io.MultiReader(strings.NewReader(`{"stream":"Loaded image"}`), spaces{}), "longer than 200000 bytes"},
		"long error":    {strings.NewReader(`{"error":"` + strings.Repeat("x", 100_000) + `"}`), "xxx"},
	} {
		if err := loadError(test.answer, 200_000); err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 4000 {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func FuzzLoadAnswer(f *testing.F) {
	f.Add([]byte("{\"stream\":\"x\"}\r\n{\"error\":\"y\"}"))
	f.Fuzz(func(t *testing.T, data []byte) { _ = loadError(bytes.NewReader(data), maxLoadAnswer) })
}
