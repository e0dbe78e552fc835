package index

import (
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
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
