package sign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

func parsePolicy(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy(strings.NewReader(text))
	check(t, err)
	return p
}

func TestPolicyDefault(t *testing.T) {
	for text, want := range map[string]Action{"version: 1": ActionReject, "version: 1\ndefault: reject": ActionReject, "version: 1\ndefault: accept": ActionAccept} {
		r := parsePolicy(t, text).Rule("registry.example/app")
		if r.Action != want || r.Scope != "" || r.Sign != nil {
			t.Errorf("%q: %+v", text, r)
		}
		if _, err := r.Requirements(t.Context(), nil); err == nil {
			t.Errorf("%q: requirements without an error", text)
		}
	}
}

func TestPolicyScopes(t *testing.T) {
	here, err := os.Getwd()
	check(t, err)
	scopes := []string{
		ecrHost + "/**", ecrHost + "/prod/**", ecrHost + "/prod/*", ecrHost + "/prod/app", "*/prod/app", "123456789012.dkr.ecr.*.amazonaws.com/**",
		"public.ecr.aws/**", "*/my-repo", "127.0.0.1:5000/a*c", "oci:**", "oci:" + filepath.ToSlash(here) + "/**", "*/**/deep",
		"tie.example/a*", "tie.example/*a", "tie.example/**a",
		"docker.io/library/*", "port.example/**", "with-port.example:443/**", "[::1]:5000/**",
		"registry-1.docker.io/short", "*.docker.io/team/*", "[::ffff:7f00:2]:5000/**",
		"docker-archive:" + filepath.ToSlash(here) + "/**", "docker-daemon:team/*",
	}
	text := "version: 1\nrules:\n"
	for _, s := range scopes {
		text += fmt.Sprintf("- {scope: %q, keys: [./k.pub]}\n", s)
	}
	p := parsePolicy(t, text)
	for _, test := range []struct {
		want  string
		names []string
	}{
		{ecrHost + "/**", []string{ecrHost + "/test/app"}},
		{ecrHost + "/prod/**", []string{ecrHost + "/prod/a/b"}},
		{ecrHost + "/prod/*", []string{ecrHost + "/prod/web"}},
		{ecrHost + "/prod/app", []string{ecrHost + "/prod/app"}},
		{"*/prod/app", []string{"registry.example/prod/app"}},
		{"123456789012.dkr.ecr.*.amazonaws.com/**", []string{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/x"}},
		{"*/my-repo", []string{ecrHost + "/my-repo"}},
		{"127.0.0.1:5000/a*c", []string{"127.0.0.1:5000/abc"}},
		{"", []string{"127.0.0.1:5000/a/c"}},
		{"", []string{"127.0.0.1:5000/abcd"}},
		{"*/**/deep", []string{"registry.example/a/b/deep"}},
		{"", []string{"registry.example.com/prod/application"}},
		{"tie.example/a*", []string{"tie.example/aa"}},
		{"tie.example/*a", []string{"tie.example/ba"}},
		{"tie.example/**a", []string{"tie.example/b/a"}},
		// The same registry by its other names.
		{ecrHost + "/prod/app", []string{"123456789012.dkr-ecr.us-east-1.on.aws/prod/app"}},
		{ecrHost + "/prod/app", []string{"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/prod/app"}},
		{ecrHost + "/prod/app", []string{strings.ToUpper(ecrHost) + "/prod/app"}},
		{"public.ecr.aws/**", []string{"ecr-public.aws.com/x/y"}},
		{ecrHost + "/prod/app", []string{"registry.example/prod/app", ecrHost + "/prod/app"}},
		{"docker.io/library/*", []string{"index.docker.io/library/nginx"}},
		{"docker.io/library/*", []string{"registry-1.docker.io:443/library/nginx"}},
		{"docker.io/library/*", []string{"docker.io/nginx"}},
		{"docker.io/library/*", []string{"registry-1.docker.io/nginx"}},
		{"docker.io/library/*", []string{"INDEX.docker.io.:0443/nginx"}},
		{"docker.io/library/*", []string{"registry.hub.docker.com/nginx"}},
		{"registry-1.docker.io/short", []string{"docker.io/library/short"}},
		{"registry-1.docker.io/short", []string{"index.docker.io/short"}},
		{"*.docker.io/team/*", []string{"docker.io/team/app"}},
		{"port.example/**", []string{"port.example.:443/app"}},
		{"127.0.0.1:5000/a*c", []string{"[::ffff:127.0.0.1]:5000/abc"}},
		{"[::ffff:7f00:2]:5000/**", []string{"127.0.0.2:5000/x"}},
		{"port.example/**", []string{"port.example:443/app"}},
		{"port.example/**", []string{"PORT.example:0443/app"}},
		{"", []string{"port.example:5000/app"}},
		{"with-port.example:443/**", []string{"with-port.example/app"}},
		{"[::1]:5000/**", []string{"[0:0:0:0:0:0:0:1]:05000/app"}},
		// Directories are absolute, and no repositories.
		{"oci:" + filepath.ToSlash(here) + "/**", []string{"oci:./mirror/x"}},
		{"oci:" + filepath.ToSlash(here) + "/**", []string{"oci:../sign/mirror"}},
		{"oci:**", []string{"oci:/srv/my-repo"}},
		{"oci:**", []string{"oci:/my-repo"}},
		{"", []string{"oci-archive:/my-repo"}},
		{"docker-archive:" + filepath.ToSlash(here) + "/**", []string{"docker-archive:app.tar:docker.io/library/app"}},
		{"docker-daemon:team/*", []string{"docker-daemon:team/app"}},
		{"", []string{"docker-daemon:app"}},
	} {
		r := p.Rule(test.names[0], test.names[1:]...)
		if r.Scope != test.want {
			t.Errorf("%v: scope %q, want %q", test.names, r.Scope, test.want)
		}
		if (r.Action == ActionReject) != (test.want == "") {
			t.Errorf("%v: %s", test.names, r.Action)
		}
	}
}

// loader returns keys by reference, and notes what was asked for.
type loader struct {
	keys  map[string]*Key
	asked []string
}

func (l *loader) load(_ context.Context, reference string) (*Key, error) {
	l.asked = append(l.asked, reference)
	key, ok := l.keys[reference]
	if !ok {
		return nil, fmt.Errorf("key %s: %w", reference, os.ErrNotExist)
	}
	return key, nil
}

func TestPolicyRequirements(t *testing.T) {
	a, b := newTestKey(t, "loaded"), newTestKey(t, "loaded")
	const arn = "arn:aws:kms:us-east-1:111122223333:alias/release"
	text := `
version: 1
keys:
  release: {path: keys/release.pub, kms: "` + arn + `", fingerprint: "` + string(a.Fingerprint()) + `"}
  ops: {kms: awskms:///alias/ops}
rules:
- scope: registry.example/prod/**
  keys: [release, ops]
  threshold: 2
  formats: [legacy, bundle]
  algorithms: [ecdsa-p256-sha256]
  annotations: {env: prod, build: "0123"}
  predicateTypes: ["https://spdx.dev/Document"]
  multiArch: all
  signedRepository: same
  signingEnabled: true
  kmsKeyId: release
  signatureVerificationPolicy: WARN
- scope: registry.example/mirror/**
  keys: ["` + string(a.Fingerprint()) + `", ./ops.pub]
  signedRepository: registry.example/prod/app
`
	p := parsePolicy(t, text)
	p.Dir = "/etc/ecrkit"
	l := &loader{keys: map[string]*Key{"/etc/ecrkit/keys/release.pub": a.Key, "awskms:///alias/ops": b.Key, "/etc/ecrkit/ops.pub": b.Key}}

	r := p.Rule("registry.example/prod/web")
	if r.Action != ActionVerify || r.Enforcement != EnforceWarn || r.Scope != "registry.example/prod/**" {
		t.Errorf("%+v", r)
	}
	if r.Sign == nil || r.Sign.Reference != arn || r.Sign.Name != "release" || r.Sign.Fingerprint() != a.Fingerprint() {
		t.Errorf("%+v", r.Sign)
	}
	if o := r.SignOptions(); !slices.Equal(o.Formats, []Format{FormatLegacy}) || !o.Recursive || o.Annotations["build"] != "0123" || o.Repository != "" {
		t.Errorf("%+v", o)
	}
	got, err := r.Requirements(t.Context(), l.load)
	check(t, err)
	if len(got.Keys) != 2 || got.Keys[0].Name != "release" || got.Keys[0].Fingerprint() != a.Fingerprint() || got.Keys[1].Name != "ops" {
		t.Errorf("keys %v", got.Keys)
	}
	if !slices.Equal(l.asked, []string{"/etc/ecrkit/keys/release.pub", "awskms:///alias/ops"}) {
		t.Errorf("asked for %v", l.asked)
	}
	if got.Threshold != 2 || !slices.Equal(got.Formats, []Format{FormatLegacy, FormatBundle}) || !slices.Equal(got.Algorithms, []Algorithm{ECDSAP256SHA256}) ||
		!maps.Equal(got.Annotations, map[string]string{"env": "prod", "build": "0123"}) || !slices.Equal(got.PredicateTypes, []string{spdx}) || !got.Platforms ||
		got.Repository != "registry.example/prod/web" {
		t.Errorf("%+v", got)
	}

	r = p.Rule("registry.example/mirror/app")
	if got, err = r.Requirements(t.Context(), l.load); err != nil || got.Repository != "registry.example/prod/app" || len(got.Keys) != 2 || got.Threshold != 1 || r.Enforcement != EnforceRequired {
		t.Errorf("%+v %v", got, err)
	}
	if o := r.SignOptions(); o.Repository != "registry.example/prod/app" || o.Formats != nil {
		t.Errorf("%+v", o)
	}

	// A key that is not the one that the policy knows.
	l.keys["/etc/ecrkit/keys/release.pub"] = b.Key
	if _, err := p.Rule("registry.example/mirror/app").Requirements(t.Context(), l.load); err == nil || !strings.Contains(err.Error(), "key release: the policy says that its fingerprint is "+string(a.Fingerprint())) {
		t.Errorf("got %v", err)
	}
	// Two names of one key are no two keys.
	l.keys["/etc/ecrkit/keys/release.pub"], l.keys["awskms:///alias/ops"] = a.Key, a.Key
	if _, err := p.Rule("registry.example/prod/web").Requirements(t.Context(), l.load); err == nil || !strings.Contains(err.Error(), "2 keys are required, of 1 different ones") {
		t.Errorf("got %v", err)
	}
	delete(l.keys, "awskms:///alias/ops")
	if _, err := p.Rule("registry.example/prod/web").Requirements(t.Context(), l.load); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "scope registry.example/prod/**") {
		t.Errorf("got %v", err)
	}
}

// TestPolicyOfSigningConfiguration has the configuration of a repository as the article
// on signing in Amazon ECR writes it.
func TestPolicyOfSigningConfiguration(t *testing.T) {
	const arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	document := func(policy string) string {
		return `{"version":1,"default":"accept","rules":[{"repositoryName":"my-repo","imageSigningConfiguration":{"signingEnabled":true,"kmsKeyId":"` + arn + `"` + policy + `}}]}`
	}
	for policy, want := range map[string]Enforcement{
		`,"signatureVerificationPolicy":"REQUIRED"`: EnforceRequired, `,"signatureVerificationPolicy":"WARN"`: EnforceWarn,
		`,"signatureVerificationPolicy":"NONE"`: EnforceNone, ``: EnforceRequired,
	} {
		p := parsePolicy(t, document(policy))
		r := p.Rule(ecrHost + "/my-repo")
		if r.Enforcement != want || r.Scope != "*/my-repo" || r.Sign == nil || r.Sign.Reference != arn {
			t.Errorf("%s: %+v", policy, r)
		}
		if want := map[bool]Action{true: ActionAccept, false: ActionVerify}[want == EnforceNone]; r.Action != want {
			t.Errorf("%s: %s", policy, r.Action)
		}
		if r := p.Rule(ecrHost + "/other"); r.Action != ActionAccept || r.Sign != nil {
			t.Errorf("%+v", r)
		}
	}
	// The same members in a rule with a scope; a key ID and an alias are keys too.
	for id, want := range map[string]string{"1234abcd-12ab-34cd-56ef-1234567890ab": "awskms:///1234abcd-12ab-34cd-56ef-1234567890ab", "alias/release": "alias/release"} {
		r := parsePolicy(t, "version: 1\nrules:\n- {scope: h.example/**, signingEnabled: true, kmsKeyId: "+id+"}\n").Rule("h.example/x")
		if r.Sign == nil || r.Sign.Reference != want || r.Enforcement != EnforceRequired {
			t.Errorf("%s: %+v", id, r)
		}
	}
	// Without signingEnabled the key only verifies.
	if r := parsePolicy(t, "version: 1\nrules:\n- {scope: h.example/**, kmsKeyId: alias/x}\n").Rule("h.example/x"); r.Sign != nil || r.Action != ActionVerify {
		t.Errorf("%+v", r)
	}
}

func TestPolicyRefuses(t *testing.T) {
	rule := func(members string) string {
		return "version: 1\nkeys:\n  a: {path: a.pub}\n  b: {path: b.pub}\n  k: {kms: alias/k, fingerprint: sha256:" + strings.Repeat("0", 64) + "}\nrules:\n- {scope: h.example/**, " + members + "}\n"
	}
	scope := func(scope string) string { return "version: 1\nrules:\n- {scope: " + scope + ", reject: true}\n" }
	for _, test := range []struct{ text, want string }{
		{"", "write version: 1"},
		{"version: 2", "write version: 1"},
		{"version: 1\ndefault: maybe", `default: "maybe" is neither accept nor reject`},
		{"version: 1\nunknown: 1", `[2:1] unknown field "unknown"`},
		{"version: 1\n---\nversion: 1\n", "more than one"},
		{"version: 1\nversion: 1", "already defined"},
		{rule("keys: [a], treshold: 1"), `unknown field "treshold"`},
		{rule("keys: [a], threshold: 2"), `rule 1, scope "h.example/**": threshold: 2 keys must have signed, of 1`},
		{rule("keys: [a, b], threshold: 0"), "threshold: 0 keys"},
		{rule("keys: [a, b], threshold: -1"), "threshold: -1 keys"},
		{rule("keys: [a, a]"), `keys: "a" is there twice`},
		{rule("keys: [a, ./a.pub]"), ""}, // other paths, as far as can be seen
		{rule("keys: [a, a.pub]"), `keys: "a.pub" is there twice`},
		{rule("keys: [c]"), `keys: no key in keys: is called "c"`},
		{rule("keys: ['']"), "keys: it is empty"},
		{rule("keys: [awskms://x]"), "keys: KMS key"},
		{rule("keys: ['sha256:" + strings.Repeat("1", 64) + "']"), "keys: no key in keys: has the fingerprint"},
		{rule("threshold: 1"), "keys: there are none"},
		{rule("annotations: {a: b}"), "keys: there are none"},
		{rule("signatureVerificationPolicy: REQUIRED"), "keys: there are none, and signatureVerificationPolicy is REQUIRED"},
		{rule("signatureVerificationPolicy: WARN"), "keys: there are none, and signatureVerificationPolicy is WARN"},
		{rule("keys: [a], signatureVerificationPolicy: required"), `signatureVerificationPolicy: "required" is not one of`},
		{rule("keys: [a], signingEnabled: true"), "kmsKeyId: a push is to sign"},
		{rule("keys: [a], signingEnabled: true, kmsKeyId: a"), `kmsKeyId: key "a" has no kms reference`},
		{rule("signingEnabled: true, kmsKeyId: 'arn:aws:kms:us-east-1:123456789012:key/xxxxx'"), "kmsKeyId: KMS key"},
		{rule("signingEnabled: yes, kmsKeyId: k"), "true or false is expected, not text"},
		{rule("signingEnabled: true, kmsKeyId: k, formats: [oci-1-1]"), "formats: a push signs as bundle or legacy"},
		{rule("keys: [a], formats: [cosign]"), `formats: "cosign" is not one of bundle, legacy, oci-1-1`},
		{rule("keys: [a], algorithms: [rsa]"), `algorithms: "rsa" is not one of ecdsa-p256-sha256`},
		{rule("keys: [a], predicateTypes: ['https://sigstore.dev/cosign/sign/v1']"), "predicateTypes:"},
		{rule("keys: [a], multiArch: some"), `multiArch: "some" is neither index nor all`},
		{rule("keys: [a], annotations: {build: 123}"), "annotations: build: write its value in quotes"},
		{rule("keys: [a], annotations: {build: 1.5}"), "annotations: build: write its value in quotes"},
		{rule("keys: [a], signedRepository: app"), "signedRepository:"},
		{rule("keys: [a], signedRepository: h.example/*"), "signedRepository:"},
		{rule("reject: true, keys: [a]"), "reject: a rule that rejects has nothing but its scope"},
		{rule("reject: true, signatureVerificationPolicy: NONE"), "reject: a rule that rejects"},
		{rule("repositoryName: x, keys: [a]"), "repositoryName: the rule has a scope as well"},
		{rule("imageSigningConfiguration: {signingEnabled: true}"), "repositoryName: it is missing"},
		{"version: 1\nrules:\n- {repositoryName: 'h*', reject: true}\n", `rule 1, repositoryName "h*": repositoryName: it is not the name`},
		{"version: 1\nrules:\n- {repositoryName: x, imageSigningConfiguration: {kmsKeyId: alias/k}, kmsKeyId: alias/k}\n", "imageSigningConfiguration: its members are in the rule as well"},
		{"version: 1\nrules:\n- {repositoryName: x, imageSigningConfiguration: {kmsKey: alias/k}}\n", `unknown field "kmsKey"`},
		{"version: 1\nrules:\n- {scope: '*/x', reject: true}\n- {repositoryName: x, reject: true}\n", `rule 2, repositoryName "x": another rule has the same scope`},
		{"version: 1\nrules: [null]", `rule 1, scope ""`},
		{"version: 1\nkeys: {a: {}}", `key "a": it has neither a path nor a kms reference`},
		{"version: 1\nkeys: {a: null}", `key "a": it has neither a path nor a kms reference`},
		{"version: 1\nkeys: {a.pub: {path: x}}", `key "a.pub": its name may have`},
		{"version: 1\nkeys: {a: {kms: key}}", `key "a": kms: "key" is not a key of AWS KMS`},
		{"version: 1\nkeys: {a: {path: x, fingerprint: SHA256:00}}", `key "a": fingerprint:`},
		{scope("''"), "scope: it is empty"},
		{scope("docker.io"), "all repositories of a host are HOST/**"},
		{scope("127.1:5000/**"), "ends in a number"},
		{scope("'h.example/***'"), "three asterisks"},
		{scope("h.example/app:latest"), "there is no tag"},
		{scope("h.example/app@sha256:00"), "names an image"},
		{scope("H.example/app"), "in lower case"},
		{scope("'**'"), "all repositories of a host"},
		{scope("oci:mirror"), "is relative"},
		{"version: 1\n#" + strings.Repeat("x", maxPolicySize), "more than"},
	} {
		_, err := ParsePolicy(strings.NewReader(test.text))
		switch {
		case test.want == "":
			if err != nil {
				t.Errorf("%s: %v", test.text, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%.300s:\n got %v\nwant %q", test.text, err, test.want)
		}
	}
	// All problems at once.
	_, err := ParsePolicy(strings.NewReader(rule("keys: [a], threshold: 2") + "- {scope: x, reject: true}\n"))
	if err == nil || !strings.Contains(err.Error(), "rule 1") || !strings.Contains(err.Error(), "rule 2") {
		t.Errorf("got %v", err)
	}
}

func TestReadPolicy(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "policy.yaml")
	check(t, os.WriteFile(name, []byte("version: 1\n"), 0o600))
	p, err := ReadPolicy(name)
	check(t, err)
	if p.Dir != dir {
		t.Errorf("dir %s", p.Dir)
	}
	check(t, os.WriteFile(name, []byte("version: 1\nx: y\n"), 0o600))
	if _, err := ReadPolicy(name); err == nil || !strings.Contains(err.Error(), "policy "+name+": [2:1]") {
		t.Errorf("got %v", err)
	}
	if _, err := ReadPolicy(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("version: 1\ndefault: accept\nkeys: {a: {path: a.pub}}\nrules:\n- {scope: h.example/**, keys: [a], threshold: 1, annotations: {a: b}}\n", "h.example/app")
	f.Add(`{"version":1,"rules":[{"repositoryName":"my-repo","imageSigningConfiguration":{"signingEnabled":true,"kmsKeyId":"alias/x","signatureVerificationPolicy":"REQUIRED"}}]}`, "oci:dir")
	f.Fuzz(func(t *testing.T, text, repository string) {
		p, err := ParsePolicy(strings.NewReader(text))
		if err != nil {
			return
		}
		r := p.Rule(repository)
		if r.Action == ActionVerify && len(r.keys) == 0 || r.Action == "" || r.Enforcement == "" {
			t.Errorf("%+v", r)
		}
		r.SignOptions()
	})
}
