// Package docs_test checks the documentation itself.
package docs_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinks follows each link of a page to another page, to a heading, and to a file of the repository.
func TestLinks(t *testing.T) {
	pages, root := map[string]string{}, os.DirFS("..")
	for _, pattern := range []string{"*.md", "docs/*.md", ".github/*.md"} {
		names, err := fs.Glob(root, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(root, name)
			if err != nil {
				t.Fatal(err)
			}
			pages[name] = fence.ReplaceAllString(string(text), "")
		}
	}
	links := 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, fragment, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := fs.Stat(root, target); err != nil {
				t.Errorf("%s: link to %s: %v", name, m[1], err)
			} else if fragment != "" && !anchors(pages[target])[fragment] {
				t.Errorf("%s: link to %s: %s has no such heading", name, m[1], target)
			}
		}
	}
	if links < 40 {
		t.Errorf("only %d links were found", links)
	}
}

// anchors returns the fragments that a page on GitHub has: one for each heading, and those of <a id>.
func anchors(text string) map[string]bool {
	ids := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		ids[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		ids[m[1]] = true
	}
	return ids
}
