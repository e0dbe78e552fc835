package credentials

import (
	"net/http"
	"testing"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

func TestMayReadMetadata(t *testing.T) {
	t.Parallel()
	published := []identity.Account{{Users: []identity.User{{AccessKeyID: "AKIA0", SecretAccessKey: "published"}}}}
	own := []identity.Account{{Users: []identity.User{{AccessKeyID: "AKIA0", SecretAccessKey: "of-its-own"}}}}
	for _, c := range []struct {
		accounts []identity.Account
		client   string
		want     bool
	}{
		{published, "127.0.0.1:5", true},
		{published, "192.0.2.1:5", true},
		{own, "127.0.0.1:5", true},
		{own, "[::1]:5", true},
		{own, "[::ffff:127.0.0.1]:5", true},
		{own, "192.0.2.1:5", false},
		{own, "", false},
	} {
		e := &Endpoints{Accounts: func() []identity.Account { return c.accounts }, Published: published[0].Users[0]}
		if got := e.mayReadMetadata(&http.Request{RemoteAddr: c.client}); got != c.want {
			t.Errorf("client %q, secret %q: %v, want %v", c.client, c.accounts[0].Users[0].SecretAccessKey, got, c.want)
		}
	}
}
