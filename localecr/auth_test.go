package localecr_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/localecr"
)

const otherAccount = "111111111111"

func twoAccounts() []localecr.Account {
	return append(localecr.DefaultAccounts(), localecr.Account{
		ID:    otherAccount,
		Users: []localecr.User{{Name: "ci", AccessKeyID: "AKIA1111111111111111", SecretAccessKey: "other-secret-key"}},
		Roles: []localecr.Role{{Name: "puller", ExternalID: "x1", TrustedPrincipals: []string{"000000000000"}}},
	})
}

func describe(c *ecr.Client, names ...string) error {
	_, err := c.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{RepositoryNames: names})
	return err
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	user := localecr.DefaultAccounts()[0].Users[0]
	wantError(t, describe(r.client(user.AccessKeyID, "wrong", "", "us-east-1")), "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	wantError(t, describe(r.client("AKIAUNKNOWNUNKNOWN00", "wrong", "", "us-east-1")), "UnrecognizedClientException", "The security token included in the request is invalid.")
	wantError(t, describe(r.client(user.AccessKeyID, user.SecretAccessKey, "session", "us-east-1")), "UnrecognizedClientException", "The security token included in the request is invalid.")
}

// sign sends a DescribeRegistry whose signature is made by hand: at a time, for a region and service.
func (r *rig) sign(at time.Time, region, service string) reply {
	r.t.Helper()
	user := localecr.DefaultAccounts()[0].Users[0]
	req, err := http.NewRequest("POST", r.srv.URL+"/", strings.NewReader("{}"))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	const hashOfBody = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: user.SecretAccessKey}, req, hashOfBody, service, region, at)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(req)
}

func TestSignatureTimeAndScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	now := time.Now()
	for _, c := range []struct {
		at      time.Time
		region  string
		service string
		status  int
		text    string
	}{
		{now, "us-east-1", "ecr", 200, `"registryId":"000000000000"`},
		{now.Add(-4 * time.Minute), "us-east-1", "ecr", 200, `"registryId"`},
		{now.Add(-6 * time.Minute), "us-east-1", "ecr", 400, `"InvalidSignatureException","message":"Signature expired: `},
		{now.Add(6 * time.Minute), "us-east-1", "ecr", 400, `"InvalidSignatureException","message":"Signature not yet current: `},
		{now, "us-gov-west-1", "ecr", 200, `"registryId"`},
		{now, "nowhere", "ecr", 400, `"InvalidSignatureException","message":"Credential should be scoped to a valid region`},
		{now, "us-east-1", "kms", 400, `"InvalidSignatureException","message":"Credential should be scoped to correct service: 'ecr'."`},
	} {
		if got := r.sign(c.at, c.region, c.service); got.status != c.status || !strings.Contains(string(got.body), c.text) {
			t.Errorf("%v %s: %d %s, want %d …%s…", c.at.Sub(now), c.service, got.status, got.body, c.status, c.text)
		}
	}
	req, _ := http.NewRequest("POST", r.srv.URL+"/", strings.NewReader("{}"))
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry")
	if got := r.do(req); got.status != 400 || !strings.Contains(string(got.body), "MissingAuthenticationTokenException") {
		t.Errorf("unsigned: %d %s", got.status, got.body)
	}
}

func TestAClockThatWasSetServesBothTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.srv.Clock().Advance(40 * 24 * time.Hour)
	for _, at := range []time.Time{time.Now(), r.srv.Clock().Now()} {
		if got := r.sign(at, "us-east-1", "ecr"); got.status != 200 {
			t.Errorf("%v: %d %s", at, got.status, got.body)
		}
	}
	if got := r.sign(time.Now().Add(time.Hour), "us-east-1", "ecr"); got.status != 400 {
		t.Errorf("neither time: %d %s", got.status, got.body)
	}
}

