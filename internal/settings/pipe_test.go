//go:build unix

package settings

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
)

func TestLoadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(environment("ECRKIT_CONFIG=" + path)); !errors.Is(err, files.ErrNotRegular) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(environment("ECRKIT_CONFIG=/dev/null")); err != nil {
		t.Errorf("/dev/null: %v", err)
	}
}
