package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// Where the environment turns the metadata service off the error says so in plain words, and other processes, whose
// environment may not, do not get it from the cache.
func TestMetadataDisabled(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	store := &tokenstore.Store{Dir: t.TempDir()}
	tokens := &Tokens{Store: store}
	_, err := tokens.Token(t.Context(), local)
	const want = "no AWS credentials: no profile, no access key, and AWS_EC2_METADATA_DISABLED turns the instance metadata service off; set AWS_PROFILE"
	if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	plan, err := tokens.Minter.AWS.Plan(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := store.Failure(plan.Key()); ok {
		t.Errorf("%v is remembered", f)
	}
}