func TestV2Authentication(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	req, _ := http.NewRequest("GET", r.srv.URL+"/v2/", nil)
	got := r.do(req)
	if want := `Basic realm="` + r.srv.URL + `/",service="ecr.amazonaws.com"`; got.status != 401 || got.header.Get("WWW-Authenticate") != want {
		t.Fatalf("%d %s, want %s", got.status, got.header.Get("WWW-Authenticate"), want)
	}
	req.SetBasicAuth("user", r.token)
	if got := r.do(req); got.status != 401 {
		t.Errorf("another user's name: %d", got.status)
	}
	req.SetBasicAuth("AWS", "not a token")
	wantReply(t, r.do(req), 400, "DENIED", "Your Authorization Token is invalid.")
	wantReply(t, r.v2("GET", "/v2/", nil, "Host", "000000000000.dkr.ecr.eu-west-1.localhost"), 400, "DENIED", "the authorization token is of another region: it was issued in us-east-1")
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Accounts: twoAccounts()})
	r.repository("app")
	other := r.client("AKIA1111111111111111", "other-secret-key", "", "us-east-1")
	wantError(t, describe(other, "app"), "RepositoryNotFoundException", "registry with id '111111111111'")
	user := localecr.DefaultAccounts()[0].Users[0]
	wantError(t, describe(r.client(user.AccessKeyID, user.SecretAccessKey, "", "eu-west-1"), "app"), "RepositoryNotFoundException", "app")

	// Another account's registry is refused by both APIs.
	_, err := other.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{RegistryId: aws.String("000000000000")})
	wantError(t, err, "AccessDeniedException", "User: arn:aws:iam::111111111111:user/ci is not authorized to perform: ecr:DescribeRepositories on resource: ")
	own := r.token
	r.token = r.login(other)
	wantReply(t, r.v2("GET", "/v2/app/tags/list", nil), 403, "DENIED", "is not authorized to perform: ecr:ListImages on resource: arn:aws:ecr:us-east-1:000000000000:repository/app")

	// Its own is reached under its own host name, which the API gives as the repository's URI.
	out, err := other.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("theirs")})
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(*out.Repository.RepositoryUri, "/")
	if !strings.HasPrefix(host, "111111111111.dkr.ecr.us-east-1.localhost:") {
		t.Errorf("URI %s", *out.Repository.RepositoryUri)
	}
	if got := r.v2("GET", "/v2/theirs/tags/list", nil, "Host", host); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	r.token = own
	wantReply(t, r.v2("GET", "/v2/theirs/tags/list", nil, "Host", host), 403, "DENIED", "not authorized")
}

func TestTemporaryKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Accounts: twoAccounts()})
	user := localecr.DefaultAccounts()[0].Users[0]
	client := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: aws.String(r.srv.URL), Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, "")})
	who, err := client.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::000000000000:user/ecrkit" || *who.Account != "000000000000" {
		t.Fatalf("%+v %v", who, err)
	}
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111111111111:role/puller"), RoleSessionName: aws.String("test")}
	_, err = client.AssumeRole(context.Background(), in)
	wantError(t, err, "AccessDenied", "User: arn:aws:iam::000000000000:user/ecrkit is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/puller")
	in.ExternalId = aws.String("x1")
	role, err := client.AssumeRole(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	c := role.Credentials
	temporary := r.client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken, "us-east-1")
	if err := describe(temporary); err != nil {
		t.Fatal(err)
	}
	wantError(t, describe(r.client(*c.AccessKeyId, *c.SecretAccessKey, "", "us-east-1")), "UnrecognizedClientException", "invalid")
	r.srv.Clock().Advance(time.Hour + time.Minute)
	wantError(t, describe(temporary), "ExpiredTokenException", "The security token included in the request is expired")
}

func TestSTSRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Faults: []localecr.Fault{{Op: "AssumeRole", Status: 503, Code: "Throttling"}}})
	client := func(id, secret string) *sts.Client {
		return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: aws.String(r.srv.URL), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(id, secret, "")})
	}
	user := localecr.DefaultAccounts()[0].Users[0]
	who := func(c *sts.Client) error {
		_, err := c.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		return err
	}
	wantError(t, who(client(user.AccessKeyID, "wrong")), "SignatureDoesNotMatch", "does not match")
	wantError(t, who(client("AKIAUNKNOWNUNKNOWN00", "wrong")), "InvalidClientTokenId", "The security token included in the request is invalid")
	_, err := client(user.AccessKeyID, user.SecretAccessKey).AssumeRole(context.Background(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/ecrkit"), RoleSessionName: aws.String("x")})
	wantError(t, err, "Throttling", "")
	for _, form := range []string{"Action=GetCallerIdentity", "Action=GetCallerIdentity&Version=2011-06-15"} {
		req, _ := http.NewRequest("POST", r.srv.URL+"/", strings.NewReader(form))
		if got := r.do(req, "Content-Type", "application/x-www-form-urlencoded"); got.status != 403 || !strings.Contains(string(got.body), "<Code>MissingAuthenticationToken</Code>") {
			t.Errorf("unsigned: %d %s", got.status, got.body)
		}
	}
	req, _ := http.NewRequest("GET", r.srv.URL+"/", nil)
	if got := r.do(req); got.status != 400 || !strings.Contains(string(got.body), "InvalidAction") {
		t.Errorf("a browser: %d %s", got.status, got.body)
	}
}

func (r *rig) kms(attempts int) *kms.Client {
	user := localecr.DefaultAccounts()[0].Users[0]
	return kms.New(kms.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(r.srv.URL), RetryMaxAttempts: attempts,
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	})
}

