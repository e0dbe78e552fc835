package fakeaws

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

func keys(c Credentials) func(*config.LoadOptions) error {
	return config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken))
}

func TestPublic(t *testing.T) {
	clock := clockAt(24 * time.Hour)
	w, _ := visit(t, Options{Now: clock.now})
	user := w.Principals.User("A")
	secret, expires, err := public(t.Context(), keys(user))
	if err != nil {
		t.Fatal(err)
	}
	m := must[Mint](t)(ReadSecret(secret))
	if m.Principal != "user/A" || m.AccessKeyID != user.AccessKeyID || m.Service != "ecr-public" || m.Region != "us-east-1" || !m.ExpiresAt.Equal(expires) {
		t.Errorf("%+v, expires %s", m, expires)
	}
	if life := expires.Sub(clock.now()); life < defaultLifetime-time.Minute || life > defaultLifetime {
		t.Errorf("it lives for %s", life)
	}
	if w.Public.Count(getToken) != 1 || w.ECR.Total() != 0 {
		t.Errorf("%v", w.Calls())
	}
	w.Public.SetFault("", Fault{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: "sts:GetServiceBearerToken"})
	if _, _, err := public(t.Context(), keys(user), once); code(err) != "AccessDeniedException" {
		t.Error(err)
	}
	w.Public.SetFault("", Fault{})
	cfg := must[aws.Config](t)(load(t.Context(), keys(user), once))
	client := ecrpublic.NewFromConfig(cfg)
	if _, err := client.GetAuthorizationToken(t.Context(), nil); code(err) != "InvalidSignatureException" {
		t.Errorf("another region: %v", err)
	}
	if _, err := client.DescribeRegistries(t.Context(), nil); code(err) != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}
}

