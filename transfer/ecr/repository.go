package ecr

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// batchSize is how many images or layers the batch operations of the ECR API take:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html.
const batchSize = 100

// listPageSize is the most that one call of a listing operation returns:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html.
const listPageSize = 1000

// Repository is one repository of Amazon ECR by the ECR API, as [content.Source], [content.Target] and [content.RequestCounter].
type Repository struct {
	// Layers fetches layers from the pre-signed URLs that the API returns. It
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
	Create *Settings
	// Templates, if not nil, has a template of the registry create the repository, if there is one and Create has no settings.
	// All repositories of one registry share theirs.
	Templates *Templates
	// Limits are how fast calls are made; nil is limits of this repository's own.
	// All repositories of one registry in one account and region share theirs.
	Limits *Limits

	// parts sends layer parts. Each of them has a connection of its own: over
	// HTTP/2 they would share one, and its speed.
	parts      aws.HTTPClient
	v2         v2.State
	speed      speed
	api        *ecr.Client
	most       int64 // how many bytes the manifests of one image may have
	own        *Limits
	policy     retry.Policy
	creation   creation
	requestLog // of all calls
	registry   auth.Registry
	repository string
}

// requestLog keeps the embedded field from being part of the API.
type requestLog = calls.Log

var (
	_ content.Source         = (*Repository)(nil)
	_ content.Target         = (*Repository)(nil)
	_ content.RequestCounter = (*Repository)(nil)

	_ content.BatchBlobChecker   = (*Repository)(nil)
	_ content.RegistryRepository = (*Repository)(nil)
	_ content.BlobSharer         = (*Repository)(nil)
)

// New returns a repository of r. cfg is the AWS configuration for it, see
// [auth.AWS]; the transport settings of its HTTP client (proxy, CA bundle) serve
// the layers too. No call is made.
func New(cfg aws.Config, r auth.Registry, repository string) *Repository {
	e := &Repository{Layers: layerClient(cfg), registry: r, repository: repository, policy: retry.Default(), most: imagetree.MaxTreeBytes, own: NewLimits(), speed: speed{lane: defaultFastLane()}}
	e.Layers.Transport = calls.Watched(e.Layers.Transport.RoundTrip, e.waits)
	e.parts = calls.Documents(calls.Watched(checkedAnswer(layerClient(cfg).Do), e.waits))
	e.api = auth.NewClient(cfg, r, e.apiCalls(cfg.Credentials))
	return e
}

func (e *Repository) waits() retry.Policy { return e.policy }

// caller makes the calls of the repository.
func (e *Repository) caller() calls.Caller {
	limits := e.Limits
	if limits == nil {
		limits = e.own
	}
	return calls.Caller{Limits: &limits.limits, Log: &e.requestLog, Policy: e.policy}
}

func layerClient(cfg aws.Config) *http.Client {
	client := &http.Client{Transport: calls.NewTransport(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a pre-signed URL holds for its own host only
	}}
	switch c := cfg.HTTPClient.(type) {
	case *awshttp.BuildableClient:
		transport := c.GetTransport()
		transport.MaxIdleConnsPerHost = calls.MaxIdleConnections // each continues with the next range or part
		transport.ForceAttemptHTTP2 = false
		transport.TLSNextProto = calls.NoHTTP2()
		client.Transport = transport
	case *http.Client:
		if c.Transport != nil {
			client.Transport = c.Transport
		}
	}
	return client
}

// String is HOST/repository.
func (e *Repository) String() string { return e.registry.Host + "/" + e.repository }

// Registry names the registry: Amazon ECR has one for each account and region.
func (e *Repository) Registry() string {
	return e.registry.Host + "/" + e.registry.Account + "/" + e.registry.Region
}

// fail makes the error of an API call about object one that a user understands.
func (e *Repository) fail(object string, err error) error {
	var (
		noRepository *types.RepositoryNotFoundException
		invalidLayer *types.InvalidLayerException
		otherDigest  *types.ImageDigestDoesNotMatchException
	)
	switch {
	case errors.As(err, &noRepository):
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	case errors.As(err, &invalidLayer), errors.As(err, &otherDigest):
		err = fmt.Errorf("%w: %w", content.ErrIntegrity, auth.Explain(e.registry, err))
	default:
		err = auth.Explain(e.registry, err)
	}
	return fmt.Errorf("%s of repository %s: %w", object, e.repository, err)
}