func TestKMSSigns(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	client := r.kms(1)
	for alias, algorithm := range map[string]kmstypes.SigningAlgorithmSpec{
		"alias/ecrkit-p256": kmstypes.SigningAlgorithmSpecEcdsaSha256, "alias/ecrkit-p384": kmstypes.SigningAlgorithmSpecEcdsaSha384, "alias/ecrkit-rsa2048": kmstypes.SigningAlgorithmSpecRsassaPssSha256,
	} {
		size := map[bool]int{true: 48, false: 32}[strings.HasSuffix(alias, "384")]
		key, err := client.GetPublicKey(context.Background(), &kms.GetPublicKeyInput{KeyId: &alias})
		if err != nil || len(key.PublicKey) == 0 {
			t.Fatalf("%s: %v", alias, err)
		}
		out, err := client.Sign(context.Background(), &kms.SignInput{KeyId: &alias, Message: random(size), MessageType: kmstypes.MessageTypeDigest, SigningAlgorithm: algorithm})
		if err != nil || len(out.Signature) == 0 || *out.KeyId != *key.KeyId {
			t.Fatalf("%s: %v", alias, err)
		}
	}
	_, err := client.DescribeKey(context.Background(), &kms.DescribeKeyInput{KeyId: aws.String("alias/nothing")})
	wantError(t, err, "NotFoundException", "alias/nothing is not found")
	_, err = client.ListKeys(context.Background(), &kms.ListKeysInput{})
	wantError(t, err, "UnknownOperationException", "TrentService.ListKeys")
	if n := r.calls.Count("Sign"); n != 3 {
		t.Errorf("audit has %d Sign, want 3", n)
	}
}

func TestKMSKeyStates(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	client, ctx := r.kms(1), t.Context()
	key, err := client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: aws.String("alias/ecrkit-p256")})
	if err != nil {
		t.Fatal(err)
	}
	sign := func() error {
		_, err := client.Sign(ctx, &kms.SignInput{KeyId: key.KeyId, Message: random(32), MessageType: kmstypes.MessageTypeDigest, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256})
		return err
	}
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	wantError(t, sign(), "DisabledException", *key.KeyId+" is disabled.")
	if _, err := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	if err := sign(); err != nil {
		t.Fatal(err)
	}
	out, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyId, PendingWindowInDays: aws.Int32(7)})
	if err != nil || time.Until(*out.DeletionDate) < 6*24*time.Hour {
		t.Fatalf("%+v, %v", out, err)
	}
	wantError(t, sign(), "KMSInvalidStateException", *key.KeyId+" is pending deletion.")
	if _, err := client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: key.KeyId}); err != nil {
		t.Fatal(err)
	}
	wantError(t, sign(), "DisabledException", *key.KeyId)
}

func TestKMSRefusesOtherAccounts(t *testing.T) {
	t.Parallel()
	accounts := append(localecr.DefaultAccounts(), localecr.Account{ID: "111122223333"})
	r := newRig(t, localecr.Options{Accounts: accounts})
	client := r.kms(1)
	for _, resource := range []string{"alias/ecrkit-p256", "key/1234abcd-12ab-34cd-56ef-1234567890ab"} {
		arn := "arn:aws:kms:us-east-1:111122223333:" + resource
		_, err := client.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn})
		wantError(t, err, "AccessDeniedException", "not authorized to perform: kms:GetPublicKey on resource: "+arn)
		unknown := strings.Replace(arn, "111122223333", "444455556666", 1)
		_, err = client.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &unknown})
		wantError(t, err, "NotFoundException", unknown)
	}
}

func TestKMSFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	client, get := r.kms(1), &kms.GetPublicKeyInput{KeyId: aws.String("alias/ecrkit-p256")}
	if err := r.srv.SetFaults(
		localecr.Fault{Op: "GetPublicKey", Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"},
		localecr.Fault{Op: "GetPublicKey", Nth: 2, Status: 400, Code: "AccessDeniedException", Message: "no"},
		localecr.Fault{Op: "GetPublicKey", Nth: 3, ResetResponseAfter: new(int64)},
	); err != nil {
		t.Fatal(err)
	}
	_, err := client.GetPublicKey(t.Context(), get)
	wantError(t, err, "ThrottlingException", "Rate exceeded")
	_, err = client.GetPublicKey(t.Context(), get)
	wantError(t, err, "AccessDeniedException", "no")
	if _, err := client.GetPublicKey(t.Context(), get); err == nil {
		t.Error("the answer was not lost")
	}
	if _, err := client.GetPublicKey(t.Context(), get); err != nil {
		t.Error(err)
	}
}
