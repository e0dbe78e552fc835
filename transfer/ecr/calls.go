package ecr

import (
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go/logging"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
)

// apiCalls has the ECR client make its calls by [awscalls.Client].
func (e *Repository) apiCalls(credentials aws.CredentialsProvider) func(*ecr.Options) {
	var layers uploadedLayers
	client := &awscalls.Client{Caller: e.caller, Credentials: credentials, Lags: layers.lag, Done: layers.note}
	return func(o *ecr.Options) {
		if tries := client.Configure(&o.Retryer, &o.RetryMaxAttempts, &o.APIOptions); tries > 0 {
			e.policy.Tries = tries
		}
		o.Logger = logging.Nop{} // it would write to stderr of answers that broke off
		o.HTTPClient = calls.Documents(calls.Watched(e.speed.timed(checkedAnswer(o.HTTPClient.Do)), e.waits))
	}
}

// uploadedLayers knows when a layer was completed. For some time after that Amazon ECR may refuse a manifest because
// not all of it knows of the layer.
type uploadedLayers struct {
	mu sync.Mutex
	at time.Time
}

// lagTime is how long after a layer was completed a manifest may be refused for lack of it.
const lagTime = 30 * time.Second

func (l *uploadedLayers) note(op string) {
	if op != "CompleteLayerUpload" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Now()
}

func (l *uploadedLayers) lag(op string, err error) bool {
	var missing *types.LayersNotFoundException
	if op != "PutImage" || !errors.As(err, &missing) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.at) < lagTime
}
