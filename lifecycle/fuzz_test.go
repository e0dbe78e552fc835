package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
)

// FuzzParse wants a policy that is taken to be written as it was read, and to be
// evaluated as the naive evaluator does.
func FuzzParse(f *testing.F) {
	f.Add([]byte(policyText(ruleText(1, `"tagStatus":"tagged","tagPatternList":["a*b*","*"],`+keepOne, expire), ruleText(2, `"tagStatus":"untagged",`+olderThan, archive))))
	f.Add([]byte(policyText(ruleText(1, `"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":2147483647`, expire))))
	f.Add([]byte(`{"rules":[{"rulePriority":1,"rulePriority":1e3,"selection":null,"action":[]}],"rules":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		problems := Lint(text)
		p, err := Parse(text)
		var invalid *InvalidError
		if err != nil {
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || !reflect.DeepEqual(invalid.Problems, problems) {
				t.Fatalf("refused with %v, and lint says %v", err, problems)
			}
			return
		}
		for _, problem := range problems {
			if problem.Severity == SeverityError || problem.Line == 0 {
				t.Fatalf("taken, and lint says %+v", problem)
			}
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := Parse(again); err != nil && len(again) <= MaxPolicyLength || err == nil && !reflect.DeepEqual(p, same) {
			t.Fatalf("%s became %s (%v)", text, again, err)
		}
		images := []Image{{Digest: digestOf("a"), Tags: []string{"a", "b"}, PushedAt: daysAgo(3)}, {Digest: digestOf("b"), PushedAt: daysAgo(2)},
			{Digest: digestOf("c"), Status: StatusArchived, PushedAt: daysAgo(400), LastArchivedAt: daysAgo(300)}, {Digest: digestOf("d"), Tags: []string{"a-b"}, PushedAt: daysAgo(1)}}
		e := Evaluate(p, images, noon)
		m := naive{p.Rules(), images, noon}
		for i := range images {
			e.Explain(i)
			// The naive evaluator counts days in a Duration, which ends at 292 years.
			long := slices.ContainsFunc(p.Rules(), func(r Rule) bool { return r.Selection.Count > 100_000 })
			if outcome, rule := m.judge(images[i]); !long && (outcome != e.Verdicts[i].Outcome || rule != e.Verdicts[i].Rule) {
				t.Fatalf("image %d: %+v, want %s by rule %d", i, e.Verdicts[i], outcome, rule)
			}
		}
	})
}

// FuzzReadImages wants what is read to be evaluated without harm.
func FuzzReadImages(f *testing.F) {
	f.Add([]byte(`{"imageDetails":[` + detail("a", `,"imageTags":["x"]`) + "," + detail("b", `,"imageStatus":"ARCHIVED","lastArchivedAt":1.5e9`) + `]}[` + detail("c", "") + `]`))
	f.Add([]byte(`{"images":[{"imageId":{"imageDigest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"imageManifest":"{}"}]}`))
	if page, err := os.ReadFile("testdata/images.json"); err == nil {
		f.Add(page)
	}
	policy, err := Retention{UntaggedDays: 1, Keep: []KeepTagged{{"v", 1}}, AnyKeep: 1, ArchivedDays: 90}.Policy()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		inventory, err := ReadImages(bytes.NewReader(text))
		if err != nil {
			return
		}
		e := Evaluate(policy, inventory.Images, noon)
		if s := e.Summary(); s.Keep+s.Expire+s.Transition != len(inventory.Images) || s.ExpireBytes.Bytes < 0 {
			t.Fatalf("%+v of %d images", s, len(inventory.Images))
		}
		for i := range inventory.Images[:min(3, len(inventory.Images))] {
			e.Explain(i)
		}
	})
}
