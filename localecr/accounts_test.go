package localecr

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

func TestDefaultAccounts(t *testing.T) {
	t.Parallel()
	accounts := DefaultAccounts()
	ids, err := identity.New(identityAccounts(accounts), []byte(strings.Repeat("k", 32)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	user := accounts[0].Users[0]
	if !regexp.MustCompile(`^AKIA[A-Z0-9]{16}$`).MatchString(user.AccessKeyID) || len(user.SecretAccessKey) != 40 {
		t.Errorf("the default key pair does not look like one: %+v", user)
	}
	p, secret, err := ids.Resolve(user.AccessKeyID, "")
	if err != nil || secret != user.SecretAccessKey {
		t.Fatal(secret, err)
	}
	if p.ARN != "arn:aws:iam::000000000000:user/ecrkit" || p.Account != "000000000000" || p.Type != identity.IAMUser || !regexp.MustCompile(`^AIDA[A-Z0-9]{17}$`).MatchString(p.UserID) {
		t.Errorf("got %+v", p)
	}
	const role = "arn:aws:iam::000000000000:role/ecrkit"
	if _, err := ids.AssumeRole(p, role, "test", "", 0); err != nil {
		t.Error(err)
	}
	claims := fmt.Appendf(nil, `{"iss":"https://any.example","sub":"someone","aud":"sts.amazonaws.com","exp":%d}`, time.Now().Unix()+60)
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + encode(claims) + "." + encode([]byte("signature"))
	if _, err := ids.AssumeRoleWithWebIdentity(role, "test", token, "", 0); err != nil {
		t.Error(err)
	}
}

// TestAccountsReachIdentity fills every field and looks for it where accounts are checked and used.
func TestAccountsReachIdentity(t *testing.T) {
	t.Parallel()
	var a Account
	fill(reflect.ValueOf(&a).Elem(), new(int))
	got, want := fmt.Sprintf("%+v", flat(identityAccounts([]Account{a})[0])), fmt.Sprintf("%+v", flat(a))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// fill gives every string a text of its own, and every slice and pointer one element.
func fill(v reflect.Value, n *int) {
	switch v.Kind() {
	case reflect.String:
		*n++
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	default:
		panic(v.Kind())
	}
}

// flat returns the values of all fields by their path, whatever the types are called.
func flat(v any) map[string]string {
	out := map[string]string{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Pointer:
			walk(path, v.Elem())
		default:
			out[path] = v.String()
		}
	}
	walk("", reflect.ValueOf(v))
	return out
}

// TestAccountNames fixes the keys of a file with accounts, in YAML and JSON.
func TestAccountNames(t *testing.T) {
	t.Parallel()
	const config = `
- id: "111111111111"
  users:
  - name: a
    access_key_id: AKIAALICE00000000000
    secret_access_key: s
    policies:
    - {Version: 2012-10-17, Statement: {Effect: Allow, Action: "ecr:*", Resource: "*"}}
    - |
      {"Statement": []}
  roles:
  - name: r
    external_id: xx
    trusted_principals: ["222222222222"]
    web_identity: {issuer: "https://i", audience: a, subject: "s*"}
`
	var accounts []Account
	if err := yaml.UnmarshalWithOptions([]byte(config), &accounts, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(accounts)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"id":"111111111111","users":[{"name":"a","access_key_id":"AKIAALICE00000000000","secret_access_key":"s",` +
		`"policies":["{\"Statement\":{\"Action\":\"ecr:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},\"Version\":\"2012-10-17\"}","{\"Statement\": []}\n"]}],` +
		`"roles":[{"name":"r","external_id":"xx","trusted_principals":["222222222222"],"web_identity":{"issuer":"https://i","audience":"a","subject":"s*"}}]}]`
	if string(asJSON) != want {
		t.Errorf("got  %s\nwant %s", asJSON, want)
	}
	var again []Account
	if err := json.Unmarshal([]byte(want), &again); err != nil || !reflect.DeepEqual(again, accounts) {
		t.Errorf("%v: %+v", err, again)
	}
	var none Account
	if err := yaml.Unmarshal([]byte(`{id: "1", users: [{name: a, policies: []}, {name: b}]}`), &none); err != nil || none.Users[0].Policies == nil || none.Users[1].Policies != nil {
		t.Errorf("%v: an empty list of policies differs from none: %+v", err, none)
	}
	var policies []Policy
	if err := json.Unmarshal([]byte(`[{"Statement":[]}, "text"]`), &policies); err != nil || policies[0] != `{"Statement":[]}` || policies[1] != "text" {
		t.Errorf("%v: %s", err, policies)
	}
}
