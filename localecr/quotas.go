package localecr

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// Limits are the quotas on sizes and counts, and the lifetimes of unfinished work.
type Limits struct {
	PartSize             int64 // bytes of a layer part that InitiateLayerUpload asks for
	MinPart              int64 // bytes of every part but the last
	MaxPart              int64 // bytes of a part
	MaxParts             int   // parts of a layer
	MaxManifest          int   // bytes of a manifest
	TagsPerImage         int
	ImagesPerRepository  int
	Repositories         int           // in a registry
	UploadLifetime       time.Duration // of an upload after its last part
	UnassociatedLifetime time.Duration // of a layer that no image refers to
}

// DefaultLimits returns the service quotas of Amazon ECR, and 24 hours for the two lifetimes, of which AWS documents no
// length.
func DefaultLimits() Limits { return Limits(registry.DefaultLimits()) }

// Quotas limit how often operations may be called, by the operation's name. Each account and region has its own. A call
// of /v2/ is charged to the operation that does the same. An operation without a quota is not limited.
type Quotas map[string]Quota

// A Quota is a token bucket.
type Quota struct {
	Rate  float64 `yaml:"rate"`  // calls per second
	Burst int     `yaml:"burst"` // calls at once
}

// DefaultQuotas returns the rates of Amazon ECR's service quotas. AWS does not document its bursts; here a burst is one
// second's worth of calls.
func DefaultQuotas() Quotas {
	q := Quotas{}
	for op, perSecond := range map[string]int{
		"GetAuthorizationToken":       500,
		"BatchCheckLayerAvailability": 1000,
		"InitiateLayerUpload":         100,
		"UploadLayerPart":             500,
		"CompleteLayerUpload":         100,
		"PutImage":                    10,
		"BatchGetImage":               2000,
		"GetDownloadUrlForLayer":      3000,
	} {
		q[op] = Quota{Rate: float64(perSecond), Burst: perSecond}
	}
	return q
}

// ReadQuotas reads quotas from YAML or JSON: `PutImage: {rate: 10, burst: 10}`. Unknown operations
// and keys are errors.
func ReadQuotas(r io.Reader) (Quotas, error) {
	q := Quotas{}
	if err := strictyaml.Decode(r, &q); err != nil {
		return nil, fmt.Errorf("quotas: %w", err)
	}
	for op, quota := range q {
		if _, served := operations[op]; !served {
			return nil, fmt.Errorf("quotas: %s is not an operation of the local ECR", op)
		}
		if !(quota.Rate > 0) || math.IsInf(quota.Rate, 1) || quota.Burst < 1 { // NaN is not above 0
			return nil, fmt.Errorf("quotas: %s: rate must be a number above 0 and burst at least 1", op)
		}
	}
	return q, nil
}

// buckets are the token buckets of the quotas, made when they are first needed.
type buckets struct {
	quotas Quotas
	mu     sync.Mutex
	byKey  map[string]*rate.Limiter
}

// take reports whether the call is within its quota. It goes by the machine's time: a clock that was set
// does not fill a bucket.
func (b *buckets) take(account, region, op string) bool {
	b.mu.Lock()
	quota, limited := b.quotas[op]
	if !limited {
		b.mu.Unlock()
		return true
	}
	key := account + "/" + region + "/" + op
	l := b.byKey[key]
	if l == nil {
		if b.byKey == nil {
			b.byKey = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(quota.Rate), quota.Burst)
		b.byKey[key] = l
	}
	b.mu.Unlock()
	return l.AllowN(time.Now(), 1)
}

// SetQuotas replaces the quotas while the server runs. All buckets are full then.
func (s *Server) SetQuotas(q Quotas) {
	s.buckets.mu.Lock()
	s.buckets.quotas = q
	s.buckets.mu.Unlock()
	s.buckets.refill()
}

// refill makes all buckets full.
func (b *buckets) refill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byKey)
}
