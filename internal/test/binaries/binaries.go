// Package binaries builds the commands of this module for the tests that run them as
// processes.
package binaries

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Build builds commands, named by their directories in the module, as they are released
// into dir. The working directory has to be inside the module. It is for tests, not for TestMain:
// only what a test reads counts when `go test` decides whether an old result is valid.
//
// Go keeps what `go run` links in its build cache, but not what `go build` links: of
// all packages that need a command, only the first waits for the linker.
func Build(dir string, commands ...string) error {
	if err := lookAtSources(); err != nil {
		return err
	}
	for _, command := range commands {
		run := exec.Command("go", "run", "-trimpath", "-exec", "cp", "github.com/ecrkit/ecrkit/"+command, filepath.Join(dir, path.Base(command)))
		run.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", command, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// lookAtSources reads the directories that hold the module's packages. `go test` takes
// an old result only as long as the files in the directories that the test has read are
// the same: without this it would not run again for another version of a command.
func lookAtSources() error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if root == filepath.Dir(root) {
			return errors.New("the working directory is outside the module")
		}
		root = filepath.Dir(root)
	}
	other := []string{".git", "bench", "bin", "dist", "docs", "testdata"}
	return filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains(other, d.Name()) {
			return fs.SkipDir
		}
		return err
	})
}
