package registry

import (
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// neutralRegistry is a registry by code that is not ours.
type neutralRegistry struct {
	*fixture.NeutralRegistry
	t *testing.T
}

func newNeutralRegistry(t *testing.T, options ...ggcr.Option) *neutralRegistry {
	t.Helper()
	return &neutralRegistry{fixture.NewNeutralRegistry(t, options...), t}
}

func (n *neutralRegistry) repository(name string) *Repository {
	n.t.Helper()
	return openTestRegistry(n.t, n.Host, name, Options{})
}

func openTestRegistry(t *testing.T, host, name string, o Options) *Repository {
	t.Helper()
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	o.Transport = transport
	r, err := New(host, name, o)
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
func (w *world) v2Registry(name string) *Repository {
	w.T.Helper()
	token, err := w.V2Transport().Tokens.Token(w.T.Context(), w.Registry)
	fixture.Check(w.T, err)
	return openTestRegistry(w.T, w.Registry.Host, name, Options{Keychain: fixture.User{Name: auth.Username, Password: token.Secret}})
}
