package policy

import "testing"

const user = "arn:aws:iam::111111111111:user/ci"

func TestDecide(t *testing.T) {
	t.Parallel()
	push := Request{Principal: user, Action: "ecr:PutImage", Resource: "arn:aws:ecr:us-east-1:111111111111:repository/team/app", Context: map[string][]string{
		"aws:sourceip": {"10.1.2.3"}, "aws:username": {"team"}, "aws:tagkeys": {"a", "b"}, "aws:currenttime": {"2026-11-29T12:00:00Z"}, "aws:epochtime": {"1796040000"}}}
	session := push
	session.Principal = "arn:aws:sts::111111111111:assumed-role/publisher/run"
	root := push
	root.Principal = "arn:aws:iam::111111111111:root"
	identity := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",` + rest + `}]}`
	}
	condition := func(text string) string { return identity(`"Resource":"*","Condition":` + text) }
	for name, test := range map[string]struct {
		text string
		r    Request
		want Decision
	}{
		"everybody":              {`{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`, push, Allowed},
		"user":                   {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + user + `"},"Action":"ecr:putimage"}]}`, push, Allowed},
		"account":                {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root"]},"Action":"ecr:Put*"}]}`, push, Delegated},
		"account ID":             {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"ecr:Put*"}]}`, push, Delegated},
		"another account":        {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"ecr:*"}]}`, push, NotConcerned},
		"root":                   {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"ecr:*"}]}`, root, Allowed},
		"role of a session":      {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/publisher"},"Action":"*"}]}`, session, Allowed},
		"other role":             {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/other"},"Action":"*"}]}`, session, NotConcerned},
		"service":                {`{"Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"*"}]}`, push, NotConcerned},
		"deny wins":              {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"ecr:PutImage"}]}`, push, Denied},
		"not action":             {`{"Statement":[{"Effect":"Deny","Principal":"*","NotAction":"ecr:PutImage"}]}`, push, NotConcerned},
		"not principal":          {`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["` + user + `","111111111111"]},"Action":"*"}]}`, push, NotConcerned},
		"not principal, account": {`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111111111111:user/bob","111111111111"]},"Action":"*"}]}`, push, Denied},
		"resource":               {identity(`"Resource":"arn:aws:ecr:*:*:repository/team/?pp"`), push, Allowed},
		"other resource":         {identity(`"Resource":"arn:aws:ecr:*:*:repository/other*"`), push, NotConcerned},
		"not resource":           {identity(`"NotResource":"*/team/*"`), push, NotConcerned},
		"case of a resource":     {identity(`"Resource":"arn:aws:ecr:*:*:repository/TEAM/*"`), push, NotConcerned},
		"variable":               {identity(`"Resource":"arn:aws:ecr:*:*:repository/${aws:username}/*"`), push, Allowed},
		"variable, old version":  {`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*/${aws:username}/*"}]}`, push, NotConcerned},
		"unknown variable":       {identity(`"Resource":"*${aws:x}*"`), push, NotConcerned},
		"preset of a variable":   {identity(`"Resource":"*/${aws:x, 'team'}/*"`), push, Allowed},
		"variable of several":    {identity(`"Resource":"*${aws:TagKeys}*"`), push, NotConcerned},
		"escaped wildcard":       {identity(`"Resource":"arn:aws:ecr:us-east-1:111111111111:repository/team/${*}"`), push, NotConcerned},
		"address":                {condition(`{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","10.0.0.0/8"]}}`), push, Allowed},
		"one address":            {condition(`{"IpAddress":{"aws:SourceIp":"10.1.2.3"}}`), push, Allowed},
		"other address":          {condition(`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), push, NotConcerned},
		"two conditions":         {condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:username":"other"}}`), push, NotConcerned},
		"missing key":            {condition(`{"StringEquals":{"aws:x":"1"}}`), push, NotConcerned},
		"missing key, negated":   {condition(`{"StringNotEquals":{"aws:x":"1"}}`), push, Allowed},
		"missing key exists":     {condition(`{"StringEqualsIfExists":{"aws:x":"1"}}`), push, Allowed},
		"null":                   {condition(`{"Null":{"aws:x":"true"}}`), push, Allowed},
		"not null":               {condition(`{"Null":{"aws:username":true}}`), push, NotConcerned},
		"any of the values":      {condition(`{"ForAnyValue:StringEquals":{"aws:TagKeys":"b"}}`), push, Allowed},
		"all of the values":      {condition(`{"ForAllValues:StringEquals":{"aws:TagKeys":"b"}}`), push, NotConcerned},
		"like":                   {condition(`{"StringLike":{"aws:username":"t?a*"}}`), push, Allowed},
		"no like":                {condition(`{"StringEquals":{"aws:username":"t*"}}`), push, NotConcerned},
		"ARN":                    {condition(`{"ArnLike":{"aws:username":"arn:*"}}`), push, NotConcerned},
		"before":                 {condition(`{"DateLessThan":{"aws:CurrentTime":"2026-11-29T12:00:01Z"}}`), push, Allowed},
		"after":                  {condition(`{"DateGreaterThan":{"aws:CurrentTime":"2026-11-29T12:00Z"}}`), push, NotConcerned},
		"number":                 {condition(`{"NumericGreaterThanEquals":{"aws:EpochTime":"1796040000"}}`), push, Allowed},
		"unknown operator":       {condition(`{"StringMatches":{"aws:username":"team"}}`), push, NotConcerned},
		"unknown operator, deny": {`{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringMatches":{"aws:username":"nobody"}}}]}`, push, Denied},
		"unknown set":            {condition(`{"ForSomeValues:StringEquals":{"aws:TagKeys":"b"}}`), push, NotConcerned},
	} {
		d, err := ParseIdentity(test.text)
		if err != nil {
			d, err = ParseResource(test.text)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := d.Decide(test.r); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestGuideEndpointPolicies has the examples of the user guide for what the local ECR does not have: endpoints of a VPC,
// keys of AWS KMS, buckets of Amazon S3.
func TestGuideEndpointPolicies(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:sts::123456789012:assumed-role/role_name/session"
	const repository = "arn:aws:ecr:us-east-1:123456789012:repository/repository_name"
	const all = `{"Sid":"AllowAll","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
	const noDelete = `{"Sid":"PreventDelete","Effect":"Deny","Principal":"*","Action":"ecr:DeleteRepository","Resource":"` + repository + `"}`
	const pull = `{"Sid":"AllowPull","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/role_name"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}`
	const key = `{"Version":"2012-10-17","Id":"ecr-key-policy","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`
	const bucket = `{"Statement":[{"Sid":"Access-to-specific-bucket-only","Principal":"*","Action":["s3:GetObject"],"Effect":"Allow","Resource":["arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*"]}]}`
	for _, test := range []struct {
		text, caller, action, resource string
		want                           Decision
	}{
		{`{"Statement":[` + pull + `]}`, role, "ecr:BatchGetImage", repository, Allowed},
		{`{"Statement":[` + pull + `]}`, role, "ecr:PutImage", repository, NotConcerned},
		{`{"Statement":[` + pull + `]}`, user, "ecr:BatchGetImage", repository, NotConcerned},
		{`{"Statement":[` + all + `,` + noDelete + `]}`, user, "ecr:DeleteRepository", repository, Denied},
		{`{"Statement":[` + all + `,` + noDelete + `]}`, user, "ecr:DeleteRepository", repository + "2", Allowed},
		{`{"Statement":[` + all + `,` + noDelete + `,` + pull + `]}`, role, "ecr:DeleteRepository", repository, Denied},
		{`{"Statement":[` + all + `,` + noDelete + `,` + pull + `]}`, role, "ecr:BatchGetImage", repository, Allowed},
		{key, "arn:aws:iam::111122223333:user/any", "kms:CreateGrant", "arn:aws:kms:us-west-2:111122223333:key/1", Delegated},
		{key, user, "kms:CreateGrant", "arn:aws:kms:us-west-2:111122223333:key/1", NotConcerned},
		{bucket, user, "s3:GetObject", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/layer", Allowed},
		{bucket, user, "s3:GetObject", "arn:aws:s3:::another/layer", NotConcerned},
	} {
		d, err := ParseResource(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Decide(Request{Principal: test.caller, Action: test.action, Resource: test.resource}); got != test.want {
			t.Errorf("%s does %s with %s: %v, want %v", test.caller, test.action, test.resource, got, test.want)
		}
	}
}

// What is not known is refused, not ignored.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `{}`, `{"Statement":[]}`, `{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`, `{"Statement":[{"Effect":"Allow","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}]}`, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}],"Statements":[]}`, `{"Statement":[{"Effect":"Allow","Action":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}]}`, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}`,
		`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`,
	} {
		if _, err := ParseIdentity(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	for _, text := range []string{
		`{"Statement":{"Effect":"Allow","Action":"*"}}`, `{"Statement":{"Effect":"Allow","Action":"*","Principal":"someone"}}`, `{"Statement":{"Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Principal":{"AWS":111111111111}}}`,
	} {
		if _, err := ParseResource(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	read := func(text string, parse func(string) (*Document, error)) []*Document {
		if text == "" {
			return nil
		}
		d, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return []*Document{d}
	}
	const allow, deny = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
	const named, account, denied = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}`, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"*"}}`, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}`
	const none, noIdentity, noResource = "", "because no identity-based policy allows the ecr:PutImage action", "because no resource-based policy allows the ecr:PutImage action"
	for _, test := range []struct {
		identity, resource string
		same, other        string // reasons within the account, and from another; "" for allowed
	}{
		{none, none, noIdentity, noResource},
		{allow, none, "", noResource},
		{none, named, "", noIdentity},
		{none, account, noIdentity, noIdentity},
		{allow, account, "", ""},
		{allow, named, "", ""},
		{deny, named, "with an explicit deny in an identity-based policy", "with an explicit deny in an identity-based policy"},
		{allow, denied, "with an explicit deny in a resource-based policy", "with an explicit deny in a resource-based policy"},
	} {
		r := Request{Principal: user, Action: "ecr:PutImage", Resource: "arn:aws:ecr:us-east-1:111111111111:repository/app"}
		for same, want := range map[bool]string{true: test.same, false: test.other} {
			got := Authorize(r, same, read(test.identity, ParseIdentity), read(test.resource, ParseResource))
			if got.Reason != want || got.Allowed != (want == "") {
				t.Errorf("identity %s, resource %s, same account %v: %+v, want %q", test.identity, test.resource, same, got, want)
			}
		}
	}
}
