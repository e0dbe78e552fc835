package mirror_test

import (
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/mirror"
)

// Rules select tags; each decision names the rule that made it.
func ExampleTagRules_Select() {
	rules := mirror.TagRules{Match: mirror.Patterns{"v*"}, Exclude: mirror.Patterns{"*-rc*"}, Latest: 1, By: mirror.BySemver}
	tags := []mirror.Tag{{Name: "v1.9.0"}, {Name: "v1.10.0"}, {Name: "v2.0.0-rc1"}, {Name: "latest"}}
	decisions, err := rules.Select(tags, time.Now())
	if err != nil {
		fmt.Println(err)
	}
	for _, d := range decisions {
		fmt.Println(d.Tag, d.Selected, d.Rule)
	}
	// Output:
	// v1.9.0 false latest 1 by semver
	// v1.10.0 true latest 1 by semver
	// v2.0.0-rc1 false exclude *-rc*
	// latest false match
}
