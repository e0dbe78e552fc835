package scan

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/net/html"
)

// htmlOf parses the HTML report of a verdict.
func htmlOf(t *testing.T, v Verdict) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(write(t, v, FormatHTML, WriteOptions{Version: "1.0"})))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// elements are those below a node with one of the names.
func elements(n *html.Node, names ...string) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && slices.Contains(names, d.Data) {
			found = append(found, d)
		}
	}
	return found
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what a node shows.
func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" && d.Parent.Data != "style" {
			out.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// On a narrow screen a row is a card, whose cells are named by what the head of the table has.
func TestHTMLCellsAreNamed(t *testing.T) {
	for _, v := range []Verdict{judged(t), ListFindings(open(t, "basic.json"), at)} {
		for _, table := range elements(htmlOf(t, v), "table") {
			var heads []string
			for _, th := range elements(table, "th") {
				heads = append(heads, text(th))
			}
			for _, row := range elements(table, "tr")[1:] {
				cells := elements(row, "td")
				if len(cells) != len(heads) {
					t.Fatalf("%d cells of %d: %s", len(cells), len(heads), text(row))
				}
				for n, cell := range cells {
					if label := attribute(cell, "data-label"); label != heads[n] && (label != "" || n > 1) {
						t.Errorf("the cell below %q is named %q", heads[n], label)
					}
				}
			}
		}
	}
}

// Nobody reads 64 digits: they can be copied.
func TestHTMLDigestsAreShort(t *testing.T) {
	v := judged(t)
	root := htmlOf(t, v)
	if long := regexp.MustCompile(`[0-9a-f]{40}`).FindString(text(elements(root, "body")[0])); long != "" {
		t.Errorf("it shows %s", long)
	}
	var copies []string
	for _, button := range elements(root, "button") {
		if c := attribute(button, "data-copy"); c != "" {
			copies = append(copies, c)
		}
	}
	for _, i := range v.Images {
		if !slices.Contains(copies, string(i.Digest)) {
			t.Errorf("%s cannot be copied", i.Digest)
		}
	}
}

// What several images have is one row.
func TestHTMLGroupsImages(t *testing.T) {
	one, other := image(StatusActive, finding(High, "CVE-1"), finding(Low, "CVE-2")), image(StatusActive, finding(High, "CVE-1", inUse))
	one.Platform, other.Platform = "linux/amd64", "linux/arm64"
	report := Gate(policy(t, "block: [{severity: HIGH}]"), Merge(one, other), at).htmlReport()
	if len(report.Rows) != 2 || len(report.Rows[0].Images) != 2 || !report.Rows[0].anyInUse() || report.Rows[0].keys() != "i0 i1" || report.Rows[1].keys() != "i0" {
		t.Errorf("%+v", report.Rows)
	}
	if report.Bars[1].Count != 2 {
		t.Errorf("%d HIGH findings are counted", report.Bars[1].Count)
	}
	// One that the gate does not treat the same is another row, and so is the same one twice in an image.
	p := policy(t, "block: [{severity: HIGH}]\nignore: [{id: CVE-1, repository: other, reason: x, expires: 2027-01-01}]")
	other.Repository = "other"
	if rows := Gate(p, Merge(one, other), at).htmlReport().Rows; len(rows) != 3 {
		t.Errorf("%d rows where one image ignores the finding", len(rows))
	}
	if rows := Gate(p, image(StatusActive, finding(High, "CVE-1"), finding(High, "CVE-1")), at).htmlReport().Rows; len(rows) != 2 {
		t.Errorf("%d rows of a finding that is there twice", len(rows))
	}
}

func TestShortNames(t *testing.T) {
	id := digest.FromString("x")
	named := func(reference, platform string) Image {
		return Image{Reference: reference, Report: Report{Platform: platform}}
	}
	for _, test := range []struct {
		images []Image
		want   []string
		about  string
	}{
		{[]Image{named("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.2", "linux/amd64"), named("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.2", "linux/arm64")}, []string{"linux/amd64", "linux/arm64"}, "team/app:1.2"},
		{[]Image{named("127.0.0.1:4510/a/app:1", "linux/amd64"), named("127.0.0.1:4510/a/db:1", "linux/amd64")}, []string{"app:1", "db:1"}, "2 images"},
		{[]Image{named("h.example/a/app:1", "p"), named("h.example/b/app:1", "p")}, []string{"a/app:1 p", "b/app:1 p"}, "2 images"},
		{[]Image{named("h.example/a/app:1", "p"), named("h.example/a/app:1", "q"), named("h.example/a/db:1", "p")}, []string{"app:1 p", "app:1 q", "db:1 p"}, "3 images"},
		{[]Image{named("x.example/app:1", ""), named("y.example/app:1", "")}, []string{"x.example/app:1", "y.example/app:1"}, "2 images"},
		{[]Image{named("h.example/app@"+string(id), "")}, []string{fmt.Sprintf("app@sha256:%.12s", id.Encoded())}, fmt.Sprintf("app@sha256:%.12s", id.Encoded())},
		{[]Image{named("h.example/app:1@"+string(id), "")}, []string{"app:1"}, "app:1"},
		{[]Image{named("image", ""), named("image", "")}, []string{"image", "image"}, "image"},
		{nil, nil, "No image"},
	} {
		if got := shortNames(test.images); !slices.Equal(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
		if got := (Verdict{Images: test.images}).about(); got != test.about {
			t.Errorf("%q, want %q", got, test.about)
		}
	}
	same := []Image{named("a", ""), named("b", "")}
	same[0].Repository, same[1].Repository = "team/app", "team/app"
	if got := (Verdict{Images: same}).about(); got != "team/app, 2 images" {
		t.Error(got)
	}
}
