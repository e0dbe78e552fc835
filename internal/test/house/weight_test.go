package house

import (
	"strings"
	"testing"
)

// heavy are packages that the programs do not import, with what does their work instead. Each process initializes what
// is imported, even if it uses none of it: `GODEBUG=inittrace=1 ecrkit version` lists what that takes.
var heavy = map[string]string{
	"github.com/spf13/cobra/doc":       "internal/cli/roff.go",
	"github.com/russross/blackfriday/": "internal/cli/roff.go",
	"golang.org/x/crypto/ssh":          "sign/bundle.go",
}

func TestProgramsLeaveOutHeavyPackages(t *testing.T) {
	t.Parallel()
	programs := 0
	for name, p := range load(t) {
		if !in(name, "cmd/...") {
			continue
		}
		programs++
		for prefix, instead := range heavy {
			for _, path := range p.deps {
				if strings.HasPrefix(path, prefix) {
					t.Errorf("%s imports %s; its work is done by %s", name, path, instead)
				}
			}
		}
	}
	if programs != 2 {
		t.Errorf("%d programs", programs)
	}
}
