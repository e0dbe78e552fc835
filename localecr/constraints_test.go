package localecr

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr/internal/model"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// plausible are values of members, by name.
var plausible = map[string]any{
	"layerPartBlob": []byte("x"), "repositoryName": "app", "registryId": "000000000000", "imageDigest": registry.Digest(nil), "layerDigests": registry.Digest(nil),
	"layerDigest": registry.Digest(nil), "imageTag": "1", "tag": "1", "resourceArn": "arn:aws:ecr:us-east-1:000000000000:repository/app",
	"ecrRepositoryPrefix": "pull", "upstreamRegistryUrl": "quay.io", "prefix": "made", "principalArn": "arn:aws:iam::000000000000:role/ecrkit",
	"name": "BASIC_SCAN_TYPE_VERSION", "value": "AWS_NATIVE", "kmsKey": "arn:aws:kms:us-east-1:000000000000:key/none",
	"credentialArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/none", "customRoleArn": "arn:aws:iam::000000000000:role/ecrkit",
	"lifecyclePolicyText": `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}`,
	"policyText":          `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`,
}

func example(c model.Constraint, name string) any {
	value, known := plausible[name]
	switch {
	case known && c.Type != "list":
		return value
	case len(c.Enum) > 0:
		return c.Enum[0]
	case c.Type == "structure":
		return examples(c.Members)
	case c.Type == "list":
		return []any{example(*c.Element, name)}
	case c.Type == "boolean":
		return true
	case c.Type == "integer", c.Type == "long":
		return 1
	default:
		return "x"
	}
}

func examples(members map[string]model.Constraint) map[string]any {
	out := map[string]any{}
	for name, c := range members {
		if c.Required {
			out[name] = example(c, name)
		}
	}
	return out
}

// A breach is an input with one member that breaks the model.
type breach struct {
	what  string
	input map[string]any
	kinds []string
}

func breaches(path string, members map[string]model.Constraint, with func(members map[string]any) map[string]any) (out []breach) {
	base := examples(members)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		c := members[name]
		set := func(what string, value any, kinds ...string) {
			changed := maps.Clone(base)
			changed[name] = value
			out = append(out, breach{path + name + " " + what, with(changed), kinds})
		}
		invalid := []string{"InvalidParameterException", "ValidationException", "InvalidTagParameterException"}
		if c.Required {
			without := maps.Clone(base)
			delete(without, name)
			out = append(out, breach{path + name + " missing", with(without), invalid})
		}
		wrong := any(true)
		if c.Type == "boolean" {
			wrong = "no"
		}
		set("of a wrong type", wrong, codeSerialization)
		switch {
		case len(c.Enum) > 0:
			set("unknown", "NO_SUCH_VALUE", invalid...)
		case c.Type == "string" && c.Min != nil && *c.Min > 0:
			set("too short", strings.Repeat("a", int(*c.Min)-1), invalid...)
		}
		if c.Type == "string" && c.Max != nil && *c.Max < 1<<20 {
			set("too long", strings.Repeat("a", int(*c.Max)+1), invalid...)
		}
		if c.Pattern != nil && !c.Pattern.Matches("no match!") {
			kinds := invalid
			if name == "registryId" { // another account's
				kinds = append(kinds, codeAccessDenied)
			}
			set("of a wrong form", "no match!", kinds...)
		}
		if c.Type == "integer" || c.Type == "long" {
			if c.Min != nil {
				set("too small", *c.Min-1, invalid...)
			}
			if c.Max != nil {
				set("too large", *c.Max+1, invalid...)
			}
		}
		if c.Type == "list" {
			if c.Min != nil && *c.Min > 0 {
				set("empty", []any{}, invalid...)
			}
			if c.Max != nil && *c.Max < 10000 {
				long := make([]any, *c.Max+1)
				for i := range long {
					long[i] = example(*c.Element, name)
				}
				set("with too many", long, invalid...)
			}
			if c.Element.Type == "structure" {
				out = append(out, breaches(path+name+"[].", c.Element.Members, func(m map[string]any) map[string]any {
					changed := maps.Clone(base)
					changed[name] = []any{m}
					return with(changed)
				})...)
			}
		}
		if c.Type == "structure" {
			out = append(out, breaches(path+name+".", c.Members, func(m map[string]any) map[string]any {
				changed := maps.Clone(base)
				changed[name] = m
				return with(changed)
			})...)
		}
	}
	return out
}

// TestModelConstraints sends each operation inputs that break its model in one member.
func TestModelConstraints(t *testing.T) {
	t.Parallel()
	srv, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	user := DefaultAccounts()[0].Users[0]
	send := func(op string, in any) (int, map[string]any) {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		return sendSigned(t, srv, user, op, body)
	}
	if status, doc := send("CreateRepository", map[string]any{"repositoryName": "app"}); status != 200 {
		t.Fatal(doc)
	}
	n := 0
	for op, members := range model.Operations() {
		for _, b := range breaches("", members, func(m map[string]any) map[string]any { return m }) {
			n++
			status, doc := send(op, b.input)
			kind, _ := doc["__type"].(string)
			text, _ := doc["message"].(string)
			if status != 400 || !slices.Contains(b.kinds, kind) {
				t.Errorf("%s: %s: %d %s %q", op, b.what, status, kind, text)
			}
		}
	}
	t.Logf("%d breaches", n)
}
