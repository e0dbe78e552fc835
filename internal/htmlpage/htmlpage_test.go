package htmlpage

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// The policy of the page lets its own script run, as a browser hashes it, and no other.
func TestPolicyIsThatOfTheScript(t *testing.T) {
	page := Page{Kind: "Test", Title: "</title><script>x</script>", Result: "<i>", At: time.Unix(1.8e9, 0), Content: g.Group{
		h.P(g.Text("<script>y</script>")), Chart([]Bar{{"<b>", ToneBad, 2}, {"c", ToneGood, 0}}),
	}}
	var out bytes.Buffer
	if err := page.Write(&out); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	var policy string
	var scripts []string
	for n := range root.Descendants() {
		switch {
		case n.Data == "script" && n.FirstChild != nil:
			scripts = append(scripts, n.FirstChild.Data)
		case n.Data == "i", n.Data == "b":
			t.Errorf("an element %s", n.Data)
		case n.Data == "meta":
			for _, a := range n.Attr {
				if a.Key == "content" && strings.HasPrefix(a.Val, "default-src 'none'") {
					policy = a.Val
				}
			}
		}
	}
	if len(scripts) != 1 {
		t.Fatalf("%d scripts", len(scripts))
	}
	sum := sha256.Sum256([]byte(scripts[0]))
	if want := "script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
		t.Errorf("%s: want %s", policy, want)
	}
}

func TestSegments(t *testing.T) {
	if got := segments([]Bar{{"a", ToneBad, 0}}); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	got := segments([]Bar{{"a", ToneBad, 1}, {"b", ToneBad, 0}, {"c", ToneGood, 9999}})
	if len(got) != 2 || got[0].width < 12 || got[1].x <= got[0].x+got[0].width || int(got[1].x+got[1].width+.5) != 1000 {
		t.Errorf("%+v", got)
	}
}
