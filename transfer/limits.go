package transfer

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/transfer/internal/pace"
)

// Limits keep the calls of this process within what a service allows, each
// operation for itself: they begin at the documented rates, go slower when the
// service refuses calls as too many, and faster again when it does not. What has
// one quota shares one Limits: all repositories of a registry in one account and
// region. The zero value is ready for use; a Limits must not be copied then.
type Limits struct {
	first map[string]float64 // calls per second to begin with; nil is quotas

	mu      sync.Mutex
	buckets map[string]*pace.Bucket
}

// NewLimits gives limits for one registry of one account and region.
func NewLimits() *Limits { return &Limits{} }

// quotas are calls per second, for one account and region:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html. An
// account may have had them raised.
var quotas = map[string]float64{
	"GetAuthorizationToken":       500,
	"BatchCheckLayerAvailability": 1000,
	"InitiateLayerUpload":         100,
	"UploadLayerPart":             500,
	"CompleteLayerUpload":         100,
	"PutImage":                    10,
	"BatchGetImage":               2000,
	"GetDownloadUrlForLayer":      3000,
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
	opGetLayer: 5500,
}

// otherQuota is for operations without a known one: hardly a limit until the
// service says so.
const otherQuota = 1000

// wait waits until a call of the operation may be made, and gives its time.
func (l *Limits) wait(ctx context.Context, op string) (time.Time, error) {
	return l.bucket(op).Wait(ctx)
}

// done says what became of the call of that time, and until when no other one is wanted; the zero time
// if that was not said.
func (l *Limits) done(op string, sent time.Time, o pace.Outcome, retryAfter time.Time) {
	l.bucket(op).Done(sent, o, retryAfter)
}

// charged says which operation's quota a request to the /v2/ of Amazon ECR counts
// for, as it does the same.
var charged = map[string]string{
	"HEAD /v2/{name}/blobs/{digest}":        "BatchCheckLayerAvailability",
	"GET /v2/{name}/blobs/{digest}":         "GetDownloadUrlForLayer",
	"POST /v2/{name}/blobs/uploads/":        "InitiateLayerUpload",
	"PATCH /v2/{name}/blobs/uploads/{uuid}": "UploadLayerPart",
	"PUT /v2/{name}/blobs/uploads/{uuid}":   "CompleteLayerUpload",
	"HEAD /v2/{name}/manifests/{reference}": "BatchGetImage",
	"GET /v2/{name}/manifests/{reference}":  "BatchGetImage",
	"PUT /v2/{name}/manifests/{reference}":  "PutImage",
}

func (l *Limits) bucket(op string) *pace.Bucket {
	if same, ok := charged[op]; ok {
		op = same
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[op]
	if b == nil {
		first := l.first
		if first == nil {
			first = quotas
		}
		rate, known := first[op]
		if !known {
			rate = otherQuota
		}
		b = pace.NewBucket(systemClock{}, rate)
		if l.buckets == nil {
			l.buckets = map[string]*pace.Bucket{}
		}
		l.buckets[op] = b
	}
	return b
}

// systemClock is the time of this machine.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
