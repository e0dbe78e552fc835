package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

const untaggedRule = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}`

// files are those that a desired state may name.
func files(name string) ([]byte, error) {
	texts := map[string]string{"lifecycle.json": untaggedRule, "policy.json": `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"ecr:BatchGetImage"}}`,
		"registry.json": `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"ecr:ReplicateImage","Resource":"*"}}`}
	if text, ok := texts[name]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("no such file")
}

func desired(t *testing.T, text string) Desired {
	t.Helper()
	d, err := ParseDesired(strings.NewReader("version: 1\n"+text), files)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDesiredDefaults(t *testing.T) {
	d := desired(t, `
defaults:
  tagMutability: IMMUTABLE
  mutabilityExclusions: [dev-*]
  kmsKey: alias/images
  resourceTags: {team: core, owner: us}
  lifecyclePolicyFile: lifecycle.json
  policyFile: policy.json
repositories:
  - name: plain
  - name: own
    tagMutability: MUTABLE
    encryption: AES256
    resourceTags: {owner: them}
    lifecyclePolicy: none
    policy: {Version: 2012-10-17, Statement: {Effect: Deny, Principal: "*", Action: ecr:*}}
  - name: excluding
    mutabilityExclusions: [latest]
`)
	for i, want := range []string{
		"IMMUTABLE_WITH_EXCLUSION (dev-*), KMS alias/images, owner=us team=core, policy true, lifecycle true",
		"MUTABLE, AES256, owner=them team=core, policy true, lifecycle false",
		"IMMUTABLE_WITH_EXCLUSION (latest), KMS alias/images, owner=us team=core, policy true, lifecycle true",
	} {
		r := d.Repositories[i]
		if got := fmt.Sprintf("%s, policy %v, lifecycle %v", r, r.Policy.Text != nil, r.Lifecycle.Text != nil); got != want {
			t.Errorf("%s: %s, not %s", r.Name, got, want)
		}
	}
	if p, err := repopolicy.Parse(d.Repositories[1].Policy.Text); err != nil || p.Version != "2012-10-17" {
		t.Errorf("an unquoted version: %+v, %v", p, err)
	}
}

func TestDesiredIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "version is missing",
		"version: 2":                 "version 2 is not known; write version: 1",
		"version: 1":                 "says nothing",
		"version: 1\nrepository: []": "repository",
		"version: 1\nrepositories: [{name: app, name: b}]":                                             "name",
		"version: 1\nrepositories: [{name: Team/App}]":                                                 `repository "Team/App": a name has`,
		"version: 1\nrepositories: [{name: a}]":                                                        `repository "a": a name has`,
		"version: 1\nrepositories: [{tagMutability: MUTABLE}]":                                         "repository 1 has no name",
		"version: 1\nrepositories: [{name: app}, {name: app}]":                                         "repository app is there twice",
		"version: 1\nrepositories: [{name: app, tagMutability: immutable}]":                            `tag mutability "immutable" is not one of`,
		"version: 1\nrepositories: [{name: app, tagMutability: IMMUTABLE_WITH_EXCLUSION}]":             "needs mutability exclusions",
		"version: 1\nrepositories: [{name: app, mutabilityExclusions: [x]}]":                           "need tagMutability",
		"version: 1\nrepositories: [{name: app, encryption: AES256, kmsKey: k}]":                       "takes no KMS key",
		"version: 1\nrepositories: [{name: app, policy: all}]":                                         `policy is neither a policy nor "none"`,
		"version: 1\nrepositories: [{name: app, policy: {Statement: []}}]":                             "policy: it has no Statement",
		"version: 1\nrepositories: [{name: app, policy: none, policyFile: policy.json}]":               "policy and policyFile exclude each other",
		"version: 1\nrepositories: [{name: app, lifecyclePolicyFile: x.json}]":                         "lifecyclePolicyFile: no such file",
		"version: 1\nrepositories: [{name: app, lifecyclePolicyFile: policy.json}]":                    "policy.json: ",
		"version: 1\nscanning: {type: BASIC, rules: [{frequency: CONTINUOUS_SCAN, filters: [a]}]}":     "needs scan type ENHANCED",
		"version: 1\nscanning: {type: BASIC, rules: [{frequency: SCAN_ON_PUSH}]}":                      "has no filters",
		"version: 1\naccountSettings: {BLOB_MOUNTING: yes}":                                            "BLOB_MOUNTING",
		"version: 1\naccountSettings: {MOUNTS: ENABLED}":                                               `account setting "MOUNTS"`,
		"version: 1\ntemplates: [{prefix: a}]":                                                         "template a is applied for nothing",
		"version: 1\ntemplates: [{prefix: A, appliedFor: [CREATE_ON_PUSH]}]":                           `template prefix "A"`,
		"version: 1\ntemplates: [{prefix: a, appliedFor: [PUSH]}]":                                     `applied for: "PUSH" is not one of`,
		"version: 1\ntemplates: [{appliedFor: [REPLICATION]}]":                                         "template 1 has no prefix",
		"version: 1\ntemplates: [{prefix: a, appliedFor: [REPLICATION]}, {prefix: a}]":                 "template a is there twice",
		"version: 1\nregistryPolicy: all":                                                              `registryPolicy is neither a policy nor "none"`,
		"version: 1\nregistryPolicy: {Statement: []}":                                                  "registryPolicy: it has no Statement",
		"version: 1\nregistryPolicy: none\nregistryPolicyFile: registry.json":                          "registryPolicy and registryPolicyFile exclude each other",
		"version: 1\nregistryPolicyFile: policy.json":                                                  "policy.json: statement 1: it needs a Resource",
		"version: 1\nrepositories: [{name: app, policyFile: registry.json}]":                           "registry.json: statement 1: it has a Resource, which the policy of a repository does not have",
		"version: 1\nregistryPolicyFile: x.json":                                                       "registryPolicyFile: no such file",
		"version: 1\npullThrough: [{upstream: quay.io}]":                                               "pullThrough rule 1 has no prefix",
		"version: 1\npullThrough: [{prefix: quay, upstream: quay.io, url: x}]":                         "url",
		"version: 1\npullThrough: [{prefix: quay, upstream: a}, {prefix: quay}]":                       "pullThrough rule quay is there twice",
		"version: 1\nreplication: {}":                                                                  "replication: it has no rules",
		"version: 1\nreplication: {rules: [{destination: [{region: eu-west-1}]}]}":                     "destination",
		"version: 1\nrepositories: [{name: app, resourceTags: {a: {}}}]":                               "",
		"version: 1\nrepositories: [{name: app}]\n---\nversion: 1":                                     "more than one YAML document",
		"version: 1\nrepositories: [{name: app}]\ndefaults: {scanOnPush: true}":                        "scanOnPush",
		"version: 1\nrepositories: [{name: app, tagMutability: MUTABLE, mutabilityExclusions: [a b]}]": "mutability exclusion",
	} {
		if _, err := ParseDesired(strings.NewReader(text), files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// planned is a line for each step.
func planned(d Desired, s State) string {
	r := &Registry{Registry: auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1"}}
	d, err := d.For(r)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, step := range NewPlan(r, d, s) {
		line := step.Action + " " + step.Object + " " + step.Setting
		if step.policy != nil {
			line += " (effect)"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

const hubSecret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ecr-pullthroughcache/hub"

// registryFile has settings of a registry.
const registryFile = `
registryPolicyFile: registry.json
pullThrough: [{prefix: quay, upstream: quay.io}]
replication: {rules: [{destinations: [{region: eu-west-1}], repositoryFilters: [{filter: prod/}]}]}`

func TestPlan(t *testing.T) {
	peerPolicy, _ := files("registry.json")
	has := func(change func(*Description)) State {
		d := Description{
			RepositoryDescription: ecr.RepositoryDescription{Name: "app", TagMutability: "IMMUTABLE_WITH_EXCLUSION", MutabilityExclusions: []string{"b", "a"}, Encryption: "KMS", KMSKey: "arn:key"},
			ResourceTags:          map[string]string{"team": "core", "other": "x"}, LifecyclePolicy: []byte(untaggedRule),
		}
		d.Policy, _ = files("policy.json")
		if change != nil {
			change(&d)
		}
		return State{Repositories: map[string]Description{"app": d}, OtherKeys: map[string]bool{}}
	}
	const all = "repositories: [{name: app, tagMutability: IMMUTABLE, mutabilityExclusions: [a, b], kmsKey: alias/k, resourceTags: {team: core}, policyFile: policy.json, lifecyclePolicyFile: lifecycle.json}]"
	template := newTemplateBase("team")
	template.AppliedFor = []string{"REPLICATION"}
	for name, c := range map[string]struct {
		text  string
		state State
		want  string
	}{
		"nothing differs":  {all, has(nil), ""},
		"nothing is said":  {"repositories: [{name: app}]", has(nil), ""},
		"it is missing":    {all, State{}, "create ecr.example/app repository\nchange ecr.example/app policy\nchange ecr.example/app lifecyclePolicy"},
		"mutability":       {all, has(func(d *Description) { d.TagMutability = "MUTABLE_WITH_EXCLUSION" }), "change ecr.example/app tagMutability"},
		"exclusions":       {all, has(func(d *Description) { d.MutabilityExclusions = []string{"a"} }), "change ecr.example/app tagMutability"},
		"encryption":       {all, has(func(d *Description) { d.Encryption, d.KMSKey = "AES256", "" }), "impossible ecr.example/app encryption"},
		"another key":      {all, State{Repositories: has(nil).Repositories, OtherKeys: map[string]bool{"app": true}}, "impossible ecr.example/app encryption"},
		"a tag is missing": {all, has(func(d *Description) { delete(d.ResourceTags, "team") }), "change ecr.example/app resourceTags"},
		"a tag differs":    {all, has(func(d *Description) { d.ResourceTags["team"] = "other" }), "change ecr.example/app resourceTags"},
		"no policy yet":    {all, has(func(d *Description) { d.Policy = nil }), "change ecr.example/app policy"},
		"another policy": {all, has(func(d *Description) {
			d.Policy = json.RawMessage(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`)
		}), "change ecr.example/app policy"},
		"no lifecycle yet":    {all, has(func(d *Description) { d.LifecyclePolicy = nil }), "change ecr.example/app lifecyclePolicy (effect)"},
		"another lifecycle":   {all, has(func(d *Description) { d.LifecyclePolicy = []byte(strings.Replace(untaggedRule, "14", "15", 1)) }), "change ecr.example/app lifecyclePolicy (effect)"},
		"policies go":         {"repositories: [{name: app, policy: none, lifecyclePolicy: none}]", has(nil), "remove ecr.example/app policy\nremove ecr.example/app lifecyclePolicy"},
		"there was no policy": {"repositories: [{name: app, policy: none, lifecyclePolicy: none}]", has(func(d *Description) { d.Policy, d.LifecyclePolicy = nil, nil }), ""},
		"the registry": {"scanning: {type: BASIC, rules: []}\naccountSettings: {BLOB_MOUNTING: ENABLED}\ntemplates: [{prefix: team, appliedFor: [REPLICATION]}]",
			State{Scanning: ScanningConfiguration{Type: ScanEnhanced}}, "change 111122223333/us-east-1 BLOB_MOUNTING\nchange 111122223333/us-east-1 scanning\ncreate 111122223333/us-east-1 template team"},
		"the registry is so": {"scanning: {type: BASIC, rules: []}\naccountSettings: {BLOB_MOUNTING: ENABLED}\ntemplates: [{prefix: team, appliedFor: [REPLICATION]}]",
			State{Scanning: ScanningConfiguration{Type: ScanBasic}, AccountSettings: map[string]string{"BLOB_MOUNTING": "ENABLED"}, Templates: map[string]Template{"team": template}}, ""},
		"registry settings": {registryFile, State{}, "change 111122223333/us-east-1 registryPolicy\ncreate 111122223333/us-east-1 pullThrough quay\nchange 111122223333/us-east-1 replication"},
		"registry settings are so": {registryFile, State{
			Policy: peerPolicy, CacheRules: map[string]CacheRule{"quay": {Prefix: "quay", Upstream: "quay.io", UpstreamPrefix: RootPrefix, Registry: "quay"}},
			Replication: ReplicationConfiguration{Rules: []ReplicationRule{{Destinations: []ReplicationDestination{{"eu-west-1", "111122223333"}}, Filters: []ReplicationFilter{{"prod/", "PREFIX_MATCH"}}}}},
		}, ""},
		"another registry policy":  {"registryPolicyFile: registry.json", State{Policy: json.RawMessage(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`)}, "change 111122223333/us-east-1 registryPolicy"},
		"the registry policy goes": {"registryPolicy: none", State{Policy: peerPolicy}, "remove 111122223333/us-east-1 registryPolicy"},
		"there was none":           {"registryPolicy: none", State{}, ""},
		"another credential":       {"pullThrough: [{prefix: hub, upstream: registry-1.docker.io, credentialArn: " + hubSecret + "}]", State{CacheRules: map[string]CacheRule{"hub": {Prefix: "hub", Upstream: "registry-1.docker.io", Credential: "arn:other"}}}, "change 111122223333/us-east-1 pullThrough hub"},
		"a credential is not said": {"pullThrough: [{prefix: hub, upstream: registry-1.docker.io}]", State{CacheRules: map[string]CacheRule{"hub": {Prefix: "hub", Upstream: "registry-1.docker.io", Credential: "arn:other"}}}, ""},
		"another upstream":         {"pullThrough: [{prefix: quay, upstream: public.ecr.aws}]", State{CacheRules: map[string]CacheRule{"quay": {Prefix: "quay", Upstream: "quay.io"}}}, "impossible 111122223333/us-east-1 pullThrough quay"},
		"another upstream prefix":  {"pullThrough: [{prefix: quay, upstream: quay.io, upstreamPrefix: team}]", State{CacheRules: map[string]CacheRule{"quay": {Prefix: "quay", Upstream: "quay.io"}}}, "impossible 111122223333/us-east-1 pullThrough quay"},
		"other rules stay":         {"pullThrough: [{prefix: quay, upstream: quay.io}]", State{CacheRules: map[string]CacheRule{"quay": {Prefix: "quay", Upstream: "quay.io"}, "hub": {Prefix: "hub", Upstream: "registry-1.docker.io"}}}, ""},
		"replication ends":         {"replication: {rules: []}", State{Replication: ReplicationConfiguration{Rules: []ReplicationRule{{Destinations: []ReplicationDestination{{"eu-west-1", "111122223333"}}}}}}, "remove 111122223333/us-east-1 replication"},
		"there was no replication": {"replication: {rules: []}", State{Replication: ReplicationConfiguration{Rules: []ReplicationRule{}}}, ""},
		"another order of the rules": {"replication: {rules: [{destinations: [{region: eu-west-1}]}, {destinations: [{region: eu-west-2}]}]}", State{Replication: ReplicationConfiguration{Rules: []ReplicationRule{
			{Destinations: []ReplicationDestination{{"eu-west-2", "111122223333"}}}, {Destinations: []ReplicationDestination{{"eu-west-1", "111122223333"}}},
		}}}, ""},
		"a template differs": {"templates: [{prefix: team, appliedFor: [REPLICATION], tagMutability: IMMUTABLE}]",
			State{Templates: map[string]Template{"team": template}}, "change 111122223333/us-east-1 template team"},
	} {
		if got := planned(desired(t, c.text), c.state); got != c.want {
			t.Errorf("%s:\n%s\nnot\n%s", name, got, c.want)
		}
	}
}

func TestStepsAfterOneThatFailed(t *testing.T) {
	var did []string
	step := func(object, setting string, err error) Step {
		return Step{Object: object, Setting: setting, do: func(context.Context, *Registry) error {
			did = append(did, object+" "+setting)
			return err
		}}
	}
	r := &Registry{Registry: auth.Registry{Account: "111122223333", Region: "us-east-1"}}
	steps := []Step{
		step(r.String(), "x", errors.New("refused")), step(r.String(), "y", nil), {Object: "h/a", Action: ActionImpossible},
		step("h/a", "repository", errors.New("broken")), step("h/a", "policy", nil), step("h/b", "policy", nil),
	}
	done, failures := r.Do(context.Background(), steps)
	if got := strings.Join(did, ", "); got != "111122223333/us-east-1 x, 111122223333/us-east-1 y, h/a repository, h/b policy" {
		t.Errorf("did %s", got)
	}
	if done != 2 || len(failures) != 2 || steps[3].Err == nil || steps[3].Err.Error() != "broken" || steps[4].Err == nil || steps[5].Err != nil {
		t.Errorf("%d done, %v, %+v", done, failures, steps)
	}
}

func FuzzDesired(f *testing.F) {
	f.Add("version: 1\nrepositories: [{name: app, policy: {Statement: {Effect: Deny, Principal: '*', Action: 1}}}]")
	f.Add("version: 1" + registryFile)
	f.Add("version: 1\ndefaults: {lifecyclePolicy: {rules: [{rulePriority: 1}]}}\ntemplates: [{prefix: ROOT, appliedFor: [CREATE_ON_PUSH]}]")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDesired(strings.NewReader(text), files)
		if err == nil && planned(d, State{}) == "" && len(d.Repositories) > 0 {
			t.Error("what is missing needs no step")
		}
	})
}

// What depends on the registry is refused before any call.
func TestDesiredForARegistry(t *testing.T) {
	r := &Registry{Registry: auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1"}}
	for text, want := range map[string]string{
		"pullThrough: [{prefix: A, upstream: quay.io}]":                                      `pullThrough rule A: prefix "A" must be ROOT`,
		"pullThrough: [{prefix: quay}]":                                                      `pullThrough rule quay: upstream "" must be the host`,
		"pullThrough: [{prefix: hub, upstream: registry-1.docker.io, credentialArn: arn:x}]": "must be the ARN of a secret",
		"pullThrough: [{prefix: hub, upstream: a.example, credentialArn: " + strings.Replace(hubSecret, "us-east-1", "eu-west-1", 1) + "}]": "the registry is in us-east-1",
		"replication: {rules: [{destinations: [{region: us-east-1}]}]}":                                                                     "replication: rule 1: destination 1 is the registry itself",
		"replication: {rules: [{destinations: []}]}":                                                                                        "replication: rule 1: it has no destinations",
	} {
		if _, err := desired(t, text).For(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
