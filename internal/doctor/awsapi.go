package doctor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// retries is the policy of all requests of a check: a lost connection is tried twice,
// and a throttled call is a finding.
func retries() retry.Policy {
	const patience = 3 * time.Second
	return retry.Policy{Tries: 2, Pause: 100 * time.Millisecond, MaxPause: 100 * time.Millisecond,
		Unreachable: 100 * time.Millisecond, Answer: patience, Bytes: patience}
}

// configuration returns the AWS configuration for the subject. Errors come from
// [auth.Explain].
func (s *Session) configuration(ctx context.Context) (aws.Config, error) {
	s.aws.once.Do(func() { s.aws.cfg, s.aws.err = s.Tokens.Minter.AWS.Config(context.WithoutCancel(ctx), s.registry()) })
	return s.aws.cfg, s.aws.err
}

// registry is the registry whose AWS identity is examined: the subject, or one of the
// region of the environment.
func (s *Session) registry() auth.Registry {
	if s.Subject.Registry.Host != "" {
		return s.Subject.Registry
	}
	region := s.Env.Get("AWS_REGION")
	if region == "" {
		region = s.Env.Get("AWS_DEFAULT_REGION")
	}
	if region == "" {
		region = "us-east-1"
	}
	return auth.Registry{Region: region, Partition: "aws"}
}

func (s *Session) awsCalls(credentials aws.CredentialsProvider) *awscalls.Client {
	return &awscalls.Client{Credentials: credentials, Caller: func() calls.Caller {
		return calls.Caller{Limits: &calls.Limits{}, Log: &calls.Log{}, Policy: retries()}
	}}
}

// ecr returns a client of the subject's API.
func (s *Session) ecr(ctx context.Context) (*ecr.Client, error) {
	cfg, err := s.configuration(ctx)
	if err != nil {
		return nil, err
	}
	client := s.awsCalls(cfg.Credentials)
	return auth.NewClient(cfg, s.registry(), func(o *ecr.Options) {
		client.Configure(&o.Retryer, &o.RetryMaxAttempts, &o.APIOptions)
		o.Logger = logging.Nop{}
		o.HTTPClient = calls.Watched(o.HTTPClient.Do, retries)
	}), nil
}

// sts returns a client of AWS STS.
func (s *Session) sts(cfg aws.Config) *sts.Client {
	client := s.awsCalls(cfg.Credentials)
	return sts.NewFromConfig(cfg, auth.PreferEndpoint, func(o *sts.Options) {
		client.Configure(&o.Retryer, &o.RetryMaxAttempts, &o.APIOptions)
		o.Logger = logging.Nop{}
		o.HTTPClient = calls.Watched(o.HTTPClient.Do, retries)
	})
}

// client returns the HTTP client for requests without the AWS SDK. It follows no
// redirect.
func (s *Session) client(ctx context.Context) *http.Client {
	var base *http.Transport
	if cfg, err := s.configuration(ctx); err == nil {
		if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			base = b.GetTransport()
		}
	}
	return &http.Client{
		Transport:     calls.Watched(s.Transport(base).RoundTrip, retries),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fail makes a finding of the error of an AWS call, with its cause and next step, and
// notes if it was throttled.
func (s *Session) fail(op string, err error) Finding {
	if isThrottled(err) {
		s.throttled(op)
	}
	reason, next := auth.Describe(err)
	var advice []string
	if next != "" {
		advice = []string{sentence(next)}
	}
	return failed(reason, advice...)
}

// throttled notes that an operation was refused as one call too many.
func (s *Session) throttled(op string) {
	s.know(func(f *facts) {
		if !slices.Contains(f.throttled, op) {
			f.throttled = append(f.throttled, op)
		}
	})
}

func isThrottled(err error) bool {
	code := apiCode(err)
	if _, ok := sdkretry.DefaultThrottleErrorCodes[code]; ok && code != "LimitExceededException" {
		return true
	}
	var response *smithyhttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusTooManyRequests
}

// isDenied reports whether AWS has refused a call for want of a permission.
func isDenied(err error) bool {
	return slices.Contains([]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}, apiCode(err))
}

// apiCode returns the code of an error of an AWS API, or "".
func apiCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// sentence makes a step of advice of a text that continues an error.
func sentence(text string) string {
	if text == "" || strings.HasPrefix(text, "`") {
		return text
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
