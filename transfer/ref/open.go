package ref

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/keychain"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// Opener opens what references name. The zero value is ready for use: AWS credentials
// are those of the AWS SDK, other credentials those of docker's configuration. It can
// be used concurrently, and must not be copied after first use.
type Opener struct {
	// Registries map hosts that are not an ECR name to a registry of Amazon ECR.
	Registries auth.Registries
	// Tokens are the authorization tokens for the /v2/ of Amazon ECR and for ECR
	// Public; nil is tokens without a cache.
	Tokens *auth.Tokens
	// AWS returns the configuration of the AWS SDK for a registry; nil is that of
	// [auth.AWS].
	AWS func(ctx context.Context, r auth.Registry) (aws.Config, error)
	// Keychain has the credentials for other registries; nil is docker's configuration.
	Keychain authn.Keychain
	// TokenServers are the hosts of token servers by that of the registry outside Amazon
	// ECR whose credentials they may get, in its canonical spelling: see
	// [registry.Options.TokenServer].
	TokenServers map[string]string
	// Wrap, if not nil, wraps the transport of every endpoint, for a log of requests say.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Docker is the engine of docker-daemon references.
	Docker docker.Daemon
	// Archive are the options for archives of docker. Its TempDir is where every
	// endpoint puts temporary files; "" is os.TempDir.
	Archive docker.ArchiveOptions
	// Processes is how many processes share the quotas of Amazon ECR, this one included; 0 is 1. It is set
	// before the first endpoint is opened.
	Processes int
	// Stdin is what StandardStream reads, Stdout what it writes; nil is an error.
	Stdin  io.Reader
	Stdout io.Writer

	mu     sync.Mutex
	limits map[string]*ecr.Limits      // by account and region, which share quotas
	others map[string]*registry.Limits // by host
}

// Open opens what reference names, to read from it, with a zero [Opener]: a directory
// or file is detected from its content. One that is an [io.Closer] is closed by the
// caller.
//
// The tag or digest of reference is not part of the source: to copy the image that it names, set Reference of
// transfer.Options to what [Reference.Name] of the parsed reference returns.
func Open(ctx context.Context, reference string) (content.Source, error) {
	r, err := Parse(reference, auth.Registries{}, Detect)
	if err != nil {
		return nil, err
	}
	return new(Opener).Source(ctx, r)
}

// Source opens what r names, to read from it. One that is an [io.Closer] is closed by
// the caller.
func (o *Opener) Source(ctx context.Context, r Reference) (content.Source, error) {
	switch r.Kind {
	case KindArchive, KindDockerArchive:
		switch {
		case r.Path == StandardStream && o.Stdin == nil:
			return nil, fmt.Errorf("%s: %w: there is no stdin", r, content.ErrUnsupported)
		case r.Path == StandardStream:
			return OpenStream(ctx, o.Stdin, r.Kind, o.Archive)
		case r.Kind == KindDockerArchive:
			return docker.OpenArchive(ctx, r.Path, o.Archive)
		}
		return archive.Open(ctx, r.Path, o.Archive.TempDir)
	case KindDockerDaemon:
		return docker.OpenDaemon(ctx, o.Docker, r.Name(), o.Archive)
	}
	return o.Endpoint(ctx, r)
}

// Target opens what r names, to write to it. One that is an [io.Closer] is closed by the
// caller.
func (o *Opener) Target(ctx context.Context, r Reference) (content.Target, error) {
	switch r.Kind {
	case KindArchive, KindDockerArchive:
		if r.Digest != "" {
			return nil, fmt.Errorf("%s: %w: an image in an archive has a tag or none", r, content.ErrUnsupported)
		}
		switch stream := r.Path == StandardStream; {
		case stream && o.Stdout == nil:
			return nil, fmt.Errorf("%s: %w: there is no stdout", r, content.ErrUnsupported)
		case stream && r.Kind == KindDockerArchive:
			return docker.NewStreamTarget(o.Stdout, r.Repository, o.Archive.TempDir), nil
		case stream:
			return archive.NewStreamTarget(o.Stdout, o.Archive.TempDir), nil
		case r.Kind == KindDockerArchive:
			return docker.NewArchiveTarget(r.Path, r.Repository), nil
		}
		return archive.NewTarget(r.Path), nil
	case KindDockerDaemon:
		if r.Digest != "" {
			return nil, fmt.Errorf("%s: %w: an image is loaded under a name, docker-daemon:NAME:TAG", r, content.ErrUnsupported)
		}
		return docker.NewDaemonTarget(o.Docker, r.Repository, o.Archive.TempDir), nil
	}
	return o.Endpoint(ctx, r)
}

