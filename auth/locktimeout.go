package auth

import (
	"context"
	"time"
)

// defaultLockTimeout is how long [Tokens] waits for another process that gets the same token.
const defaultLockTimeout = 10 * time.Second

// boundWait returns the context of the wait for another process that gets the same
// token.
func (t *Tokens) boundWait(ctx context.Context, p TokenPlan) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, orDefault(t.LockTimeout, defaultLockTimeout)+p.additional())
}
