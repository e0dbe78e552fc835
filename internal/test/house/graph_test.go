package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/ecrkit/ecrkit/"

// pkg is one package of the module, named by its directory.
type pkg struct {
	name    string
	dir     string   // absolute
	files   []string // absolute, without tests
	imports []string // like deps, but its own only
	deps    []string // of the module by directory, others by import path
}

// packages reads the import graph, for Linux and without tests.
var packages = sync.OnceValues(func() (map[string]pkg, error) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return nil, err
	}
	// For `go test`, which must not take an old result when a source has changed.
	err = filepath.WalkDir(root, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains([]string{".git", "bench", "bin", "dist", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir        string
			GoFiles, Imports, Deps []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		one := pkg{name: strings.TrimPrefix(p.ImportPath, module), dir: p.Dir}
		for _, f := range p.GoFiles {
			one.files = append(one.files, filepath.Join(p.Dir, f))
		}
		for _, path := range p.Imports {
			one.imports = append(one.imports, strings.TrimPrefix(path, module))
		}
		for _, path := range p.Deps {
			one.deps = append(one.deps, strings.TrimPrefix(path, module))
		}
		all[one.name] = one
	}
})

func load(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("go list finds %d packages", len(all))
	}
	return all
}

// isProduct reports whether a package is part of the programs or the API.
func isProduct(name string) bool {
	return !in(name, "internal/test/...", "internal/tools/...", "transfer/internal/fixture", "docs")
}

// in reports whether a package is one of these; "x/..." is x and all below it.
func in(name string, patterns ...string) bool {
	for _, p := range patterns {
		parent, below := strings.CutSuffix(p, "/...")
		if name == parent || below && strings.HasPrefix(name, parent+"/") {
			return true
		}
	}
	return false
}
