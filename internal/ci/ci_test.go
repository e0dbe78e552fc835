package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	g := GitHub{Log: &log}
	g.Group("push app:1.0")
	g.EndGroup()
	g.Error("ecrkit push: no", "50% done\r\n::set-output name=a::b")
	g.Warning("", "two\nlines")
	g.Mask("secret")
	g.Mask("")
	want := `::group::push app:1.0
::endgroup::
::error title=ecrkit push%3A no::50%25 done%0D%0A::set-output name=a::b
::warning::two%0Alines
::add-mask::secret
`
	if log.String() != want {
		t.Errorf("got\n%s\nwant\n%s", log.String(), want)
	}
}

// What is in a value does not end it, and no output is added to those of a step before.
func TestSetOutput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(file, []byte("before=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := GitHub{OutputFile: file, SummaryFile: file + ".md"}
	for _, value := range []string{"sha256:0", "EOF\nevil=1\nEOF"} {
		if err := g.SetOutput("tags", value); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^tags<<(ecrkit_[A-Z2-7]{26})$`).FindAllStringSubmatch(string(data), -1)
	if len(found) != 2 || found[0][1] == found[1][1] {
		t.Fatalf("delimiters in\n%s", data)
	}
	want := "before=1\ntags<<" + found[0][1] + "\nsha256:0\n" + found[0][1] + "\ntags<<" + found[1][1] + "\nEOF\nevil=1\nEOF\n" + found[1][1] + "\n"
	if string(data) != want {
		t.Errorf("got\n%s\nwant\n%s", data, want)
	}
	for range 2 {
		if err := g.AddSummary("| a |\n"); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(g.SummaryFile); err != nil || string(data) != "| a |\n| a |\n" {
		t.Errorf("summary %q, %v", data, err)
	}
	g = GitHub{}
	if g.SetOutput("a", "b") != nil || g.AddSummary("c") != nil {
		t.Error("a runner without files is an error")
	}
}

func TestDisarmed(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	w := Disarmed(&log)
	for _, s := range []string{"ecrkit: a\n", "::set-output name=x::y\n  ::stop-commands::z\na::b\n", "x ##[add-mask]", "y\n", ":", ":group::\n"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	want := "ecrkit: a\n\\::set-output name=x::y\n  \\::stop-commands::z\na::b\nx ## [add-mask]y\n\\::group::\n"
	if log.String() != want {
		t.Errorf("got\n%s\nwant\n%s", log.String(), want)
	}
}

func TestDotenv(t *testing.T) {
	t.Parallel()
	got := string(Dotenv([]Variable{{"A", "b"}, {"TAGS", "x\ny"}}))
	if got != "A=b\nTAGS=x y\n" {
		t.Errorf("got %q", got)
	}
}
