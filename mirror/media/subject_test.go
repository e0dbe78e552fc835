package media

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestVerifySubjects finds a description that was sealed again with an image that refers to another one than its manifest says.
func TestVerifySubjects(t *testing.T) {
	t.Parallel()
	near, c := newWorld(t)
	dir := t.TempDir()
	s, err := export(t, near, c, dir, 0)
	check(t, err)
	_, err = Verify(t.Context(), dir, ReadOptions{})
	check(t, err)
	s.Images[0].Subject = digest.FromString("another image")
	check(t, s.write(dir, nil))
	_, err = Verify(t.Context(), dir, ReadOptions{})
	if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(s.Images[0].Digest)) || !strings.Contains(err.Error(), SetFile) {
		t.Errorf("a false subject: %v", err)
	}
}
