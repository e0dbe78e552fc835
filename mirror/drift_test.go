package mirror

import (
	"reflect"
	"testing"
)

func TestDriftIsOfWhatTheConfigurationSays(t *testing.T) {
	t.Parallel()
	yes := true
	have := Settings{TagMutability: "MUTABLE", Encryption: "AES256", LifecyclePolicy: `{"a":1,"b":2}`, Tags: map[string]string{"owner": "x"}}
	for _, test := range []struct {
		name      string
		config    RepositoryRules
		source    Settings
		inherited bool
		want      []Drift
	}{
		{"nothing is said", RepositoryRules{Inherit: InheritSource}, Settings{}, false, nil},
		{"equal", RepositoryRules{TagMutability: "MUTABLE", Encryption: "AES256", LifecyclePolicy: `{"b": 2, "a": 1}`, Tags: map[string]string{"owner": "x"}}, Settings{}, false, nil},
		{"each", RepositoryRules{TagMutability: "IMMUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"latest"}, ScanOnPush: &yes, KMSKey: "arn:aws:kms:us-east-1:1:key/1", RepositoryPolicy: "{}", Tags: map[string]string{"owner": "y", "new": ""}}, Settings{}, false, []Drift{
			{"tag_mutability", "MUTABLE", "IMMUTABLE_WITH_EXCLUSION latest"}, {"scan_on_push", "false", "true"}, {"encryption", "AES256", "KMS"}, {"kms_key", "", "arn:aws:kms:us-east-1:1:key/1"},
			{"repository_policy", "", "{}"}, {"tags.new", "", ""}, {"tags.owner", "x", "y"}}},
		{"inherited", RepositoryRules{Inherit: InheritSource, TagMutability: "MUTABLE"}, Settings{TagMutability: "IMMUTABLE", ScanOnPush: true, Encryption: "AES256"}, true, []Drift{
			{"scan_on_push", "false", "true"}, {"lifecycle_policy", `{"a":1,"b":2}`, ""}}},
	} {
		if got := test.config.drift(test.config.over(test.source), have, test.inherited); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, not %+v", test.name, got, test.want)
		}
	}
}
