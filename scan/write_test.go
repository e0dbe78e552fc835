package scan

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sarifmodel "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"golang.org/x/net/html"

	"github.com/ecrkit/ecrkit/internal/junit"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// judged is a verdict in which there is one of everything, and hostile texts.
func judged(t testing.TB) Verdict {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := ParsePolicy(f)
	if err != nil {
		t.Fatal(err)
	}
	basic := open(t, "basic.json")
	basic.Status, basic.StatusDescription = StatusEligibilityExpired, "too old"
	return Gate(p, Merge(open(t, "enhanced.json"), open(t, "hostile.json"), basic), at)
}

func write(t testing.TB, v Verdict, format Format, o WriteOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := v.Write(&out, format, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGolden(t *testing.T) {
	v := judged(t)
	for name, test := range map[string]struct {
		verdict Verdict
		format  Format
		columns int
	}{
		"gate.txt":        {v, FormatTable, 0},
		"gate-narrow.txt": {v, FormatTable, 100},
		"gate.json":       {v, FormatJSON, 0},
		"gate.sarif":      {v, FormatSARIF, 0},
		"gate.xml":        {v, FormatJUnit, 0},
		"gate.md":         {v, FormatMarkdown, 0},
		"gate.html":       {v, FormatHTML, 0},
		"gate.gitlab":     {v, FormatCodeQuality, 0},
		"report.txt":      {ListFindings(open(t, "basic.json"), at), FormatTable, 0},
		"report.md":       {ListFindings(open(t, "basic.json"), at), FormatMarkdown, 0},
		"report.json":     {ListFindings(open(t, "basic.json"), at), FormatJSON, 0},
	} {
		got := write(t, test.verdict, test.format, WriteOptions{Columns: test.columns, Version: "1.0"})
		path := filepath.Join("testdata", "golden", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what it was; see the difference, and if it is meant: go test ./scan -run Golden -update", name)
		}
	}
}

// The schema is that of OASIS, as go-sarif has it; that its types know all fields makes
// sure that there is none which the schema does not have.
func TestSARIFIsOfItsSchema(t *testing.T) {
	for name, v := range map[string]Verdict{
		"judged": judged(t), "shown": ListFindings(open(t, "basic.json"), at), "empty": ListFindings(image(StatusActive), at),
		"without a name": ListFindings(image(StatusActive, Finding{Severity: High}), at),
	} {
		data := write(t, v, FormatSARIF, WriteOptions{Version: "1.0"})
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(new(sarifmodel.Report)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		report, err := sarifmodel.FromBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		run := report.Runs[0]
		// What is left out the types write as something empty: these are the defaults.
		run.Language, run.Tool.Driver.Language, run.NewlineSequences = "en-US", "en-US", []string{"\n"}
		if err := report.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range run.Results {
			if got := run.Tool.Driver.Rules[r.RuleIndex].ID; *got != *r.RuleID {
				t.Errorf("%s: rule %d is %s, want %s", name, r.RuleIndex, *got, *r.RuleID)
			}
			if len(r.Locations) != 1 || r.PartialFingerprints[fingerprintName] == "" || (r.Suppressions == nil) != (v.Outcome == "") {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

// An alert stays the same one from image to image.
func TestSARIFFingerprints(t *testing.T) {
	a, b := Image{Report: image(StatusActive)}, Image{Report: image(StatusActive)}
	b.Tags, b.Digest = []string{"2"}, "sha256:1"
	f := finding(High, "CVE-1")
	newer := finding(High, "CVE-1", func(f *Finding) { f.Packages[0].Version = "2" })
	if a.fingerprint(f) != b.fingerprint(newer) {
		t.Error("another tag, digest or version is another alert")
	}
	b.Platform = "linux/arm64"
	if a.fingerprint(f) == b.fingerprint(f) || a.fingerprint(f) == a.fingerprint(finding(High, "CVE-2")) {
		t.Error("different alerts are the same")
	}
}

func TestJUnitIsXML(t *testing.T) {
	data := write(t, judged(t), FormatJUnit, WriteOptions{})
	var suites junit.Suites
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	if len(suites.Suites) != 3 || suites.Failures != 1 || suites.Errors != 1 || suites.Skipped != 2+3 || suites.Tests != 7+6+3+3 {
		t.Errorf("%+v", suites)
	}
}

// A package is called what its maker wants.
func TestHTMLOfHostileTexts(t *testing.T) {
	v := judged(t)
	v.Images[1].Reference = `"><script>alert(1)</script>`
	v.Images[2].Reason = `<img src=x onerror=alert(1)>`
	v.Images[1].Status = `"><b>`
	root, err := html.Parse(bytes.NewReader(write(t, v, FormatHTML, WriteOptions{Version: "1.0"})))
	if err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for n := range root.Descendants() {
		switch n.Data {
		case "img", "iframe", "object", "link", "b", "base", "form":
			if n.Type == html.ElementNode {
				t.Errorf("an element %s", n.Data)
			}
		case "script":
			scripts++
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "https://") {
				t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%d scripts", scripts)
	}
}

// A comment on a pull request is bounded.
func TestMarkdownIsBounded(t *testing.T) {
	r := image(StatusComplete)
	for n := range 3000 {
		r.Findings = append(r.Findings, finding(High, fmt.Sprintf("CVE-2026-%d", n)))
	}
	data := write(t, Gate(policy(t, "block: [{severity: HIGH}]"), r, at), FormatMarkdown, WriteOptions{})
	if len(data) > 65_536 || !bytes.Contains(data, []byte("are left out, as a comment is bounded")) || !bytes.HasSuffix(data, []byte("</details>\n")) {
		t.Errorf("%d bytes: …%s", len(data), data[len(data)-300:])
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	v := judged(t)
	for _, columns := range []int{72, 80, 100, 120, 200} {
		for _, line := range strings.Split(string(write(t, v, FormatTable, WriteOptions{Columns: columns})), "\n") {
			if strings.HasPrefix(line, "CRITICAL ") && len([]rune(line)) > columns {
				t.Errorf("%d of %d columns: %s", len([]rune(line)), columns, line)
			}
		}
	}
	for _, r := range string(write(t, v, FormatTable, WriteOptions{})) {
		if r == '\x1b' || r == '\u202e' {
			t.Errorf("%q reaches the terminal", r)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		"a.json": FormatJSON, "a.sarif": FormatSARIF, "a.sarif.json": FormatSARIF, "junit.XML": FormatJUnit,
		"a.md": FormatMarkdown, "dir/a.html": FormatHTML, "a.txt": FormatTable,
	} {
		if got, err := FormatOf(name); err != nil || got != want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	if _, err := FormatOf("a.pdf"); err == nil {
		t.Error("a.pdf has a format")
	}
}
