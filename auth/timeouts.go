package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// The default limits of [Minter].
const (
	defaultTimeout         = 15 * time.Second
	defaultMetadataTimeout = 1500 * time.Millisecond
)

// processTimeout is how long a credential_process may take in addition to the other
// limits, as it may ask the user for a code. The SDK ends it then.
const processTimeout = processcreds.DefaultTimeout

// additional returns how much longer than usual the credentials of a plan may take.
func (p TokenPlan) additional() time.Duration {
	if p.Source.base == KindProcess {
		return processTimeout
	}
	return 0
}

func orDefault(limit, standard time.Duration) time.Duration {
	if limit == 0 {
		return standard
	}
	return limit
}

// boundCall returns the context of a single call to AWS.
func (m *Minter) boundCall(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, orDefault(m.Timeout, defaultTimeout))
}

// bound returns the context in which a token is minted.
func (m *Minter) bound(ctx context.Context, p TokenPlan) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, orDefault(m.Timeout, defaultTimeout)+p.additional())
}

// boundRenewal returns the context in which a token that is still valid is renewed.
func (t *Tokens) boundRenewal(ctx context.Context, p TokenPlan) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, orDefault(t.RenewTimeout, defaultRenewTimeout)+p.additional())
}

// session is [Minter.session]. If a credential_process keeps the user waiting the
// log says so.
func (t *Tokens) session(ctx context.Context, p TokenPlan) (session, error) {
	if p.Source.base == KindProcess {
		const soon = 2 * time.Second
		timer := time.AfterFunc(soon, func() {
			t.log().Warn(fmt.Sprintf("waiting for the %s, for at most %v", p.Source.Steps[0], processTimeout))
		})
		defer timer.Stop()
	}
	return t.Minter.session(ctx, p)
}
