package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
	"github.com/ecrkit/ecrkit/internal/startup"
)

const oidcRoleARN = "arn:aws:iam::123456789012:role/push"

// oidcWorld is GitHub's token service, AWS STS and the ECR API on one server.
type oidcWorld struct {
	mu      sync.Mutex
	calls   []string // what was called, with what identifies the caller
	service []int    // status codes of the token service before it answers
	body    string   // of the token service
}

func newOIDCWorld(t *testing.T) *oidcWorld {
	t.Helper()
	isolate(t)
	w := &oidcWorld{body: `{"value":"canary-jwt"}`}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	for _, key := range []string{OIDCRoleVariable, OIDCTokenVariable, gitHubURLVariable, gitHubTokenVariable, "GITHUB_ACTIONS", "AWS_ROLE_SESSION_NAME"} {
		t.Setenv(key, "")
	}
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("TEST_TOKEN_SERVICE", server.URL+"/token?api-version=2.0")
	return w
}

func (w *oidcWorld) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case r.URL.Path == "/token":
		w.calls = append(w.calls, "token "+r.URL.RawQuery+" "+r.Header.Get("Authorization"))
		if len(w.service) > 0 {
			status := w.service[0]
			w.service = w.service[1:]
			http.Error(out, "canary-answer", status)
			return
		}
		fmt.Fprint(out, w.body)
	case r.Header.Get("X-Amz-Target") == "":
		_ = r.ParseForm()
		w.calls = append(w.calls, strings.Join([]string{"sts", r.PostForm.Get("Action"), r.PostForm.Get("RoleArn"), r.PostForm.Get("RoleSessionName"), r.PostForm.Get("WebIdentityToken")}, " "))
		fmt.Fprintf(out, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIAOIDC</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, r.PostForm.Get("Action"))
	default:
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ := strings.Cut(scope, "/")
		w.calls = append(w.calls, "ecr "+key)
		fmt.Fprintf(out, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, encodeToken(password), time.Now().Add(12*time.Hour).Unix())
	}
}

func (w *oidcWorld) took() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.calls, "\n")
	w.calls = nil
	return all
}

func TestOIDCGitHub(t *testing.T) {
	w := newOIDCWorld(t)
	service := Environment(nil).get("TEST_TOKEN_SERVICE")
	t.Setenv("GITHUB_ACTIONS", "true")
	t.Setenv(OIDCRoleVariable, oidcRoleARN) // wins over the access key of the environment
	t.Setenv(gitHubURLVariable, service)
	t.Setenv(gitHubTokenVariable, "job-1")
	w.service = []int{503}
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
	ask := func() error { _, err := tokens.Token(t.Context(), local); return err }
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	once := func(job string) string {
		return "token api-version=2.0&audience=sts.amazonaws.com Bearer " + job
	}
	rest := "\nsts AssumeRoleWithWebIdentity " + oidcRoleARN + " ecrkit canary-jwt\necr ASIAOIDC"
	if got, want := w.took(), once("job-1")+"\n"+once("job-1")+rest; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := ask(); err != nil || w.took() != "" {
		t.Errorf("the second step: %v", err)
	}
	// Another job on this machine has nothing of it, neither the token nor the shortcut.
	t.Setenv(gitHubTokenVariable, "job-2")
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if got, want := w.took(), once("job-2")+rest; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if startup.Request("h", []string{gitHubTokenVariable + "=1"}) == startup.Request("h", []string{gitHubTokenVariable + "=2"}) {
		t.Error("the shortcut of a host is that of another job")
	}
}

func TestOIDCToken(t *testing.T) {
	w := newOIDCWorld(t)
	t.Setenv(OIDCTokenVariable, jwtSub1+"\n")
	t.Setenv("AWS_ROLE_SESSION_NAME", "pipeline-7")
	// A rule wins over the variable.
	t.Setenv(OIDCRoleVariable, "arn:aws:iam::123456789012:role/other")
	tokens := &Tokens{Minter: Minter{AWS: AWS{Registries: Registries{Rules: []Rule{{Host: "*", OIDCRoleARN: oidcRoleARN}}}}}}
	if _, err := tokens.Token(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	if got, want := w.took(), "sts AssumeRoleWithWebIdentity "+oidcRoleARN+" pipeline-7 "+jwtSub1+"\necr ASIAOIDC"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	plan := func() TokenPlan {
		p, err := tokens.Minter.AWS.Plan(t.Context(), local)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := plan()
	if !first.Source.Stable || first.Source.Kind != KindWebIdentity {
		t.Errorf("credential source %+v", first.Source)
	}
	t.Setenv(OIDCTokenVariable, strings.TrimSuffix(jwtSub1, "x")+"y") // the same claims, signed again
	if plan().Key() != first.Key() {
		t.Error("the same principal has another key")
	}
	t.Setenv(OIDCTokenVariable, jwtSub2)
	if plan().Key() == first.Key() {
		t.Error("two principals have one key")
	}
}

func TestOIDCErrors(t *testing.T) {
	const github = "GITHUB_ACTIONS=true"
	url, secret := gitHubURLVariable+"=", gitHubTokenVariable+"=canary-request"
	for name, tt := range map[string]struct {
		env     []string
		service []int
		body    string
		says    string
		calls   int
	}{
		"no permission":   {[]string{github}, nil, "", "(permissions: id-token: write)", 0},
		"elsewhere":       {nil, nil, "", "ECRKIT_ID_TOKEN is not set", 0},
		"half a key pair": {[]string{github, "AWS_SECRET_ACCESS_KEY="}, nil, "", "id-token: write", 0},
		"no ARN":          {[]string{OIDCRoleVariable + "=push"}, nil, "", `"push" is not the ARN of a role`, 0},
		"expired":         {[]string{OIDCTokenVariable + "=e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImV4cCI6MX0.x"}, nil, "", "ECRKIT_ID_TOKEN expired at 1970-01-01T00:00:01Z", 0},
		"refused":         {[]string{github, url, secret}, []int{403}, "", "answers 403 Forbidden", 1},
		"no token":        {[]string{github, url, secret}, nil, `{"count":1}`, "answers without a token", 1},
		"in plain text":   {[]string{github, url + "http://203.0.113.7/token", secret}, nil, "", "is not the URL of GitHub's token service", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOIDCWorld(t)
			w.service, w.body = tt.service, tt.body
			t.Setenv(OIDCRoleVariable, oidcRoleARN)
			for _, variable := range tt.env {
				key, value, _ := strings.Cut(variable, "=")
				if key == gitHubURLVariable && value == "" {
					value = Environment(nil).get("TEST_TOKEN_SERVICE")
				}
				t.Setenv(key, value)
			}
			_, err := (&Tokens{}).Token(t.Context(), local)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if name != "no ARN" && !errors.Is(err, ErrNoCredentials) {
				t.Errorf("%v is not ErrNoCredentials", err)
			}
			if calls := strings.Count(w.took(), "token "); calls != tt.calls {
				t.Errorf("%d calls", calls)
			}
		})
	}
}
