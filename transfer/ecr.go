package transfer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
)

// batchSize is how many images or layers the batch operations of the ECR API take:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html.
const batchSize = 100

// listPageSize is the most that one call of a listing operation gives:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html.
const listPageSize = 1000

// ECR is one repository of Amazon ECR by the ECR API, as [Source] and as [Target].
type ECR struct {
	// Layers fetches layers from the pre-signed URLs that the API gives. It
	// must add no credentials (S3 refuses a request with two kinds of them).
	Layers *http.Client
	// V2 sends requests to the registry's /v2/ with its token, see
	// [auth.Transport]; without it blobs go by the ECR API only.
	V2 http.RoundTripper
	// Upload is how blobs are uploaded; "" is UploadAuto.
	Upload UploadMode
	// Create has a push create the repository with these settings if it does not
	// exist; nil has it fail with [RepositoryNotFoundError], unless Amazon ECR creates
	// it from a template of the registry.
	Create *RepositorySettings
	// Limits are how fast calls are made; nil is limits of this repository's own.
	// All repositories of one registry in one account and region share theirs.
	Limits *Limits

	// parts sends layer parts. Each of them has a connection of its own: over
	// HTTP/2 they would share one, and its speed.
	parts      aws.HTTPClient
	v2         v2State
	api        *ecr.Client
	own        *Limits
	patience   patience
	creation   creation
	requestLog // of all calls
	registry   auth.Registry
	repository string
}

var (
	_ Source         = (*ECR)(nil)
	_ Target         = (*ECR)(nil)
	_ requestCounter = (*ECR)(nil)
)

// NewECR gives a repository of r. cfg is the AWS configuration for it, see
// [auth.AWS]; the transport settings of its HTTP client (proxy, CA bundle) serve
// the layers too. No call is made.
func NewECR(cfg aws.Config, r auth.Registry, repository string) *ECR {
	e := &ECR{Layers: layerClient(cfg), registry: r, repository: repository, patience: defaultPatience(), own: NewLimits()}
	e.Layers.Transport = watched(e.Layers.Transport.RoundTrip, e.waits)
	e.parts = watched(checkedAnswer(layerClient(cfg).Do), e.waits)
	calls := &ecrCalls{e: e, credentials: credentialRenewal{provider: cfg.Credentials}}
	e.api = auth.NewClient(cfg, r, calls.options)
	return e
}

func (e *ECR) waits() patience { return e.patience }

// caller makes the calls of the repository.
func (e *ECR) caller() caller {
	limits := e.Limits
	if limits == nil {
		limits = e.own
	}
	return caller{limits: limits, log: &e.requestLog, patience: e.patience}
}

// maxIdleConnections is how many connections wait for the next range or part.
const maxIdleConnections = 64

func layerClient(cfg aws.Config) *http.Client {
	client := &http.Client{Transport: http.DefaultTransport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a pre-signed URL holds for its own host only
	}}
	switch c := cfg.HTTPClient.(type) {
	case *awshttp.BuildableClient:
		transport := c.GetTransport()
		transport.MaxIdleConnsPerHost = maxIdleConnections // each goes on with the next range or part
		transport.ForceAttemptHTTP2 = false
		transport.TLSNextProto = noHTTP2()
		client.Transport = transport
	case *http.Client:
		if c.Transport != nil {
			client.Transport = c.Transport
		}
	}
	return client
}

// noHTTP2 keeps a transport at HTTP/1.1.
func noHTTP2() map[string]func(string, *tls.Conn) http.RoundTripper {
	return map[string]func(string, *tls.Conn) http.RoundTripper{}
}

// String is HOST/repository.
func (e *ECR) String() string { return e.registry.Host + "/" + e.repository }

// fail makes the error of an API call about object one that a user understands.
func (e *ECR) fail(object string, err error) error {
	var (
		noRepository *types.RepositoryNotFoundException
		invalidLayer *types.InvalidLayerException
		otherDigest  *types.ImageDigestDoesNotMatchException
	)
	switch {
	case errors.As(err, &noRepository):
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	case errors.As(err, &invalidLayer), errors.As(err, &otherDigest):
		err = fmt.Errorf("%w: %w", ErrIntegrity, auth.Explain(e.registry, err))
	default:
		err = auth.Explain(e.registry, err)
	}
	return fmt.Errorf("%s of repository %s: %w", object, e.repository, err)
}
