package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// BenchmarkEvaluate is 10,000 images and 50 rules.
func BenchmarkEvaluate(b *testing.B) {
	var rules []Rule
	for n := range MaxRules {
		rule := Rule{Priority: n + 1, Action: Action{Type: ActionExpire}, Selection: Selection{TagStatus: Tagged, CountType: ImageCountMoreThan, Count: 10}}
		switch {
		case n == MaxRules-1:
			rule.Selection = Selection{TagStatus: AnyTags, CountType: SinceImagePushed, CountUnit: UnitDays, Count: 300}
		case n == MaxRules-2:
			rule.Selection = Selection{TagStatus: Untagged, CountType: SinceImagePushed, CountUnit: UnitDays, Count: 14}
		case n%2 == 0:
			rule.Selection.TagPatterns = []string{fmt.Sprintf("*-team%d-*", n), "*-2026*"}
		default:
			rule.Selection.TagPrefixes = []string{fmt.Sprintf("team%d-", n)}
		}
		rules = append(rules, rule)
	}
	policy, err := New(rules...)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	images := make([]Image, 10_000)
	for i := range images {
		images[i] = Image{Digest: digest.FromString(fmt.Sprint(i)), PushedAt: noon.Add(-time.Duration(r.IntN(9000)) * time.Hour)}
		for range r.IntN(4) {
			images[i].Tags = append(images[i].Tags, fmt.Sprintf("app-team%d-2026.%d", r.IntN(60), r.IntN(10_000)))
		}
	}
	for b.Loop() {
		Evaluate(policy, images, noon)
	}
}
