package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/scan"
)

// replica is one of the good repository that does not differ.
func replica() governance.Replica {
	return governance.Replica{
		Destination: governance.ReplicationDestination{Region: "eu-west-1", Account: "111122223333"}, Host: "far.example",
		Exists: true, Mutability: governance.Mutability{Immutable: true}, Lifecycle: true,
	}
}

func TestCheckReplicas(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*governance.Description, *governance.Replica)
		text  string
		fix   string
	}{
		"the same": {func(*governance.Description, *governance.Replica) {}, "", ""},
		"tags that move": {func(_ *governance.Description, p *governance.Replica) { p.Mutability.Immutable = false },
			"its replica in 111122223333/eu-west-1 differs: tags are MUTABLE instead of IMMUTABLE; Amazon ECR replicates images, but not settings",
			"ecrkit repo set far.example/team/app --immutable-tags"},
		"tags that do not move": {func(d *governance.Description, _ *governance.Replica) {
			d.TagMutability, d.MutabilityExclusions = "MUTABLE_WITH_EXCLUSION", []string{"v*"}
		}, "tags are IMMUTABLE instead of MUTABLE_WITH_EXCLUSION (v*), so that an image whose tag was moved arrives without it", "ecrkit repo set far.example/team/app --mutable-tags --mutability-exclusion 'v*'"},
		"no lifecycle policy": {func(_ *governance.Description, p *governance.Replica) { p.Lifecycle = false },
			"differs: there is no lifecycle policy;", "ecrkit lifecycle get ecr.example/team/app >policy.json && ecrkit lifecycle put far.example/team/app --policy policy.json"},
		"no lifecycle policy here either": {func(d *governance.Description, p *governance.Replica) { d.LifecyclePolicy, p.Lifecycle = nil, false }, "", ""},
		"it does not exist yet": {func(_ *governance.Description, p *governance.Replica) {
			*p = governance.Replica{Destination: p.Destination, Host: p.Host}
		},
			"does not exist yet, and would differ: tags are MUTABLE instead of IMMUTABLE, there is no lifecycle policy;",
			"ecrkit repo create far.example/team/app --immutable-tags && ecrkit lifecycle get "},
		"a template would create it": {func(_ *governance.Description, p *governance.Replica) { p.Exists = false }, "", ""},
		"it is not known": {func(_ *governance.Description, p *governance.Replica) {
			*p = governance.Replica{Destination: p.Destination, Err: errors.New("no permission for ecr:DescribeRepositories")}
		}, "not known whether its replica in 111122223333/eu-west-1 has the same settings: no permission", "ecrkit repo audit ecr.example/team/app"},
	} {
		d, p := good(), replica()
		c.spoil(&d, &p)
		var text, command string
		for _, f := range Check(d, Replicas{ByName: map[string][]governance.Replica{"team/app": {p}, "other": {{}}}}) {
			if f.ID == ControlReplica {
				text, command = f.Text, f.Command
			}
		}
		if (text == "") != (c.text == "") || !strings.Contains(text, c.text) || !strings.HasPrefix(command, c.fix) {
			t.Errorf("%s: %q, %q", name, text, command)
		}
	}
	for err, want := range map[error]string{
		fmt.Errorf("registry: %w", governance.ErrOtherAccount): "it is not known whether the repository is replicated: only the registry's own account can read that",
		errors.New("throttled"):                                "it is not known whether the repository is replicated: throttled",
	} {
		if f := Check(good(), Replicas{Err: err}); len(f) != 1 || f[0].ID != ControlReplica || f[0].Text != want {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

func TestCheckRegistry(t *testing.T) {
	resource := `,"Resource":"arn:aws:ecr:us-east-1:111122223333:repository/*"}`
	everybody := strings.TrimSuffix(allow(`"*"`, `["ecr:ReplicateImage","ecr:CreateRepository"]`), "}") + resource
	peer := strings.TrimSuffix(allow(`{"AWS":"444455556666"}`, `"ecr:ReplicateImage"`), "}") + resource
	hub := governance.CheckedCacheRule{CacheRule: governance.CacheRule{Prefix: "hub", Upstream: "registry-1.docker.io", Credential: "arn:secret"}}
	invalid := fmt.Errorf("ecr.example: hub: %w: the secret was not found", governance.ErrCacheRuleInvalid)
	for name, c := range map[string]struct {
		e    RegistryEvidence
		want string // ID SEVERITY
		text string
		fix  string
	}{
		"nothing":         {RegistryEvidence{}, "", "", ""},
		"a peer":          {RegistryEvidence{Policy: policyOf(peer)}, "", "", ""},
		"everybody":       {RegistryEvidence{Policy: policyOf(everybody)}, "REGISTRY-OPEN CRITICAL", "lets any AWS account replicate to the registry or change it: statement 1", "ecrkit registry policy rm ecr.example"},
		"everybody else":  {RegistryEvidence{Policy: policyOf(peer, everybody)}, "REGISTRY-OPEN CRITICAL", "statement 2", "ecrkit registry policy get ecr.example >policy.json"},
		"an organization": {RegistryEvidence{Policy: policyOf(strings.TrimSuffix(everybody, "}") + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`)}, "", "", ""},
		"reading":         {RegistryEvidence{Policy: policyOf(strings.TrimSuffix(allow(`"*"`, `"ecr:BatchGetImage"`), "}") + resource)}, "REGISTRY-OPEN HIGH", "lets any AWS account read", ""},
		"unreadable":      {RegistryEvidence{Policy: []byte(`{"Statement":1}`)}, "REGISTRY-OPEN HIGH", "cannot be read", "ecrkit registry policy get"},
		"unknown":         {RegistryEvidence{PolicyErr: errors.New("no permission")}, "REGISTRY-OPEN HIGH", "not known whether the registry policy lets in everybody: no permission", "ecrkit registry policy get ecr.example"},
		"a rule works":    {RegistryEvidence{CacheRules: []governance.CheckedCacheRule{hub}}, "", "", ""},
		"it does not":     {RegistryEvidence{CacheRules: []governance.CheckedCacheRule{{CacheRule: hub.CacheRule, Err: invalid}}}, "CACHE-INVALID MEDIUM", "rule hub of registry-1.docker.io does not work: the secret was not found", "ecrkit registry pull-through set hub registry-1.docker.io ecr.example --credential <SECRET_ARN>"},
		"a role":          {RegistryEvidence{CacheRules: []governance.CheckedCacheRule{{CacheRule: governance.CacheRule{Prefix: "a", Upstream: "b", CustomRole: "arn:role"}, Err: invalid}}}, "CACHE-INVALID MEDIUM", "", "ecrkit registry pull-through set a b ecr.example --custom-role <ROLE_ARN>"},
		"not tried":       {RegistryEvidence{CacheRules: []governance.CheckedCacheRule{{CacheRule: hub.CacheRule, Err: errors.New("throttled")}}}, "CACHE-INVALID MEDIUM", "not known whether the pull-through cache rule hub works: throttled", "ecrkit registry pull-through status hub ecr.example"},
		"rules unknown":   {RegistryEvidence{CacheRulesErr: errors.New("throttled")}, "CACHE-INVALID MEDIUM", "not known whether pull-through cache rules work: throttled", "ecrkit registry pull-through get"},
	} {
		var got, text, command string
		for _, f := range CheckRegistry("ecr.example", c.e) {
			got += f.ID + " " + string(f.Severity)
			text, command = f.Text, f.Command
		}
		if got != c.want || !strings.Contains(text, c.text) || !strings.HasPrefix(command, c.fix) {
			t.Errorf("%s: %q, not %q: %s: %s", name, got, c.want, text, command)
		}
	}
}

// Findings about the registry are in every format, and those of two rules are two.
func TestRegistryFindingsInReports(t *testing.T) {
	r := &governance.Registry{Registry: auth.Registry{Host: "127.0.0.1:4510", Account: "111122223333", Region: "us-east-1"}}
	invalid := fmt.Errorf("x: %w: no", governance.ErrCacheRuleInvalid)
	var rules []governance.CheckedCacheRule
	for _, prefix := range []string{"hub", "ghcr"} {
		rules = append(rules, governance.CheckedCacheRule{CacheRule: governance.CacheRule{Prefix: prefix, Upstream: "upstream.example", Credential: "arn"}, Err: invalid})
	}
	report := func(e *RegistryEvidence, skipped ...string) Report {
		return NewReport(r, "*", Evidence{Repositories: []governance.Description{good()}, Registry: e}, skipped, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	}
	write := func(report Report, format scan.Format) string {
		var out bytes.Buffer
		if err := report.Write(&out, format, scan.WriteOptions{Version: "1"}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	both := report(&RegistryEvidence{CacheRules: rules})
	if both.Summary.Findings != 2 || both.Summary.Clean != 1 || both.Worst(Medium) != 2 {
		t.Errorf("%+v", both.Summary)
	}
	for format, wants := range map[scan.Format][]string{
		scan.FormatTable:    {"127.0.0.1:4510\n  MEDIUM    CACHE-INVALID  the pull-through cache rule hub of upstream.example does not work: no\n", "rule ghcr"},
		scan.FormatMarkdown: {"rule hub", "rule ghcr"},
		scan.FormatHTML:     {"rule hub", "rule ghcr", "REGISTRY-OPEN", "2 failed"},
		scan.FormatJUnit:    {`name="CACHE-INVALID Pull-through cache rules work"`, "rule hub of upstream.example does not work: no; the pull-through cache rule ghcr"},
		scan.FormatSARIF:    {"rule hub", "rule ghcr", `"uri": "127.0.0.1%3A4510"`, `"kind": "registry"`},
	} {
		text := write(both, format)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", format, want, text)
			}
		}
		if format != scan.FormatMarkdown && format != scan.FormatTable && strings.Contains(write(report(nil), format), "CACHE-INVALID") {
			t.Errorf("%s names a control that was not checked", format)
		}
	}
	var issues []struct{ Fingerprint string }
	if err := json.Unmarshal([]byte(write(both, scan.FormatCodeQuality)), &issues); err != nil || len(issues) != 2 || issues[0].Fingerprint == issues[1].Fingerprint {
		t.Errorf("%v, %+v", err, issues)
	}
	if skipped := report(&RegistryEvidence{CacheRules: rules}, ControlCache); skipped.Summary.Findings != 0 || skipped.RegistryFindings == nil {
		t.Errorf("%+v", skipped)
	}
	if text := write(report(nil), scan.FormatJSON); !strings.Contains(text, `"registryFindings": null`) {
		t.Error(text)
	}
}
