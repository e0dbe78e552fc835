package cli

import (
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/ecrkit/ecrkit/auth/keychain"
	"github.com/ecrkit/ecrkit/transfer/ref"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// openRegistry opens a repository of a registry that is not a private one of Amazon
// ECR. Credentials are those of the docker configuration; at ECR Public ours come
// first.
func (app *App) openRegistry(r ref.Reference) (*registry.Repository, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	tokens, err := app.tokens()
	if err != nil {
		return nil, err
	}
	var transport http.RoundTripper = registry.NewTransport()
	if app.Verbose {
		transport = app.logRequests(transport)
	}
	credentials := authn.NewMultiKeychain(&keychain.Keychain{Tokens: tokens, Registries: config.Registries}, authn.DefaultKeychain)
	return registry.New(r.Host, r.Repository, credentials, transport)
}
