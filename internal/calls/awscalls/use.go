package awscalls

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Options are those of a service that decide how its calls are made; they have other types
// in each service.
type Options struct {
	Retryer     *aws.Retryer
	MaxAttempts *int
	APIOptions  *[]func(*middleware.Stack) error
	Credentials aws.CredentialsProvider
}

// Use has a client that counts nothing and has limits of its own make its calls by policy,
// unless a [Client] was put into its options before. AWS_MAX_ATTEMPTS and the profile decide
// about the number of tries, if they are set. next sends the requests; Use returns what sends
// them instead, which ends those whose connection stands still.
func Use(policy retry.Policy, o Options, next calls.Sender) calls.Sender {
	if _, configured := (*o.Retryer).(tryRetryer); configured {
		return next
	}
	limits, log := new(calls.Limits), new(calls.Log)
	c := &Client{
		Caller:      func() calls.Caller { return calls.Caller{Limits: limits, Log: log, Policy: policy} },
		Credentials: o.Credentials,
	}
	if tries := c.Configure(o.Retryer, o.MaxAttempts, o.APIOptions); tries > 0 {
		policy.Tries = tries
	}
	return calls.Watched(next, func() retry.Policy { return policy })
}
