package ecr

import (
	"cmp"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls"
)

// NewLimits returns limits for one registry of Amazon ECR, that is for one account
// and region. All of its repositories share them.
func NewLimits() *Limits { return NewSharedLimits(1) }

// NewSharedLimits returns limits for one of so many processes that call one registry at the same time, on
// any machines: each gets an equal share of the quotas. Less than one process is one.
func NewSharedLimits(processes int) *Limits {
	share := map[string]float64{}
	for operation, rate := range quotas {
		share[operation] = rate / float64(max(1, processes))
	}
	return &Limits{calls.Limits{Rates: share, Charged: charged}}
}

// Limits keep calls to Amazon ECR within its quotas, see [NewLimits]. The zero value
// is no limit until the service throttles.
type Limits struct{ limits }

// limits keeps the embedded field from being part of the API.
type limits = calls.Limits

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

// charged describes which operation's quota a request to the /v2/ of Amazon ECR counts
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

// opGetLayer is the operation of downloading a layer, or a range of it.
const opGetLayer = "GET /layers/{digest}"

// MinTimeOfRequests returns the shortest time in which so many requests can be made within the default quotas of
// Amazon ECR, and the operation whose quota takes longest: "" if none of the requests has a quota.
func MinTimeOfRequests(requests map[string]int) (time.Duration, string) {
	counts := map[string]int{}
	for operation, n := range requests {
		counts[cmp.Or(charged[operation], operation)] += n
	}
	least, slowest := time.Duration(0), ""
	for operation, n := range counts {
		if rate := quotas[operation]; rate > 0 {
			took := time.Duration(float64(n) / rate * float64(time.Second))
			if took > least || took == least && operation < slowest {
				least, slowest = took, operation
			}
		}
	}
	return least, slowest
}
