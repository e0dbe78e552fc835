package lifecycle

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func previewPage(results ...string) string {
	return `{"registryId":"000000000000","repositoryName":"app","lifecyclePolicyText":"{}","status":"COMPLETE","previewResults":[` +
		strings.Join(results, ",") + `],"summary":{"expiringImageTotalCount":1}}`
}

func previewResult(name, action string, rule int) string {
	return fmt.Sprintf(`{"imageTags":["x"],"imageDigest":%q,"imagePushedAt":"2026-01-31T12:00:00Z","action":{"type":%q},"appliedRulePriority":%d}`, digestOf(name), action, rule)
}

func TestCompare(t *testing.T) {
	images := []Image{
		{Digest: digestOf("a"), Tags: []string{"alpha-1"}, PushedAt: daysAgo(4)},
		{Digest: digestOf("b"), PushedAt: daysAgo(3)},
		{Digest: digestOf("c"), Tags: []string{"alpha-2"}, PushedAt: daysAgo(2)},
		{Digest: digestOf("d"), Tags: []string{"other"}, PushedAt: daysAgo(1)},
		{Digest: digestOf("e"), PushedAt: daysAgo(1), Subject: digestOf("b")},
	}
	e := Evaluate(threeRules(t), images, noon)
	same := previewPage(previewResult("a", "EXPIRE", 2)) + previewPage(previewResult("b", "EXPIRE", 1))
	p, err := ReadPreview(strings.NewReader(same))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Compare(p); got != nil {
		t.Errorf("differences: %+v", got)
	}
	other := previewPage(previewResult("a", "TRANSITION", 2), previewResult("c", "EXPIRE", 3), previewResult("f", "EXPIRE", 1), previewResult("e", "EXPIRE", 1))
	if p, err = ReadPreview(strings.NewReader(other)); err != nil {
		t.Fatal(err)
	}
	want := []Mismatch{
		{digestOf("a"), 0, PreviewAction{Expire, 2}, PreviewAction{Transition, 2}},
		{digestOf("b"), 1, PreviewAction{Expire, 1}, PreviewAction{Outcome: Keep}},
		{digestOf("c"), 2, PreviewAction{Outcome: Keep}, PreviewAction{Expire, 3}},
		{digestOf("f"), -1, PreviewAction{Outcome: Keep}, PreviewAction{Expire, 1}},
	}
	if got := e.Compare(p); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadPreviewRefuses(t *testing.T) {
	for _, x := range []struct{ name, text, want string }{
		{"nothing", "", "not JSON"},
		{"cut", previewPage()[:40], "not JSON"},
		{"in progress", `{"status":"IN_PROGRESS"}`, `its status is "IN_PROGRESS"`},
		{"another object", `{"imageDetails":[]}`, `its status is ""`},
		{"no results", `{"status":"COMPLETE"}`, "has no previewResults"},
		{"digest", previewPage(`{"imageDigest":"x","action":{"type":"EXPIRE"}}`), "is not a sha256 digest"},
		{"status twice", `{"status":"FAILED","status":"COMPLETE","previewResults":[]}`, `"status" appears twice in one object`},
		{"action twice", previewPage(`{"action":{"type":"EXPIRE"},"action":{"type":"TRANSITION"}}`), `previewResults[0]: "action" appears twice in one object`},
		{"an image twice", previewPage(previewResult("a", "EXPIRE", 1)) + previewPage(previewResult("a", "TRANSITION", 1)), "it has two actions"},
		{"action", previewPage(previewResult("a", "KEEP", 1)), `the action "KEEP" is unknown`},
	} {
		if _, err := ReadPreview(strings.NewReader(x.text)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %s", x.name, err, x.want)
		}
	}
}

// FuzzReadPreview wants what is read to be compared without harm.
func FuzzReadPreview(f *testing.F) {
	f.Add([]byte(previewPage(previewResult("a", "EXPIRE", 2)) + previewPage(previewResult("b", "TRANSITION", 1))))
	e := Evaluate(threeRules(f), []Image{{Digest: digestOf("a"), PushedAt: daysAgo(2)}, {Digest: digestOf("b"), PushedAt: daysAgo(1)}}, noon)
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ReadPreview(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		if n := len(e.Compare(p)); n > len(p)+2 {
			t.Fatalf("%d differences from %d results", n, len(p))
		}
	})
}
