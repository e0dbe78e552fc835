package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is how many lines of code, without tests, one person reads before he changes a package.
const maxLines = 5000

func TestSizes(t *testing.T) {
	large := []string{"internal/cli", "localecr/internal/registry"} // one file a command; one file an operation
	for name, p := range load(t) {
		lines := 0
		for _, f := range p.files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(data, []byte("\n"))
		}
		if lines > maxLines && !slices.Contains(large, name) {
			t.Errorf("%s has %d lines, more than %d: it is about more than one thing", name, lines, maxLines)
		}
	}
}

func TestNames(t *testing.T) {
	for name := range load(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc", "base", "lib"}, path.Base(name)) {
			t.Errorf("%s: the name does not say what the package is for", name)
		}
	}
}

// flagWord is a flag of a command line in a text.
var flagWord = regexp.MustCompile(`(^|[\s(\x60"'])(--[a-z][a-z-]+)`)

// flagsAllowed are the flags that a library may name, by the file and the flag.
var flagsAllowed = map[string]string{
	"auth/sso.go --profile":                        "of the AWS CLI, in the command that logs in",
	"sign/warning.go --signature-digest-algorithm": "of cosign, for those who verify with it",
}

// TestNoFlags looks for flags in the texts of packages that other programs import: who
// imports a library has no such flags.
func TestNoFlags(t *testing.T) {
	all := load(t)
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !isProduct(name) || in(name, "cmd/...", "internal/cli", "internal/audit", "internal/credhelper", "internal/doctor", "internal/startup", "mirror/job") {
			continue // programs, the audit and the doctor, whose findings are commands, and jobs, which run one
		}
		for _, file := range all[name].files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, match := range flagWord.FindAllStringSubmatch(text, -1) {
					where := name + "/" + filepath.Base(file) + " " + match[2]
					used[where] = true
					if flagsAllowed[where] == "" {
						t.Errorf("%s is in %q: advice about flags is the command line's", where, text)
					}
				}
				return true
			})
		}
	}
	for where := range flagsAllowed {
		if !used[where] {
			t.Errorf("%s is allowed, but not there", where)
		}
	}
}

var (
	trialTag  = regexp.MustCompile(`(?m)^//go:build (.*\s)?trial\b`)
	trialTest = regexp.MustCompile(`(?m)^func TestTrial\w*\(`)
)

// TestFilesOfTrials sees to it that `make trial` runs what is meant for it, and `make test` does not.
func TestFilesOfTrials(t *testing.T) {
	trials := 0
	for name, p := range load(t) {
		files, err := filepath.Glob(filepath.Join(p.dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Base(file)
			isTrial := strings.HasSuffix(base, "_trial_test.go")
			if tagged, tests := trialTag.Match(data), trialTest.Match(data); tagged != isTrial || tests != isTrial {
				t.Errorf("%s/%s: trials are in files *_trial_test.go with the build tag trial, and named TestTrial…", name, base)
			}
			if isTrial {
				trials++
			}
		}
	}
	if trials == 0 {
		t.Error("there is no trial")
	}
}
