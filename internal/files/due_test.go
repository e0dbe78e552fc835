package files

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	t.Parallel()
	path, now := filepath.Join(t.TempDir(), "cleaned"), time.Now()
	for _, tt := range []struct {
		name string
		now  time.Time
		want bool
	}{
		{"never done", now, true},
		{"just done", now, false},
		{"a while ago", now.Add(2 * time.Hour), true},
		{"done in the future", now.Add(-2 * time.Hour), true},
	} {
		if due, err := Due(path, tt.now, time.Hour); err != nil || due != tt.want {
			t.Errorf("%s: %v, %v", tt.name, due, err)
		}
	}
	if _, err := Due(filepath.Join(path+".d", "cleaned"), now, time.Hour); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
}
