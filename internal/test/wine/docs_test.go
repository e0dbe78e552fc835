//go:build interop_windows

package wine

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

var (
	powershell = regexp.MustCompile("(?ms)^```powershell\n(.*?)^```$")
	word       = regexp.MustCompile(`"[^"]*"|[^ "]+`)
)

// testDocs runs the lines of docs/windows.md that are commands of ecrkit alone. Wine has no PowerShell.
func testDocs(t *testing.T, m *machine) {
	page, err := os.ReadFile("../../../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	s := m.site(t, localecr.Options{})
	s.tag(t, "app", "1.0", 1, 1000)
	mkdir(t, s.path(`C:\my images`), s.path(`C:\images`))
	s.run(t, ecrkit, "pull", s.image("app:1.0"), `docker-archive:C:\images\saved.tar:app:1.0`)
	s.dockerArchive(t)
	names := strings.NewReplacer("$env:ECRKIT_REGISTRY", s.server.Registry, "HOST/", s.server.Registry+"/",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com", s.server.Registry)
	ran := 0
	for _, block := range powershell.FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			words := word.FindAllString(names.Replace(strings.TrimSpace(line)), -1)
			if words[0] != ecrkit && words[0] != helper || strings.Contains(line, " | ") {
				continue
			}
			for i := range words {
				words[i] = strings.Trim(words[i], `"`)
			}
			s.run(t, words[0], words[1:]...)
			ran++
		}
	}
	if ran < 6 {
		t.Errorf("the page has only %d commands of ecrkit", ran)
	}
}