// Endpoint opens what r names, to read from it and to write to it: a repository or a
// layout. The error wraps [content.ErrUnsupported] for anything else.
func (o *Opener) Endpoint(ctx context.Context, r Reference) (content.Endpoint, error) {
	switch r.Kind {
	case KindLayout:
		return layout.New(r.Path), nil
	case KindECR:
		return o.ECR(ctx, r)
	case KindRegistry:
		return o.Registry(r)
	}
	return nil, fmt.Errorf("%s: %w: it is neither a repository nor an OCI layout", r, content.ErrUnsupported)
}

// ECR opens a repository of Amazon ECR. All that one Opener opens in one account and
// region share their limits.
func (o *Opener) ECR(ctx context.Context, r Reference) (*ecr.Repository, error) {
	cfg, err := o.config(ctx, r.Registry)
	if err != nil {
		return nil, err
	}
	return o.configured(cfg, r), nil
}

// configured opens a repository with the configuration of the AWS SDK for its registry.
func (o *Opener) configured(cfg aws.Config, r Reference) *ecr.Repository {
	repository := ecr.New(cfg, r.Registry, r.Repository)
	repository.Limits = o.limitsOf(r.Registry)
	if o.Wrap != nil {
		repository.Layers.Transport = o.Wrap(repository.Layers.Transport)
	}
	repository.V2 = &auth.Transport{Tokens: o.tokens(), Registry: r.Registry, Base: repository.Layers.Transport}
	return repository
}

// config returns the configuration of the AWS SDK for a registry.
func (o *Opener) config(ctx context.Context, r auth.Registry) (aws.Config, error) {
	if o.AWS != nil {
		return o.AWS(ctx, r)
	}
	return auth.AWS{Registries: o.Registries}.Config(ctx, r)
}

// Registry opens a repository of any other registry. All that one Opener opens in one registry share their limits.
func (o *Opener) Registry(r Reference) (*registry.Repository, error) {
	others := o.Keychain
	if others == nil {
		others = pathLogins{}
	}
	// At ECR Public our own token comes first.
	credentials := authn.NewMultiKeychain(&keychain.Keychain{Tokens: o.tokens(), Registries: o.Registries}, others)
	host, err := registryname.Host(r.Host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Host, err)
	}
	return registry.New(host, r.Repository, registry.Options{
		Keychain: credentials, Transport: o.transport(), TokenServer: o.TokenServers[host], Limits: o.limitsAt(host),
	})
}

// ForeignLayers returns a reader of the non-distributable layers that are elsewhere.
func (o *Opener) ForeignLayers() content.BlobReader {
	return registry.NewForeignLayers(o.transport())
}

// transport returns a transport for hosts other than those of Amazon ECR.
func (o *Opener) transport() http.RoundTripper {
	t := registry.NewTransport()
	if o.Wrap == nil {
		return t
	}
	return o.Wrap(t)
}

// tokenTimeout is how long a token may take, which is needed in the middle of a transfer: enough for a service that
// stalls three times. The credential helper, for which somebody waits, has less.
const tokenTimeout = time.Minute

func (o *Opener) tokens() *auth.Tokens {
	if o.Tokens != nil {
		return o.Tokens
	}
	return &auth.Tokens{Minter: auth.Minter{AWS: auth.AWS{Registries: o.Registries}, Timeout: tokenTimeout}}
}

// limitsOf returns the limits of a registry: Amazon ECR has quotas for each account and
// region, whatever the host is called.
func (o *Opener) limitsOf(r auth.Registry) *ecr.Limits {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := r.Account + "." + r.Region
	l := o.limits[key]
	if l == nil {
		if o.limits == nil {
			o.limits = map[string]*ecr.Limits{}
		}
		l = ecr.NewSharedLimits(o.Processes)
		o.limits[key] = l
	}
	return l
}

// limitsAt returns the limits of a registry outside Amazon ECR.
func (o *Opener) limitsAt(host string) *registry.Limits {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.others[host]
	if l == nil {
		if o.others == nil {
			o.others = map[string]*registry.Limits{}
		}
		l = registry.NewLimits()
		o.others[host] = l
	}
	return l
}
