package media

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestExportOverDamage says that a set is damaged whose export is repeated.
func TestExportOverDamage(t *testing.T) {
	t.Parallel()
	damages := map[string]func(path string) error{
		"no such file":         os.Remove,
		"it has 5 bytes, not ": func(path string) error { return os.Truncate(path, 5) },
		"bytes, not ":          func(path string) error { return os.WriteFile(path, make([]byte, 5<<20), 0o600) },
	}
	for want, damage := range damages {
		for _, name := range []string{"images.tar.002", "parity.001"} {
			w, c := newWorld(t)
			dir := t.TempDir()
			opts := ExportOptions{PartSize: MinPartSize, Parity: 0.05}
			_, err := Export(t.Context(), c, w, dir, opts)
			check(t, err)
			_, err = Export(t.Context(), c, w, dir, opts)
			check(t, err)
			check(t, damage(filepath.Join(dir, name)))
			_, err = Export(t.Context(), c, w, dir, opts)
			if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v", name, want, err)
			}
		}
	}
}
