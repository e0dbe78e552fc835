package repopolicy

import (
	"fmt"
	"strings"
	"testing"
)

func statement(effect, principal, action, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Principal":%s,"Action":%s%s}`, effect, principal, action, condition)
}

func policyText(statements ...string) []byte {
	return []byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
}

// manyNetworks is the condition of n networks of 2^(32-bits) addresses, one after the other.
func manyNetworks(n, bits int) string {
	var list []string
	for i := range n {
		a := uint32(i) << (32 - bits)
		list = append(list, fmt.Sprintf(`"%d.%d.%d.%d/%d"`, a>>24, a>>16&255, a>>8&255, a&255, bits))
	}
	return `{"IpAddress":{"aws:SourceIp":[` + strings.Join(list, ",") + `]}}`
}

// everyOtherNetwork is the condition of half of all networks of 2^22 addresses, none of which is beside another.
func everyOtherNetwork() string {
	var list []string
	for i := range 256 {
		list = append(list, fmt.Sprintf(`"%d.0.0.0/10","%d.128.0.0/10"`, i, i))
	}
	return `{"IpAddress":{"aws:SourceIp":[` + strings.Join(list, ",") + `]}}`
}

func TestOpen(t *testing.T) {
	const pull, all = `["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]`, `"ecr:*"`
	for name, c := range map[string]struct {
		policy []byte
		want   string // of each open statement its number, with w if it is for writing
	}{
		"everybody":           {policyText(statement("Allow", `"*"`, pull, "")), "1"},
		"every AWS principal": {policyText(statement("Allow", `{"AWS":"*"}`, pull, "")), "1"},
		"among others":        {policyText(statement("Allow", `{"AWS":["111122223333","*"]}`, pull, "")), "1"},
		"of any kind":         {policyText(statement("Allow", `{"*":"*"}`, pull, "")), "1"},
		"write":               {policyText(statement("Allow", `"*"`, all, "")), "1w"},
		"write by a pattern":  {policyText(statement("Allow", `"*"`, `"ECR:Put*"`, "")), "1w"},
		"write by ?":          {policyText(statement("Allow", `"*"`, `"ecr:PutImag?"`, "")), "1w"},
		"anything":            {policyText(statement("Allow", `"*"`, `"*"`, "")), "1w"},
		"a statement alone":   {[]byte(`{"Statement":` + statement("Allow", `"*"`, pull, "") + `}`), "1"},
		"all but reading":     {[]byte(`{"Statement":{"Effect":"Allow","Principal":"*","NotAction":"ecr:Get*"}}`), "1w"},
		"all but one":         {[]byte(`{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"ecr:BatchGetImage"}}`), "1"},
		"the second":          {policyText(statement("Allow", `{"AWS":"111122223333"}`, all, ""), statement("Allow", `"*"`, pull, "")), "2"},

		"an account":  {policyText(statement("Allow", `{"AWS":"arn:aws:iam::111122223333:root"}`, all, "")), ""},
		"a service":   {policyText(statement("Allow", `{"Service":"lambda.amazonaws.com"}`, pull, "")), ""},
		"a denial":    {policyText(statement("Deny", `"*"`, all, "")), ""},
		"nobody left": {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `"*"`, all, "")), ""},

		"an organization":          {policyText(statement("Allow", `"*"`, pull, `{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), ""},
		"any case":                 {policyText(statement("Allow", `"*"`, pull, `{"stringequals":{"AWS:PRINCIPALORGID":["o-a1b2c3d4e5"]}}`)), ""},
		"a part of it":             {policyText(statement("Allow", `"*"`, pull, `{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/r-ab12/*"}}`)), ""},
		"any organization":         {policyText(statement("Allow", `"*"`, pull, `{"StringLike":{"aws:PrincipalOrgID":"o-*"}}`)), "1"},
		"one of two is any":        {policyText(statement("Allow", `"*"`, pull, `{"StringLike":{"aws:PrincipalOrgID":["o-a1b2c3d4e5","*"]}}`)), "1"},
		"if there is one":          {policyText(statement("Allow", `"*"`, pull, `{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), "1"},
		"of all values, of none":   {policyText(statement("Allow", `"*"`, pull, `{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), "1"},
		"all but one organization": {policyText(statement("Allow", `"*"`, pull, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), "1"},
		"no value":                 {policyText(statement("Allow", `"*"`, pull, `{"StringEquals":{"aws:PrincipalOrgID":[]}}`)), "1"},
		"a variable":               {policyText(statement("Allow", `"*"`, pull, `{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalTag/account}"}}`)), "1"},
		"transport only":           {policyText(statement("Allow", `"*"`, pull, `{"Bool":{"aws:SecureTransport":true}}`)), "1"},
		"an endpoint":              {policyText(statement("Allow", `"*"`, pull, `{"StringEquals":{"aws:SourceVpce":"vpce-1a2b3c4d"}}`)), ""},
		"a role anywhere":          {policyText(statement("Allow", `"*"`, pull, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/ci"}}`)), "1"},
		"roles of an account":      {policyText(statement("Allow", `"*"`, pull, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}}`)), ""},
		"a network":                {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`)), ""},
		"an address":               {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["192.0.2.1","2001:db8::/32"]}}`)), ""},
		"the whole net":            {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`)), "1"},
		"half of the net":          {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["128.0.0.0/1"]}}`)), "1"},
		"a private address":        {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:VpcSourceIp":"10.0.0.1/32"}}`)), "1"},
		"all networks":             {policyText(statement("Allow", `"*"`, pull, manyNetworks(256, 8))), "1"},
		"half of all networks":     {policyText(statement("Allow", `"*"`, pull, everyOtherNetwork())), "1"},
		"two of the largest":       {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["8.0.0.0/8","52.0.0.0/8"]}}`)), "1"},
		"parts of one":             {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["8.0.0.0/9","8.128.0.0/9","8.0.0.0/8","8.8.8.8","8.1.2.3/8"]}}`)), ""},
		"and one address more":     {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["8.0.0.0/8","9.0.0.1"]}}`)), "1"},
		"private networks":         {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","172.16.0.0/12","192.168.0.0/16","192.0.2.0/24","fd00::/32"]}}`)), ""},
		"all of IPv6":              {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["2001:db8::/32","2001:db9::/32"]}}`)), "1"},
		"IPv4 in IPv6":             {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["::ffff:0.0.0.0/96"]}}`)), "1"},
		"all by two statements": {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":"8.0.0.0/8"}}`),
			statement("Allow", `{"AWS":"111122223333"}`, all, ""), statement("Allow", `"*"`, all, `{"IpAddress":{"aws:SourceIp":"9.0.0.0/8"}}`)), "13w"},
		"the same by two statements": {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":"8.0.0.0/8"}}`),
			statement("Allow", `"*"`, all, `{"IpAddress":{"aws:SourceIp":"8.4.0.0/16"}}`)), ""},
		"fixed otherwise too": {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":["8.0.0.0/8","9.0.0.0/8"]},"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), ""},
		"denied to most":      {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `"*"`, all, `{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`)), ""},
		"denied to nobody":    {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `"*"`, all, strings.Replace(manyNetworks(256, 8), "IpAddress", "NotIpAddress", 1))), "1"},
		"no network":          {policyText(statement("Allow", `"*"`, pull, `{"IpAddress":{"aws:SourceIp":"everywhere"}}`)), "1"},

		"denied to other organizations": {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `"*"`, all, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), ""},
		"only pushing is denied":        {policyText(statement("Allow", `"*"`, all, ""), statement("Deny", `"*"`, `"ecr:PutImage"`, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), "1w"},
		"denied if two things hold":     {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `"*"`, all, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5","aws:SourceVpc":"vpc-1"}}`)), "1"},
		"denied to one":                 {policyText(statement("Allow", `"*"`, pull, ""), statement("Deny", `{"AWS":"444455556666"}`, all, "")), "1"},
		"denied to all others":          {policyText(statement("Allow", `"*"`, pull, ""), `{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"ecr:*"}`), ""},
		"denied to others at times":     {policyText(statement("Allow", `"*"`, pull, ""), `{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"ecr:*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`), "1"},
		"denied but for some actions":   {policyText(statement("Allow", `"*"`, pull, ""), `{"Effect":"Deny","Principal":"*","NotAction":"ecr:GetDownloadUrlForLayer"}`), "1"},
	} {
		d, err := Parse(c.policy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for _, o := range d.Open() {
			got += fmt.Sprint(o.Number)
			if o.Write {
				got += "w"
			}
		}
		if got != c.want {
			t.Errorf("%s: open are %q, not %q: %.300s", name, got, c.want, c.policy)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                   "not the JSON of a policy",
		`[]`:                 "not the JSON of a policy",
		`{}`:                 "no Statement",
		`{"Statement":[]}`:   "no Statement",
		`{"Statement":null}`: "statement 1: its Effect",
		`{"Statement":{"Effect":"allow","Principal":"*","Action":"ecr:*"}}`:                                                                                                 `Effect "allow"`,
		`{"Statement":{"Effect":"Allow","Action":"ecr:*"}}`:                                                                                                                 "either Principal or NotPrincipal",
		`{"Statement":{"Effect":"Allow","Principal":"*","NotPrincipal":"*","Action":"ecr:*"}}`:                                                                              "either Principal or NotPrincipal",
		`{"Statement":{"Effect":"Allow","Principal":"*"}}`:                                                                                                                  "either Action or NotAction",
		`{"Statement":{"Effect":"Allow","Principal":"111122223333","Action":"ecr:*"}}`:                                                                                      "is not *",
		`{"Statement":{"Effect":"Allow","Principal":{},"Action":"ecr:*"}}`:                                                                                                  "Principal",
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":1},"Action":"ecr:*"}}`:                                                                                           "Principal: AWS",
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":{"a":1}}}`:                                                                                                 "Action",
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":"aws"}}`:                                                                               "Statement",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}} {"Statement":[]}`:                                                                                 "after top-level value",
		`{"Statement":{"Effect":"Allow","Principal":"*","Principal":{"AWS":"111122223333"},"Action":"ecr:*"}}`:                                                              `Statement: "Principal" appears twice`,
		`{"Statement":[{"Effect":"Allow","Principal":"*","principal":{"AWS":"111122223333"},"Action":"ecr:*"}]}`:                                                            `Statement[0]: "principal" appears twice`,
		`{"Statement":[],"Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}`:                                                                                   `"Statement" appears twice`,
		`{"Statement":{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"ecr:*"}}`:                                                                                 `"Effect" appears twice`,
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*","AWS":"111122223333"},"Action":"ecr:*"}}`:                                                                    `Statement.Principal: "AWS" appears twice`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0","AWS:SourceIp":"192.0.2.1"}}}}`:               `Statement.Condition.IpAddress: "AWS:SourceIp" appears twice`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"},"ipaddress":{"aws:SourceIp":"192.0.2.1"}}}}`: `Statement.Condition: "ipaddress" appears twice`,
		`{"Statement":{"Effect":"Deny","Principal":"` + strings.Repeat("x", MaxLength) + `"`:                                                                                "at most 10240",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func TestSame(t *testing.T) {
	a := `{"Version":"2012-10-17","Statement":{"Sid":"s","Effect":"Allow","Principal":{"AWS":["111122223333","444455556666"]},"Action":["ecr:B","ecr:A"],"Condition":{"Bool":{"aws:SecureTransport":true}}}}`
	b := `{ "Statement": [{"Condition":{"Bool":{"aws:SecureTransport":["true"]}},"Action":["ecr:A","ecr:B"],"Effect":"Allow","Sid":"s",
		"Principal":{"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::111122223333:root"]}}],"Version":"2012-10-17"}`
	if !Same([]byte(a), []byte(b)) {
		t.Error("only the layout differs")
	}
	for _, other := range []string{
		strings.Replace(b, "Allow", "Deny", 1), strings.Replace(b, "ecr:B", "ecr:C", 1), strings.Replace(b, ":root", ":role/x", 1),
		strings.Replace(b, `["true"]`, `["false"]`, 1), strings.Replace(b, "2012", "2008", 1), `{}`, ``,
	} {
		if Same([]byte(a), []byte(other)) {
			t.Errorf("taken for the same: %s", other)
		}
	}
	if old := statement("Deny", `"*"`, `"ecr:*"`, ""); !Same([]byte(`{"Statement":`+old+`}`), []byte(`{"Version":"2008-10-17","Statement":[`+old+`]}`)) {
		t.Error("the version that is not written is the old one")
	}
	if !Same([]byte(`{"x":1}`), []byte(`{"x":1}`)) || Same([]byte(`{"x":1}`), []byte(`{"x": 1}`)) {
		t.Error("what cannot be read is the same as the same text only")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(policyText(statement("Allow", `{"AWS":["111122223333","*"]}`, `["ecr:*"]`, `{"StringNotLikeIfExists":{"aws:PrincipalOrgID":["o-*",1,true,null]}}`), statement("Deny", `"*"`, `"*"`, "")))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":[]},"NotAction":[]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		for _, o := range d.Open() {
			if o.Number < 1 || o.Number > len(d.Statements) || d.Statements[o.Number-1].Effect != "Allow" {
				t.Errorf("open is %+v", o)
			}
		}
		if len(text) < MaxLength && !Same(text, append([]byte(" "), text...)) {
			t.Error("it is not the same as itself")
		}
	})
}
