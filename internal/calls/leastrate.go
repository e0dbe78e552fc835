package calls

import (
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// leastRate is how fast the bytes of one body move, against the policy's rate.
type leastRate struct {
	policy retry.Policy
	slack  time.Duration // for which it may still be slower
}

func newLeastRate(p retry.Policy) leastRate { return leastRate{p, p.Slack} }

// note counts n bytes that took d.
func (p *leastRate) note(n int, d time.Duration) {
	if p.policy.Rate > 0 {
		earned := time.Duration(n) * time.Second / time.Duration(p.policy.Rate)
		p.slack = max(min(p.slack-d+earned, p.policy.Slack), 1)
	}
}

// limit returns how long the next bytes may take, and the error if they take longer, which says what one byte or many
// did not do.
func (p *leastRate) limit(one, many string) (time.Duration, stallError) {
	if p.policy.Rate > 0 && p.slack < p.policy.Bytes {
		return p.slack, stallError{what: fmt.Sprintf("fewer than %d bytes a second %s", p.policy.Rate, many), d: p.policy.Slack, slow: true}
	}
	return p.policy.Bytes, stallError{what: "no byte " + one, d: p.policy.Bytes}
}
