package journal

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestForgetOld looks for old notes once a day, not for each image that is pushed.
func TestForgetOld(t *testing.T) {
	t.Parallel()
	d, now := Dir(filepath.Join(t.TempDir(), "pushed")), time.Now()
	grown := func(key string) {
		t.Helper()
		old := now.Add(-maxPushedAge - time.Hour)
		check(t, os.WriteFile(d.pushed(key), nil, 0o600))
		check(t, os.Chtimes(d.pushed(key), old, old))
	}
	remembered := func(want ...string) {
		t.Helper()
		var got []string
		for _, key := range []string{"a", "b", "c"} {
			if d.Remembers(key) {
				got = append(got, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("remembers %v, want %v", got, want)
		}
	}
	check(t, os.MkdirAll(string(d), 0o700))
	grown("a")
	check(t, d.Remember("c", now))
	remembered("c")
	grown("a")
	check(t, d.Remember("b", now))
	remembered("a", "b", "c")
	check(t, d.Remember("c", now.Add(cleanedEvery+time.Hour)))
	remembered("b", "c")
	grown("a")
	check(t, d.Remember("c", now.Add(-2*cleanedEvery))) // the clock was wrong when it was done last
	remembered("a", "b", "c")
	check(t, d.Remember("c", now.Add(cleanedEvery+time.Hour)))
	remembered("b", "c")
}
