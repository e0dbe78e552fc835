package localecr

import (
	"net/http"
	"testing"
)

func TestMayReadMetadata(t *testing.T) {
	t.Parallel()
	own := DefaultAccounts()
	own[0].Users[0].SecretAccessKey = "of-its-own"
	for _, c := range []struct {
		accounts []Account
		client   string
		want     bool
	}{
		{DefaultAccounts(), "127.0.0.1:5", true},
		{DefaultAccounts(), "192.0.2.1:5", true},
		{own, "127.0.0.1:5", true},
		{own, "[::1]:5", true},
		{own, "[::ffff:127.0.0.1]:5", true},
		{own, "192.0.2.1:5", false},
		{own, "", false},
	} {
		s := &Server{}
		s.callers.Store(&callers{accounts: c.accounts})
		if got := s.mayReadMetadata(&http.Request{RemoteAddr: c.client}); got != c.want {
			t.Errorf("client %q, secret %q: %v, want %v", c.client, c.accounts[0].Users[0].SecretAccessKey, got, c.want)
		}
	}
}
