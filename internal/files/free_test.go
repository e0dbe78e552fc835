package files

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestFree(t *testing.T) {
	t.Parallel()
	free, total, err := Free(t.TempDir())
	if errors.Is(err, errors.ErrUnsupported) {
		return // on systems that we do not release for
	}
	if err != nil || free < 0 || total <= 0 || free > total {
		t.Errorf("%d of %d, %v", free, total, err)
	}
	if _, _, err := Free(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a directory that does not exist has room")
	}
}
