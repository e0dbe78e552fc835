package files

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	then := time.Now().Add(-time.Hour)
	tests := map[string]struct {
		change func(path string) error
		want   bool
	}{
		"nothing":      {func(string) error { return nil }, false},
		"other bytes":  {func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) }, true},
		"shorter":      {func(path string) error { return os.Truncate(path, 1) }, true},
		"mode":         {func(path string) error { return os.Chmod(path, 0o400) }, false},
		"another file": {func(path string) error { return WriteFile(path, []byte("other"), 0o600) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			err := os.WriteFile(path, []byte("bytes"), 0o600)
			if err == nil {
				err = os.Chtimes(path, then, then)
			}
			if err != nil {
				t.Fatal(err)
			}
			f, err := Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			if got := f.(*Watched).Changed(); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
