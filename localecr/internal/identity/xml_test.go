package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// stsClient is the SDK's client of a server that answers as a real one would
// with this package, for alice.
func stsClient(t *testing.T, ids *Identities, status *int) *sts.Client {
	t.Helper()
	alice := userPrincipal(t, ids, "AKIAALICE00000000000")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const id = "11111111-2222-3333-4444-555555555555"
		action := r.FormValue("Action")
		result, err := func() (any, error) {
			if action == "GetCallerIdentity" {
				return GetCallerIdentity(alice), nil
			}
			duration, err := ParseDuration(r.FormValue("DurationSeconds"))
			if err != nil {
				return nil, err
			}
			role, session := r.FormValue("RoleArn"), r.FormValue("RoleSessionName")
			switch action {
			case "AssumeRole":
				return ids.AssumeRole(alice, role, session, r.FormValue("ExternalId"), duration)
			case "AssumeRoleWithWebIdentity":
				return ids.AssumeRoleWithWebIdentity(role, session, r.FormValue("WebIdentityToken"), "", duration)
			}
			return nil, fmt.Errorf("a detail that clients must not see")
		}()
		if err != nil {
			WriteXMLError(w, err, id)
			return
		}
		WriteXML(w, action, result, id)
	}))
	t.Cleanup(server.Close)
	return sts.New(sts.Options{
		BaseEndpoint:     aws.String(server.URL),
		Region:           "us-east-1",
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "alice-secret"}, nil
		}),
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			response, err := server.Client().Do(r)
			if err == nil {
				*status = response.StatusCode
			}
			return response, err
		}),
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func TestSDKDecodesResults(t *testing.T) {
	ids, _ := clocked(t, testAccounts())
	var status int
	client, ctx := stsClient(t, ids, &status), context.Background()

	caller, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *caller.Arn != "arn:aws:iam::111111111111:user/alice" || *caller.Account != "111111111111" || *caller.UserId != userPrincipal(t, ids, "AKIAALICE00000000000").UserID {
		t.Errorf("got %+v", caller)
	}

	checkKeys := func(c *ststypes.Credentials, u *ststypes.AssumedRoleUser, arn string) {
		t.Helper()
		p, secret, err := ids.Resolve(*c.AccessKeyId, *c.SessionToken)
		if err != nil || secret != *c.SecretAccessKey || p.ARN != arn || *u.Arn != arn || *u.AssumedRoleId != p.UserID {
			t.Errorf("the keys give %+v, %v", p, err)
		}
		if want := testNow.Truncate(time.Second).Add(20 * time.Minute); !c.Expiration.Equal(want) {
			t.Errorf("expires %v, want %v", c.Expiration, want)
		}
	}
	assumed, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/external"), RoleSessionName: aws.String("ci"), ExternalId: aws.String("ticket-7"), DurationSeconds: aws.Int32(1200)})
	if err != nil {
		t.Fatal(err)
	}
	checkKeys(assumed.Credentials, assumed.AssumedRoleUser, "arn:aws:sts::111111111111:assumed-role/external/ci")

	sub := "repo:acme/<&>:ref:refs/heads/main" // must be escaped
	web, err := client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/web"), RoleSessionName: aws.String("ci"), DurationSeconds: aws.Int32(1200),
		WebIdentityToken: aws.String(jwt(map[string]any{"iss": "https://token.example", "aud": "sts.amazonaws.com", "sub": sub, "exp": testNow.Unix() + 1}))})
	if err != nil {
		t.Fatal(err)
	}
	checkKeys(web.Credentials, web.AssumedRoleUser, "arn:aws:sts::111111111111:assumed-role/web/ci")
	if *web.SubjectFromWebIdentityToken != sub || *web.Provider != "https://token.example" || *web.Audience != "sts.amazonaws.com" {
		t.Errorf("got %+v", web)
	}
}

func TestSDKDecodesErrors(t *testing.T) {
	ids, _ := clocked(t, testAccounts())
	var status int
	client, ctx := stsClient(t, ids, &status), context.Background()

	_, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::222222222222:role/closed"), RoleSessionName: aws.String("ci")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" || status != 403 ||
		api.ErrorMessage() != "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/closed" {
		t.Errorf("got %v with status %d", err, status)
	}

	web := func(claims map[string]any) error {
		_, err := client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String("arn:aws:iam::111111111111:role/web"), RoleSessionName: aws.String("ci"), WebIdentityToken: aws.String(jwt(claims))})
		return err
	}
	var invalid *ststypes.InvalidIdentityTokenException
	if err := web(nil); !errors.As(err, &invalid) || status != 400 {
		t.Errorf("got %v with status %d", err, status)
	}
	var expired *ststypes.ExpiredTokenException
	if err := web(map[string]any{"iss": "i", "aud": "a", "sub": "s", "exp": 1}); !errors.As(err, &expired) || status != 400 {
		t.Errorf("got %v with status %d", err, status)
	}

	_, err = client.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	if !errors.As(err, &api) || api.ErrorCode() != "InternalFailure" || status != 500 || api.ErrorFault() == smithy.FaultClient {
		t.Errorf("got %v with status %d", err, status)
	}
}

func TestWriteXMLErrorOfResolve(t *testing.T) {
	for err, want := range map[error]string{
		ErrUnknownKey:   "InvalidClientTokenId",
		ErrInvalidToken: "InvalidClientTokenId",
		ErrExpiredToken: "ExpiredToken",
		&Error{Code: "SignatureDoesNotMatch", Message: "x"}: "SignatureDoesNotMatch",
	} {
		w := httptest.NewRecorder()
		WriteXMLError(w, fmt.Errorf("checking the caller: %w", err), "id")
		message := err.Error()
		if message == "SignatureDoesNotMatch: x" {
			message = "x"
		}
		body := `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + want +
			`</Code><Message>` + message + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`
		if w.Code != 403 || w.Body.String() != body || w.Header().Get("Content-Type") != "text/xml" {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
}

func TestWriteXMLShape(t *testing.T) {
	w := httptest.NewRecorder()
	WriteXML(w, "GetCallerIdentity", CallerIdentity{"arn", "id", "account"}, "request")
	const want = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn</Arn><UserId>id</UserId><Account>account</Account></GetCallerIdentityResult>` +
		`<ResponseMetadata><RequestId>request</RequestId></ResponseMetadata></GetCallerIdentityResponse>`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