func TestECR(t *testing.T) {
	clock := clockAt(0)
	w, _ := visit(t, Options{Now: clock.now})
	cfg := must[aws.Config](t)(load(t.Context(), keys(w.Principals.User("A")), once))
	w.ECR.SetLifetime(time.Minute)
	out := must[*ecr.GetAuthorizationTokenOutput](t)(ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{}))
	if len(out.AuthorizationData) != 1 || *out.AuthorizationData[0].ProxyEndpoint != "https://"+Account+".dkr.ecr.eu-west-1.amazonaws.com" {
		t.Errorf("%d tokens", len(out.AuthorizationData))
	}
	if life := out.AuthorizationData[0].ExpiresAt.Sub(clock.now()); life > time.Minute {
		t.Errorf("it lives for %s", life)
	}
	if secret := must[string](t)(decode(out.AuthorizationData[0].AuthorizationToken)); len(secret) < 1200 {
		t.Errorf("a password of %d bytes is shorter than ECR's", len(secret))
	}
	if _, err := ecr.NewFromConfig(cfg).DescribeRepositories(t.Context(), nil); code(err) != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}

	temporary := w.Principals.Issue("x", time.Hour)
	for name, c := range map[string]struct {
		keys Credentials
		want string
	}{
		"unknown key":             {Credentials{AccessKeyID: "AKIAUNKNOWN000000000", SecretAccessKey: "x"}, "UnrecognizedClientException"},
		"short key":               {Credentials{AccessKeyID: "x", SecretAccessKey: "x"}, "IncompleteSignatureException"},
		"no session token":        {Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: "x"}, "UnrecognizedClientException"},
		"another's session token": {Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: "x", SessionToken: w.Principals.Issue("y", time.Hour).SessionToken}, "UnrecognizedClientException"},
		"session token of a user": {Credentials{AccessKeyID: w.Principals.User("A").AccessKeyID, SecretAccessKey: "x", SessionToken: "x"}, "UnrecognizedClientException"},
		"expired":                 {w.Principals.Issue("x", -time.Second), "ExpiredTokenException"},
		"none":                    {temporary, ""},
	} {
		if _, err := private(t.Context(), keys(c.keys), once); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDate(t *testing.T) {
	clock := clockAt(-48 * time.Hour)
	w := Start(t, Options{Now: clock.now})
	for _, url := range []string{w.ECR.URL, w.Public.URL, w.Portal.URL, w.Metadata.URL, w.Container.URL} {
		response := must[*http.Response](t)(http.Get(url))
		_ = response.Body.Close()
		date, err := http.ParseTime(response.Header.Get("Date"))
		if err != nil || time.Since(date) < 47*time.Hour {
			t.Error(date, err)
		}
	}
}

func TestSTS(t *testing.T) {
	clock := clockAt(0)
	w, _ := visit(t, Options{Now: clock.now})
	role := "arn:aws:iam::" + Account + ":role/X"
	client := func(c Credentials) *sts.Client {
		return sts.NewFromConfig(must[aws.Config](t)(load(t.Context(), keys(c), once)))
	}
	user := client(w.Principals.User("A"))
	got := must[aws.Credentials](t)(stscreds.NewAssumeRoleProvider(user, role).Retrieve(t.Context()))
	if w.Principals.Of(got.AccessKeyID) != "role/X<user/A" || got.AccountID != Account || got.Expires.Sub(clock.now()) > time.Hour {
		t.Errorf("%s of account %s until %s", w.Principals.Of(got.AccessKeyID), got.AccountID, got.Expires)
	}
	session := Credentials{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken}
	for name, c := range map[string]struct {
		client *sts.Client
		input  sts.AssumeRoleInput
		want   string
	}{
		"chain":              {client(session), sts.AssumeRoleInput{}, ""},
		"chain for 2 hours":  {client(session), sts.AssumeRoleInput{DurationSeconds: aws.Int32(7200)}, "ValidationError"},
		"user for 2 hours":   {user, sts.AssumeRoleInput{DurationSeconds: aws.Int32(7200)}, ""},
		"one minute":         {user, sts.AssumeRoleInput{DurationSeconds: aws.Int32(60)}, "ValidationError"},
		"no role":            {user, sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::1:user/X")}, "ValidationError"},
		"session's name":     {user, sts.AssumeRoleInput{RoleSessionName: aws.String("a b")}, "ValidationError"},
		"external ID":        {user, sts.AssumeRoleInput{ExternalId: aws.String("a]<user/B")}, "ValidationError"},
		"empty external ID":  {user, sts.AssumeRoleInput{ExternalId: aws.String("")}, "ValidationError"},
		"unknown key":        {client(Credentials{AccessKeyID: "AKIAUNKNOWN000000000", SecretAccessKey: "x"}), sts.AssumeRoleInput{}, "InvalidClientTokenId"},
		"expired credential": {client(w.Principals.Issue("x", -time.Hour)), sts.AssumeRoleInput{}, "ExpiredToken"},
	} {
		if c.input.RoleArn == nil {
			c.input.RoleArn = &role
		}
		if c.input.RoleSessionName == nil {
			c.input.RoleSessionName = aws.String("test")
		}
		if _, err := c.client.AssumeRole(t.Context(), &c.input); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := user.GetCallerIdentity(t.Context(), nil); code(err) != "InvalidAction" {
		t.Errorf("another operation: %v", err)
	}
	w.ECR.SetFault("AssumeRole", Fault{Status: http.StatusForbidden, Code: "AccessDenied", Message: "not you"})
	if _, err := stscreds.NewAssumeRoleProvider(user, role).Retrieve(t.Context()); code(err) != "AccessDenied" {
		t.Error(err)
	}

	web := func(role, token string) error {
		_, err := user.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("test"), WebIdentityToken: &token})
		return err
	}
	token := JWT(Claims{Subject: "sub", ExpiresAt: clock.now().Add(time.Hour)})
	if err := web(role, token); err != nil {
		t.Error(err)
	}
	if err := web("x", token); code(err) != "ValidationError" {
		t.Error(err)
	}
	var invalid *ststypes.InvalidIdentityTokenException
	if err := web(role, "x.y.z"); !errors.As(err, &invalid) {
		t.Error(err)
	}
	clock.set(2 * time.Hour)
	var expired *ststypes.ExpiredTokenException
	if err := web(role, token); !errors.As(err, &expired) {
		t.Error(err)
	}
}

// TestIsStrict sends what the SDK does not.
func TestIsStrict(t *testing.T) {
	w := Start(t, Options{})
	id := w.Principals.User("A").AccessKeyID
	signed := func(service string) http.Header {
		return http.Header{"X-Amz-Date": {"20260101T000000Z"}, "Authorization": {"AWS4-HMAC-SHA256 Credential=" + id + "/20260101/us-east-1/" + service +
			"/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)}}
	}
	with := func(h http.Header, pairs ...string) http.Header {
		h = h.Clone()
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	target := []string{"X-Amz-Target", targetPrivate + getToken, "Content-Type", awsJSON}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for name, c := range map[string]struct {
		url    string
		header http.Header
		body   string
		want   int
		code   string
	}{
		"all is right":      {w.ECR.URL, with(signed("ecr"), target...), "{}", 200, "authorizationToken"},
		"registry IDs":      {w.ECR.URL, with(signed("ecr"), target...), `{"registryIds":["222222222222"]}`, 200, "https://222222222222.dkr.ecr.us-east-1.amazonaws.com"},
		"not signed":        {w.ECR.URL, with(http.Header{}, target...), "{}", 400, "MissingAuthenticationTokenException"},
		"another service":   {w.ECR.URL, with(signed("ecr-public"), target...), "{}", 400, "InvalidSignatureException"},
		"no JSON":           {w.ECR.URL, with(signed("ecr"), target...), "x", 400, "SerializationException"},
		"content type":      {w.ECR.URL, with(signed("ecr"), target[:2]...), "{}", 400, "UnknownOperationException"},
		"path":              {w.ECR.URL + "/x", with(signed("ecr"), target...), "{}", 404, "UnknownOperationException"},
		"too long":          {w.ECR.URL, with(signed("ecr"), target...), strings.Repeat(" ", maxBody+1), 400, "BadRequest"},
		"private at public": {w.Public.URL, with(signed("ecr"), target...), "{}", 400, "UnknownOperationException"},
		"public's members":  {w.Public.URL, with(signed("ecr-public"), "X-Amz-Target", targetPublic+getToken, "Content-Type", awsJSON), `{"a":1}`, 400, "SerializationException"},
		"public":            {w.Public.URL, with(signed("ecr-public"), "X-Amz-Target", targetPublic+getToken, "Content-Type", awsJSON), `{}`, 200, "authorizationToken"},
		"no form":           {w.ECR.URL, signed("sts"), "", 400, "InvalidAction"},
		"STS's version":     {w.ECR.URL, with(signed("sts"), form...), "Action=AssumeRole", 400, "InvalidAction"},
		"malformed form":    {w.ECR.URL, with(signed("sts"), form...), "Action=%", 400, "MalformedQueryString"},
		"STS not signed":    {w.ECR.URL, with(http.Header{}, form...), "Action=AssumeRole&Version=2011-06-15", 403, "MissingAuthenticationToken"},
		"portal":            {w.Portal.URL + "/token", http.Header{"Content-Type": {"application/json"}}, "x", 400, "invalid_request"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = c.header
		response := must[*http.Response](t)(http.DefaultClient.Do(r))
		var body strings.Builder
		_ = response.Write(&body)
		_ = response.Body.Close()
		if response.StatusCode != c.want || !strings.Contains(body.String(), c.code) {
			t.Errorf("%s: %s, without %s", name, response.Status, c.code)
		}
	}
}
