package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const profiles = "arn:aws:signer:us-east-1:111122223333:/signing-profiles/"

// script is an HTTP client that keeps requests to the ECR API, as OPERATION BODY, and
// gives the answers that a test has written, by operation.
type script struct {
	answers  map[string]string
	requests []string
}

func (s *script) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	answer := func(status int, contentType, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
	}
	_, op, isECR := strings.Cut(req.Header.Get("X-Amz-Target"), "AmazonEC2ContainerRegistry_V20150921.")
	if !isECR {
		return answer(200, "text/xml", `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}
	s.requests = append(s.requests, op+" "+string(body))
	text := s.answers[op]
	if strings.Contains(text, "__type") {
		return answer(400, "application/x-amz-json-1.1", text)
	}
	return answer(200, "application/x-amz-json-1.1", text)
}

func (s *script) registry() *Registry {
	cfg := aws.Config{Region: "us-east-1", HTTPClient: s, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	return New(cfg, auth.Registry{Host: "ecr.example", Account: "111122223333", Region: "us-east-1", Partition: "aws"})
}

func TestSigningCallsSendWhatTheAPIDocuments(t *testing.T) {
	const configuration = `{"rules":[{"repositoryFilters":[{"filter":"prod/*","filterType":"WILDCARD_MATCH"}],"signingProfileArn":"` + profiles + `pp"},{"signingProfileArn":"` + profiles + `qq"}]}`
	const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	s := &script{answers: map[string]string{
		"GetSigningConfiguration":    `{"registryId":"111122223333","signingConfiguration":` + configuration + `}`,
		"PutSigningConfiguration":    `{"signingConfiguration":` + configuration + `}`,
		"DeleteSigningConfiguration": `{"registryId":"111122223333","signingConfiguration":` + configuration + `}`,
		"DescribeImageSigningStatus": `{"imageId":{"imageDigest":"` + digest + `"},"signingStatuses":[{"signingProfileArn":"` + profiles + `pp","status":"COMPLETE"}]}`,
	}}
	r, ctx := s.registry(), context.Background()
	got, err := r.SigningConfiguration(ctx)
	want := SigningConfiguration{Rules: []SigningRule{{profiles + "pp", []SigningFilter{{"prod/*", "WILDCARD_MATCH"}}}, {profiles + "qq", nil}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	want.Rules[0].Filters[0].Type = "" // may be left out
	if put, err := r.PutSigningConfiguration(ctx, want); err != nil || !put.Equal(want) {
		t.Errorf("%+v, %v", put, err)
	}
	if deleted, err := r.DeleteSigningConfiguration(ctx); err != nil || !deleted.Equal(want) {
		t.Errorf("%+v, %v", deleted, err)
	}
	if signing, err := r.SigningStatus(ctx, "prod/app", content.ImageName{Tag: "1.0"}); err != nil || signing.State != SigningComplete || signing.Digest != digest {
		t.Errorf("%+v, %v", signing, err)
	}
	if _, err := r.PutSigningConfiguration(ctx, SigningConfiguration{}); err != nil {
		t.Error(err)
	}
	requests := []string{
		`GetSigningConfiguration {}`,
		`PutSigningConfiguration {"signingConfiguration":` + configuration + `}`,
		`DeleteSigningConfiguration {}`,
		`DescribeImageSigningStatus {"imageId":{"imageTag":"1.0"},"registryId":"111122223333","repositoryName":"prod/app"}`,
		`PutSigningConfiguration {"signingConfiguration":{"rules":[]}}`,
	}
	for i, want := range requests {
		op, body, _ := strings.Cut(s.requests[i], " ")
		wantOp, wantBody, _ := strings.Cut(want, " ")
		var a, b any
		if json.Unmarshal([]byte(body), &a) != nil || json.Unmarshal([]byte(wantBody), &b) != nil || op != wantOp || !reflect.DeepEqual(a, b) {
			t.Errorf("sent %s\nwant %s", s.requests[i], want)
		}
	}
	if len(s.requests) != len(requests) {
		t.Errorf("%d calls, want %d", len(s.requests), len(requests))
	}
}

func TestSigningAnswersThatAreNotUnderstoodAreErrors(t *testing.T) {
	ctx := context.Background()
	status := func(s *script) error {
		_, err := s.registry().SigningStatus(ctx, "app", content.ImageName{Tag: "1"})
		return err
	}
	get := func(s *script) error {
		_, err := s.registry().SigningConfiguration(ctx)
		return err
	}
	for name, c := range map[string]struct {
		call   func(*script) error
		answer string
		want   string
	}{
		"no configuration in it":  {get, `{"registryId":"111122223333"}`, "the answer has no rules"},
		"no rules in it":          {get, `{"registryId":"111122223333","signingConfiguration":{}}`, "the answer has no rules"},
		"another account's":       {get, `{"registryId":"222222222222","signingConfiguration":{"rules":[]}}`, "belongs to another account, 222222222222"},
		"access denied":           {get, `{"__type":"AccessDeniedException","message":"no"}`, "signing configuration: ecr.example: ecr GetSigningConfiguration: AccessDeniedException: no; allow ecr:GetSigningConfiguration to this identity"},
		"validation":              {get, `{"__type":"ValidationException","message":"no"}`, "ValidationException: no"},
		"no image in the answer":  {status, `{"signingStatuses":[]}`, "the answer is about another image"},
		"image not found":         {status, `{"__type":"ImageNotFoundException","message":"no"}`, "signing status of ecr.example/app:1: not found"},
		"repository not found":    {status, `{"__type":"RepositoryNotFoundException","message":"no"}`, "repository app does not exist in 111122223333/us-east-1"},
		"status is access denied": {status, `{"__type":"AccessDeniedException","message":"no"}`, "allow ecr:DescribeImageSigningStatus"},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]string{"GetSigningConfiguration": c.answer, "DescribeImageSigningStatus": c.answer}
			err := c.call(&script{answers: answers})
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrNoSigningConfiguration) || errors.Is(err, ErrNotSigned) {
				t.Errorf("got %v\nwant …%s…", err, c.want)
			}
		})
	}
}

func TestStatesOfSigning(t *testing.T) {
	for want, statuses := range map[SigningState][][]string{
		SigningNone:       {{}},
		SigningComplete:   {{"COMPLETE"}, {"COMPLETE", "COMPLETE"}},
		SigningFailed:     {{"FAILED"}, {"COMPLETE", "FAILED"}},
		SigningInProgress: {{"IN_PROGRESS"}, {"COMPLETE", "IN_PROGRESS"}, {"FAILED", "IN_PROGRESS"}, {"COMPLETE", "NEW_STATE"}, {""}},
	} {
		for _, list := range statuses {
			var all []SigningStatus
			for _, s := range list {
				all = append(all, SigningStatus{Status: s})
			}
			if got := signingState(all); got != want {
				t.Errorf("%q: %s, want %s", list, got, want)
			}
		}
	}
}

func TestWaitEndsWithTheTimeOrTheCaller(t *testing.T) { synctest.Test(t, checkWait) }

func checkWait(t *testing.T) {
	const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	s := &script{answers: map[string]string{
		"DescribeImageSigningStatus": `{"imageId":{"imageDigest":"` + digest + `"},"signingStatuses":[{"signingProfileArn":"p","status":"IN_PROGRESS"}]}`,
	}}
	signing, err := s.registry().WaitSigned(context.Background(), "app", content.ImageName{Tag: "1"}, 1200*time.Millisecond)
	if !errors.Is(err, ErrSigningUnfinished) || signing.State != SigningInProgress {
		t.Errorf("%+v, %v", signing, err)
	}
	if len(s.requests) != 2 || !strings.Contains(s.requests[1], `{"imageDigest":"`+digest+`"}`) {
		t.Errorf("%q; want a tag resolved once", s.requests)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.registry().WaitSigned(ctx, "app", content.ImageName{Tag: "1"}, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSigningOfTheLocalECR(t *testing.T) {
	r, ctx := open(t, localecr.Options{}, "000000000000"), context.Background()
	if _, err := r.SigningConfiguration(ctx); !errors.Is(err, ErrNoSigningConfiguration) {
		t.Error(err)
	}
	if _, err := r.DeleteSigningConfiguration(ctx); !errors.Is(err, ErrNoSigningConfiguration) {
		t.Error(err)
	}
	// As much as is allowed is taken, so Validate asks for no less than the service.
	full := SigningConfiguration{}
	for i := range MaxSigningRules {
		rule := SigningRule{Profile: profiles + fmt.Sprint("p", i)}
		for j := range MaxSigningFilters {
			rule.Filters = append(rule.Filters, SigningFilter{Filter: fmt.Sprintf("team%d/*", j)})
		}
		full.Rules = append(full.Rules, rule)
	}
	if got, err := r.PutSigningConfiguration(ctx, full); err != nil || !got.Equal(full) {
		t.Error(err)
	}
}

// rules makes a configuration of "PROFILE FILTER…" each.
func rules(texts ...string) SigningConfiguration {
	c := SigningConfiguration{Rules: []SigningRule{}}
	for _, text := range texts {
		words := strings.Fields(text)
		c.Rules = append(c.Rules, SigningRule{Profile: words[0], Filters: WildcardFilters(words[1:])})
	}
	return c
}

func TestRulesAreMerged(t *testing.T) {
	for _, c := range []struct {
		before, after SigningConfiguration
		profile       string
		filters       []string
	}{
		{rules(), rules("p a"), "p", []string{"a"}},
		{rules(), rules("p"), "p", nil},
		{rules("q b"), rules("q b", "p a"), "p", []string{"a", "a"}},
		{rules("p a", "q"), rules("p a b", "q"), "p", []string{"b", "a"}},
		{rules("p a"), rules("p a"), "p", []string{"a"}},
		{rules("p"), rules("p"), "p", []string{"a"}}, // signs everything already
		{rules("p a b"), rules("p"), "p", nil},       // wider than before
		{rules("p a", "p b"), rules("p a c", "p b"), "p", []string{"b", "c"}},
		{rules("p a", "p"), rules("p a", "p"), "p", []string{"c"}},
	} {
		got := c.before.With(c.profile, WildcardFilters(c.filters))
		if !got.Equal(c.after) {
			t.Errorf("%v with %s %v: %v, want %v", c.before, c.profile, c.filters, got, c.after)
		}
	}
	before := rules("p a")
	if before.With("p", WildcardFilters([]string{"b"})); len(before.Rules[0].Filters) != 1 {
		t.Error("the rules that were merged into have changed")
	}
}

func TestRulesAreRemoved(t *testing.T) {
	for _, c := range []struct {
		before, after SigningConfiguration
		profile       string
		filters       []string
		fails         bool
	}{
		{rules("p a b", "q"), rules("p b", "q"), "p", []string{"a"}, false},
		{rules("p a b", "q"), rules("q"), "p", []string{"b", "a"}, false}, // not: all repositories
		{rules("p a", "p b", "q"), rules("q"), "p", nil, false},
		{rules("p a", "p b"), rules("p b"), "p", []string{"a"}, false},
		{rules("p", "q"), rules("q"), "p", nil, false},
		{rules("p", "q"), SigningConfiguration{}, "p", []string{"a"}, true},
		{rules("p a"), SigningConfiguration{}, "p", []string{"a", "b"}, true},
		{rules("p a"), SigningConfiguration{}, "q", nil, true},
		{rules(), SigningConfiguration{}, "p", nil, true},
	} {
		got, err := c.before.Without(c.profile, WildcardFilters(c.filters))
		if c.fails != errors.Is(err, ErrNoSigningRule) || err == nil && !got.Equal(c.after) {
			t.Errorf("%v without %s %v: %v, %v, want %v", c.before, c.profile, c.filters, got, err, c.after)
		}
	}
}

func TestProfilesOfARepository(t *testing.T) {
	c := rules("p prod/* */web", "q", "p x", "r a*c*e")
	for repository, want := range map[string][]string{
		"prod/app": {"p", "q"}, "prod": {"q"}, "team/web": {"p", "q"}, "x": {"q", "p"}, "ace": {"q", "r"}, "abcde": {"q", "r"}, "ae": {"q"}, "prod.app": {"q"},
	} {
		if got := c.Profiles(repository); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", repository, got, want)
		}
	}
}

func TestValidateNamesTheRule(t *testing.T) {
	tooMany := make([]string, MaxSigningFilters+1)
	for i := range tooMany {
		tooMany[i] = fmt.Sprint("team", i)
	}
	for want, rule := range map[string]SigningRule{
		"":                                     {profiles + "pp", []SigningFilter{{"*", ""}, {"*/*", "WILDCARD_MATCH"}, {"a-b_c.d/*x*", ""}}},
		"signingProfileArn is missing":         {},
		"is a KMS key":                         {"arn:aws:kms:us-east-1:111122223333:key/x", nil},
		"is not the ARN of a signing profile":  {profiles + "pp/0123456789", nil},
		"at most 200 characters":               {profiles + strings.Repeat("p", 200), nil},
		"in its own region only":               {"arn:aws:signer:eu-west-1:111122223333:/signing-profiles/pp", nil},
		"repositoryFilters is empty":           {profiles + "pp", []SigningFilter{}},
		"101 repositoryFilters of at most 100": {profiles + "pp", WildcardFilters(tooMany)},
		`repositoryFilters 2: filterType "PREFIX_MATCH" is not WILDCARD_MATCH`: {profiles + "pp", []SigningFilter{{"a", ""}, {"a", "PREFIX_MATCH"}}},
		`repositoryFilters 1: "prod/" is not`:                                  {profiles + "pp", []SigningFilter{{"prod/", ""}}},
		`repositoryFilters 1: "" is not`:                                       {profiles + "pp", []SigningFilter{{"", ""}}},
		`repositoryFilters 1: "aaaa`:                                           {profiles + "pp", []SigningFilter{{strings.Repeat("a", 257), ""}}},
	} {
		err := SigningConfiguration{Rules: []SigningRule{{profiles + "ok", nil}, rule}}.Validate("us-east-1")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "signing rule 2: ")) {
			t.Errorf("%+v: %v, want %q", rule, err, want)
		}
	}
	if err := (SigningConfiguration{Rules: make([]SigningRule, 11)}).Validate("us-east-1"); !errors.Is(err, ErrTooManySigningRules) {
		t.Error(err)
	}
}

