//go:build unix

package dockerconfig

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
)

func TestLoadPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, files.ErrNotRegular) {
		t.Errorf("got %v", err)
	}
}
