package keychain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/keychain"
)

// fixed is a TokenSource that needs no AWS.
type fixed struct{ err error }

func (f fixed) Token(context.Context, auth.Registry) (auth.Token, error) {
	return auth.Token{Secret: "password"}, f.err
}

func TestKeychain(t *testing.T) {
	const ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1"
	resolve := func(source auth.TokenSource, image string) (authn.Authenticator, error) {
		ref, err := name.ParseReference(image)
		if err != nil {
			t.Fatal(err)
		}
		return (&keychain.Keychain{Tokens: source}).Resolve(ref.Context())
	}
	a, err := resolve(fixed{}, ecr)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := a.Authorization(); err != nil || c.Username != "AWS" || c.Password != "password" {
		t.Errorf("got %v", err)
	}
	cause := errors.New("the cause")
	for _, image := range []string{"alpine", "public.ecr.aws/docker/library/alpine"} {
		if a, err := resolve(fixed{cause}, image); a != authn.Anonymous || err != nil {
			t.Errorf("%s: %v, %v", image, a, err)
		}
	}
	if _, err := resolve(fixed{cause}, ecr); !errors.Is(err, cause) {
		t.Errorf("failure: %v", err)
	}
}
