package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/mirror"
)

const (
	adviceFrom = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	adviceTo   = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
)

func advised(t *testing.T, yaml string) mirrorAdvice {
	t.Helper()
	yaml = strings.NewReplacer("FROM", adviceFrom, "TO", adviceTo).Replace(yaml)
	config, err := mirror.ReadConfig(strings.NewReader(yaml), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return adviseMirror(config, auth.Registries{})
}

// strictly decodes JSON into a type of the SDK, whose fields have the names of the API with a capital.
func strictly(t *testing.T, from, into any) {
	t.Helper()
	data, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	in := json.NewDecoder(strings.NewReader(string(data)))
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

func TestMirrorAdvice(t *testing.T) {
	a := advised(t, `
destinations: [TO, 123456789012.dkr.ecr.us-west-2.amazonaws.com]
images: [{from: "FROM/team/*"}, {from: FROM/web}]
`)
	if len(a.Replication) != 1 || len(a.PullThrough) != 0 || len(a.Not) != 0 {
		t.Fatalf("%+v", a)
	}
	var replication types.ReplicationConfiguration
	strictly(t, a.Replication[0].Configuration, &replication)
	rule := replication.Rules[0]
	if len(rule.Destinations) != 2 || *rule.Destinations[0].Region != "eu-west-1" || *rule.Destinations[1].RegistryId != "123456789012" ||
		len(rule.RepositoryFilters) != 2 || *rule.RepositoryFilters[0].Filter != "team/" || *rule.RepositoryFilters[1].Filter != "web" ||
		rule.RepositoryFilters[0].FilterType != types.RepositoryFilterTypePrefixMatch {
		t.Errorf("%+v", rule)
	}
	if len(a.Backfills) != 2 {
		t.Fatalf("%+v", a.Backfills)
	}
	var backfill ecr.StartReplicationBackfillInput
	strictly(t, a.Backfills[1].Input, &backfill)
	if a.Backfills[1].Region != "us-east-1" || *backfill.Destination.Region != "us-west-2" || *backfill.Destination.RegistryId != "123456789012" {
		t.Errorf("%+v", a.Backfills[1])
	}
	text := mirrorAdviceText(a)
	for _, want := range []string{"eu-west-1", "us-west-2"} {
		if want = "\n  ecrkit registry backfill start 123456789012/" + want + " " + adviceFrom + " --wait\n"; !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if all := advised(t, "destinations: [TO]\nimages: [{from: FROM/*}]"); len(all.Replication[0].Configuration.Rules[0].Filters) != 0 {
		t.Errorf("%+v", all)
	}

	a = advised(t, "destinations: [TO/cache]\nimages: [{from: FROM/web}, {from: FROM/db}]")
	if len(a.Replication)+len(a.Backfills) != 0 || len(a.PullThrough) != 1 || len(a.Not) != 0 {
		t.Fatalf("%+v", a)
	}
	var cache ecr.CreatePullThroughCacheRuleInput
	strictly(t, a.PullThrough[0].Rule, &cache)
	if *cache.EcrRepositoryPrefix != "cache" || *cache.UpstreamRegistryUrl != adviceFrom || cache.UpstreamRegistry != types.UpstreamRegistryEcr || *cache.UpstreamRepositoryPrefix != "ROOT" {
		t.Errorf("%+v", cache)
	}

	for config, want := range map[string]string{
		"destinations: [TO]\nimages: [{from: ghcr.io/web}]":                                      "not both sides are a private registry",
		"destinations: [example.com]\nimages: [{from: FROM/web}]":                                "not both sides are a private registry",
		"destinations: [TO]\nimages: [{from: 210987654321.dkr.ecr.us-east-1.amazonaws.com/web}]": "different accounts",
		"destinations: [FROM/copy]\nimages: [{from: FROM/web}]":                                  "to itself",
		"destinations: [TO]\nimages: [{from: FROM/web, name: x}]":                                "keep its name",
		"destinations: [TO]\nimages: [{from: FROM/web, tags: {match: v*}}]":                      "all tags",
		"destinations: [TO]\nimages: [{from: FROM/web, platforms: [linux/amd64]}]":               "all platforms",
		"destinations: [TO]\nimages: [{from: FROM/web, referrers: false}]":                       "referrers would be copied",
		"destinations: [TO]\nimages: [{from: FROM/*/web}]":                                       "by a prefix only",
		"destinations: [TO]\nexisting: skip\nimages: [{from: FROM/web}]":                         "would be overwritten",
	} {
		if a := advised(t, config); len(a.Not) != 1 || !strings.Contains(a.Not[0], want) || len(a.Replication)+len(a.PullThrough) != 0 {
			t.Errorf("%s: %+v, want %q", config, a, want)
		}
	}
}
