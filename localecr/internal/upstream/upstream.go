// Package upstream reads images of the registries behind a pull-through cache, with go-containerregistry: a client that is
// not the one that the local ECR is there to test.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/ecrkit/ecrkit/internal/challenge"
)

// The ways in which an upstream registry refuses. Any other error means that it cannot be reached or does not work.
var (
	ErrNotFound     = errors.New("the upstream registry does not have the image")
	ErrAccessDenied = errors.New("the upstream registry denies access")
	ErrTooMany      = errors.New("the upstream registry has throttled the request")
)

// A Registry is an upstream registry.
type Registry struct {
	Host      string // and port
	Username  string // "" for anonymous access
	Password  string
	Transport http.RoundTripper
}

func (r Registry) auth() authn.Authenticator {
	if r.Username == "" {
		return authn.Anonymous
	}
	return &authn.Basic{Username: r.Username, Password: r.Password}
}

// Get reads the manifest of an image or index, by its tag or digest. Layers are read when they are asked for. The error
// wraps ErrNotFound, ErrAccessDenied or ErrTooMany where it is one of these.
func (r Registry) Get(ctx context.Context, repository, reference string) (*remote.Descriptor, error) {
	repo, err := name.NewRepository(r.Host + "/" + repository)
	if err != nil {
		return nil, err
	}
	var ref name.Reference = repo.Tag(reference)
	if digest, err := name.NewDigest(repo.Name() + "@" + reference); err == nil {
		ref = digest
	}
	// One try: the client of the cache tries again.
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuth(r.auth()), remote.WithTransport(challenge.Transport(r.Transport)), remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Steps: 1}))
	if err != nil {
		return nil, Classify(fmt.Errorf("%s: %w", ref, err))
	}
	return d, nil
}

// Check reports whether the registry can be reached and takes the credentials.
func (r Registry) Check(ctx context.Context) error {
	registry, err := name.NewRegistry(r.Host)
	if err != nil {
		return err
	}
	authenticated, err := transport.NewWithContext(ctx, registry, r.auth(), challenge.Transport(r.Transport), []string{})
	if err != nil {
		return Classify(fmt.Errorf("%s: %w", r.Host, err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, registry.Scheme()+"://"+registry.RegistryStr()+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: authenticated}).Do(req)
	if err != nil {
		return Classify(fmt.Errorf("%s: %w", r.Host, err))
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		err = Classify(fmt.Errorf("%s: %w", r.Host, &transport.Error{StatusCode: resp.StatusCode}))
	}
	return err
}

// Classify wraps the error of this package that says how the registry has refused, if it has.
func Classify(err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrAccessDenied, err)
	case http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", ErrTooMany, err)
	}
	return err
}
