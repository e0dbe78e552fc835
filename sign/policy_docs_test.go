package sign

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestPolicyDocs reads the policies in the documentation.
func TestPolicyDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/signing-policy.md")
	check(t, err)
	blocks := regexp.MustCompile("(?s)```(?:yaml|json)\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d policies", len(blocks))
	}
	p := parsePolicy(t, string(blocks[0][1]))
	for repository, want := range map[string]Enforcement{
		ecrHost + "/app": EnforceRequired, ecrHost + "/legacy/app": EnforceWarn, "public.ecr.aws/docker/library/redis": EnforceNone,
		"registry.example/app": EnforceRequired, // the default rejects
	} {
		if r := p.Rule(repository); r.Enforcement != want {
			t.Errorf("%s: %+v", repository, r)
		}
	}
	if r := p.Rule(ecrHost + "/prod/app"); r.requirements.Threshold != 2 || r.Sign != nil {
		t.Errorf("%+v", r)
	}
	if r := parsePolicy(t, string(blocks[1][1])).Rule(ecrHost + "/my-repo"); r.Sign == nil || r.Action != ActionVerify {
		t.Errorf("%+v", r)
	}
	for _, a := range algorithms {
		if !strings.Contains(string(text), "`"+string(a)+"`") {
			t.Errorf("algorithm %s is not there", a)
		}
	}
}