func FuzzParseSigningConfiguration(f *testing.F) {
	f.Add(`{"rules":[{"signingProfileArn":"` + profiles + `pp","repositoryFilters":[{"filter":"prod/*","filterType":"WILDCARD_MATCH"}]}]}`)
	f.Add("rules:\n  - signingProfileArn: x\n    repositoryFilters: [{filter: '*'}]\n")
	f.Add("rules: []")
	f.Add("! {a}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseSigningConfiguration(strings.NewReader(text))
		if err != nil || c.Validate("us-east-1") != nil {
			return
		}
		// What is valid is the same after it was written and read again.
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSigningConfiguration(strings.NewReader(string(data)))
		if err != nil || !again.Equal(c) {
			t.Fatalf("%q: %+v became %+v (%v)", text, c, again, err)
		}
	})
}

func TestParseSigningConfigurationIsStrict(t *testing.T) {
	for want, text := range map[string]string{
		"unknown field":   `{"rules":[],"registryId":"1"}`,
		"already defined": `{"rules":[],"rules":[]}`,
		"signing rule 2: repositoryFilters is empty": "rules:\n  - {signingProfileArn: a}\n  - signingProfileArn: b\n    repositoryFilters:\n      # - filter: prod/*\n",
		"no list of rules":                           ``,
		"larger than":                                `{"rules":[]}` + strings.Repeat(" ", maxSigningFile),
		`unknown field "Rules"`:                      `{"Rules":[]}`,
	} {
		if _, err := ParseSigningConfiguration(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}
