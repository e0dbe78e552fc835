package localecr

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// TestEveryCallNeedsPermission has a user without any permission meet a refusal of each operation, and one who may only log
// in of each route of /v2/.
func TestEveryCallNeedsPermission(t *testing.T) {
	t.Parallel()
	nobody := User{Name: "nobody", AccessKeyID: "AKIANOBODY0000000000", SecretAccessKey: "s", Policies: []Policy{}}
	guest := User{Name: "guest", AccessKeyID: "AKIAGUEST00000000000", SecretAccessKey: "s", Policies: []Policy{`{"Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}`}}
	srv, err := New(Options{Accounts: []Account{{ID: "000000000000", Users: []User{nobody, guest}}}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	for op, snap := range snapshots(t, "request_snapshot", ".request.snap", 62) {
		body := bodyOf(snap)
		for _, body := range []string{string(body), strings.ReplaceAll(string(body), "__RegistryId__", "000000000000")} {
			status, doc := sendSigned(t, srv, nobody, op, []byte(body))
			if text, _ := doc["message"].(string); status != 400 || doc["__type"] != codeAccessDenied || !strings.Contains(text, ":user/nobody is not authorized to perform: ecr:"+op+" on resource: ") {
				t.Errorf("%s: %d %v for %s", op, status, doc, body)
			}
		}
	}
	caller, _, err := srv.identities().Resolve(guest.AccessKeyID, "")
	if err != nil {
		t.Fatal(err)
	}
	token, _ := srv.identities().IssueToken(caller, DefaultRegion, srv.clock.Now())
	replace := strings.NewReplacer("{name}", "app", "{reference}", "1.0", "{digest}", registry.Digest(nil), "{uuid}", "none")
	for route, h := range v2Handlers {
		method, path, _ := strings.Cut(route, " ")
		req, err := http.NewRequest(method, srv.URL+replace.Replace(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if want := h.action != ""; (resp.StatusCode == http.StatusForbidden) != want || want == strings.HasSuffix(route, " "+routePing) {
			t.Errorf("%s: %d", route, resp.StatusCode)
		}
	}
}
