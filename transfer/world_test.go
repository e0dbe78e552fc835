package transfer

import (
	"context"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

const someSHA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// mustCopy copies and fails the test on an error.
func mustCopy(t *testing.T, src content.Source, dst content.Target, opts Options) Result {
	t.Helper()
	result, err := Copy(context.Background(), src, dst, opts)
	fixture.Check(t, err)
	return result
}

// neutralRegistry is a registry by code that is not ours.
type neutralRegistry struct {
	*fixture.NeutralRegistry
	t *testing.T
}

func newNeutralRegistry(t *testing.T, options ...ggcr.Option) *neutralRegistry {
	t.Helper()
	return &neutralRegistry{fixture.NewNeutralRegistry(t, options...), t}
}

func (n *neutralRegistry) repository(name string) *registry.Repository {
	n.t.Helper()
	return openTestRegistry(n.t, n.Host, name, nil)
}

func openTestRegistry(t *testing.T, host, name string, credentials authn.Keychain) *registry.Repository {
	t.Helper()
	transport := registry.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	r, err := registry.New(host, name, registry.Options{Keychain: credentials, Transport: transport})
	fixture.Check(t, err)
	return r
}

// world is a local ECR with the repository "app".
type world struct{ *fixture.World }

func newWorld(t *testing.T, options localecr.Options) *world {
	t.Helper()
	return &world{fixture.NewWorld(t, options)}
}

func (w *world) repository(name string) *ecr.Repository {
	e := ecr.New(w.Config, w.Registry, name)
	e.Limits = &ecr.Limits{} // the local ECR has no quotas unless the test sets some
	return e
}

// v2Repository is a repository whose small blobs go by /v2/.
func (w *world) v2Repository(name string) *ecr.Repository {
	w.T.Helper()
	e := w.repository(name)
	e.V2 = w.V2Transport()
	return e
}

// v2Registry is a repository of the local ECR by its /v2/ alone.
func (w *world) v2Registry(name string) *registry.Repository {
	w.T.Helper()
	token, err := w.V2Transport().Tokens.Token(w.T.Context(), w.Registry)
	fixture.Check(w.T, err)
	return openTestRegistry(w.T, w.Registry.Host, name, fixture.User{Name: auth.Username, Password: token.Secret})
}

// pushLayer pushes an image with one layer of about size bytes as app:x.
func pushLayer(t *testing.T, w *world, size int64) v1.Image {
	t.Helper()
	dir, image := fixture.NewImage(t, size)
	mustCopy(t, layout.New(dir), w.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	w.Calls.Reset()
	return image
}

// getLayer is how the audit log calls a download.
const getLayer = "GET /layers/{digest}"
