// Package trap lays what others may put under the name of a file that is to be
// written: links that lead to another file of the user.
package trap

import (
	"os"
	"path/filepath"
	"testing"
)

const secret = "the user's own"

// kinds make a trap at path; target is the path of another file.
var kinds = map[string]func(path, target string) error{
	"symbolic link": func(path, target string) error {
		if err := os.WriteFile(target, []byte(secret), 0o600); err != nil {
			return err
		}
		return os.Symlink(target, path)
	},
	"dangling symbolic link":      func(path, target string) error { return os.Symlink(target, path) },
	"symbolic link to directory":  func(path, target string) error { return os.Symlink(filepath.Dir(target), path) },
	"symbolic link to the device": func(path, _ string) error { return os.Symlink(os.DevNull, path) },
	"hard link": func(path, target string) error {
		if err := os.WriteFile(target, []byte(secret), 0o600); err != nil {
			return err
		}
		return os.Link(target, path)
	},
	Directory: func(path, _ string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) },
}

// Directory is the kind that is a directory with something in it.
const Directory = "directory"

// Each calls test for each kind of trap, in parallel, with a function that lays one at a path. After
// test what the trap may lead to is as it was, or the test fails.
func Each(t *testing.T, test func(t *testing.T, kind string, lay func(path string))) {
	t.Helper()
	for kind, lay := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			target := filepath.Join(dir, "target")
			test(t, kind, func(path string) {
				if err := lay(path, target); err != nil {
					t.Fatal(err)
				}
			})
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				content, err := os.ReadFile(target)
				if info, statErr := os.Stat(target); e.Name() != "target" || err != nil || statErr != nil || string(content) != secret || info.Mode().Perm() != 0o600 {
					t.Errorf("a trap was stepped into: %s with %q (%v)", e.Name(), content, err)
				}
			}
			if hasTarget := kind == "symbolic link" || kind == "hard link"; hasTarget != (len(entries) == 1) {
				t.Errorf("a trap was stepped into: %v", entries)
			}
		})
	}
}
