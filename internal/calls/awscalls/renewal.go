package awscalls

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// renewal gets new AWS credentials when those in use have expired before their time: the cache of the SDK goes by this
// machine's clock.
type renewal struct {
	mu sync.Mutex
	at time.Time
}

// renew reports whether there are other credentials now than at the time when a call began that was refused because
// they have expired.
func (r *renewal) renew(ctx context.Context, provider aws.CredentialsProvider, began time.Time) bool {
	cache, ok := provider.(*aws.CredentialsCache)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.After(began) {
		return true
	}
	old, err := cache.Retrieve(ctx)
	if err != nil {
		return false
	}
	cache.Invalidate()
	now, err := cache.Retrieve(ctx)
	if err != nil || now.SessionToken == old.SessionToken {
		return false
	}
	r.at = time.Now()
	return true
}
