package house

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependencyRow is a row of docs/dependencies.md.
var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (programs|tests|tools) \\| [^|]+ \\| [^|]+ \\|$")

// TestDependencies compares the modules that go.mod requires directly with docs/dependencies.md, and what
// that says of each with the packages of the programs.
func TestDependencies(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range dependencyRow.FindAllStringSubmatch(string(page), -1) {
		if listed[row[1]] != "" {
			t.Errorf("docs/dependencies.md lists %s twice", row[1])
		}
		listed[row[1]] = row[2]
	}
	if rows := strings.Count(string(page), "\n| `"); rows != len(listed) {
		t.Errorf("docs/dependencies.md has %d rows, of which %d can be read", rows, len(listed))
	}
	direct, all := modules(t, root)
	for _, module := range direct {
		if listed[module] == "" {
			t.Errorf("docs/dependencies.md does not list %s: say what it is for, and why we do not do it ourselves", module)
		}
	}
	var programs []string
	for name, p := range load(t) {
		if in(name, "cmd/...") {
			programs = append(programs, p.deps...)
		}
	}
	for module, where := range listed {
		if !slices.Contains(direct, module) {
			t.Errorf("docs/dependencies.md lists %s, which go.mod does not require directly", module)
		}
		built := slices.ContainsFunc(programs, func(path string) bool { return moduleOf(path, all) == module })
		if built != (where == "programs") {
			t.Errorf("docs/dependencies.md says that %s is part of the %s; in the programs: %v", module, where, built)
		}
	}
}

// modules returns the modules that go.mod requires: directly, and all.
func modules(t *testing.T, root string) (direct, all []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		all = append(all, r.Path)
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	if len(direct) < 20 {
		t.Fatalf("go.mod requires %d modules directly", len(direct))
	}
	return direct, all
}

// moduleOf returns the module that a package is of: the longest that begins its path.
func moduleOf(path string, modules []string) (longest string) {
	for _, m := range modules {
		if in(path, m+"/...") && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}
