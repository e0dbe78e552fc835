package keychain_test

import (
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/keychain"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestWithoutTokens shows that nobody has to remember a field.
func TestWithoutTokens(t *testing.T) { // not parallel: the AWS SDK reads the environment
	server, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	server.Setenv(t)
	mapping, err := auth.ParseMapping(server.Registry + "=000000000000.us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	registries := auth.Registries{Mapping: mapping}
	r, err := registries.Parse(server.Registry)
	if err != nil {
		t.Fatal(err)
	}

	repository, err := name.NewRepository(server.Registry + "/app")
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := (&keychain.Keychain{Registries: registries}).Resolve(repository)
	if err != nil {
		t.Fatal(err)
	}
	if config, err := credentials.Authorization(); err != nil || config.Username != auth.Username || config.Password == "" {
		t.Errorf("keychain: %q, %v", config.Username, err)
	}

	helper := &auth.CredentialHelper{Registries: registries}
	if user, secret, err := helper.Get(server.Registry); err != nil || user != auth.Username || secret == "" {
		t.Errorf("helper: %q, %v", user, err)
	}
	if hosts, err := helper.List(); err != nil {
		t.Errorf("helper: %v, %v", hosts, err)
	}

	client := http.Client{Transport: &auth.Transport{Registry: r}}
	response, err := client.Get(server.URL + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("transport: %s", response.Status)
	}
}
