package mirror

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestEditedPlan has a saved plan list other changes than those that it was made of: people read the list.
func TestEditedPlan(t *testing.T) {
	t.Parallel()
	d := digest.FromString("image")
	plan := Plan{
		Config: Config{Destinations: []string{"registry.example.com/copy"}, Images: []ImageRules{{From: "ghcr.io/team/app"}}},
		Repositories: []Repository{{
			From: "ghcr.io/team/app", To: "registry.example.com/copy/team/app", Create: true, Delete: []Deletion{},
			Images: []Image{{Digest: d, Tags: []TagChange{{Tag: "1", Action: AddTag}}}},
		}},
	}
	plan.Hash = plan.hash()
	saved, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := ParsePlan(saved); err != nil || read.Hash != plan.Hash {
		t.Fatalf("as it was saved: %s, %v", read.Hash, err)
	}
	for _, edit := range [][2]string{
		{`"to":"registry.example.com/copy/team/app"`, `"to":"registry.example.com/copy/harmless"`},
		{`"from":"ghcr.io/team/app","to"`, `"from":"ghcr.io/team/other","to"`},
		{`"tag":"1"`, `"tag":"2"`}, {`"action":"add"`, `"action":"leave"`}, {`"create":true`, `"create":false`},
		{string(d), string(digest.FromString("another"))}, {string(plan.Hash), string(d)},
	} {
		edited := strings.Replace(string(saved), edit[0], edit[1], 1)
		if edited == string(saved) {
			t.Fatalf("no %s in %s", edit[0], saved)
		}
		if _, err := ParsePlan([]byte(edited)); err == nil || !strings.Contains(err.Error(), "edited") {
			t.Errorf("%s: %v", edit[1], err)
		}
	}
}
