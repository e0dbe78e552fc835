package fakeaws

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPrincipals goes every way to credentials that the SDK knows and that leads through a service of
// the world: the token has to name it.
func TestPrincipals(t *testing.T) {
	const (
		base = "ecr.GetAuthorizationToken"
		role = "arn:aws:iam::" + Account + ":role/"
	)
	for name, c := range map[string]struct {
		config string
		env    func(w *World, home string) []string
		want   string
		calls  map[string]int
	}{
		"long-term key": {
			env:  func(w *World, _ string) []string { return w.Principals.User("A").Env() },
			want: "user/A", calls: map[string]int{base: 1},
		},
		"key that the test has invented": {
			env: func(w *World, _ string) []string {
				w.Principals.Add("AKIAINVENTED00000000", "other")
				return []string{"AWS_ACCESS_KEY_ID=AKIAINVENTED00000000", "AWS_SECRET_ACCESS_KEY=x"}
			},
			want: "other", calls: map[string]int{base: 1},
		},
		"environment over profile": {
			config: "[profile x]\nrole_arn = " + role + "X\ncredential_source = Environment\n",
			env: func(w *World, _ string) []string {
				return append(w.Principals.User("A").Env(), "AWS_PROFILE=x")
			},
			want: "user/A", calls: map[string]int{base: 1},
		},
		"role with an external ID": {
			config: "[default]\nrole_arn = " + role + "X\nexternal_id = 1\nsource_profile = a\n[profile a]\nKEYS-OF-A",
			want:   "role/X[ext=1]<user/A", calls: map[string]int{base: 1, "ecr.AssumeRole": 1},
		},
		"two roles": {
			config: "[default]\nrole_arn = " + role + "Y\nsource_profile = x\n[profile x]\nrole_arn = " + role + "X\nsource_profile = a\n[profile a]\nKEYS-OF-A",
			want:   "role/Y<role/X<user/A", calls: map[string]int{base: 1, "ecr.AssumeRole": 2},
		},
		"role of another account": {
			config: "[default]\nrole_arn = arn:aws:iam::999999999999:role/path/X\nsource_profile = a\n[profile a]\nKEYS-OF-A",
			want:   "role/999999999999:path/X<user/A", calls: map[string]int{base: 1, "ecr.AssumeRole": 1},
		},
		"web identity": {
			env: func(_ *World, home string) []string {
				file := &TokenFile{Path: filepath.Join(home, "token"), Claims: Claims{Subject: "sub1"}}
				if _, err := file.Rotate(); err != nil {
					panic(err)
				}
				return []string{"AWS_WEB_IDENTITY_TOKEN_FILE=" + file.Path, "AWS_ROLE_ARN=" + role + "X"}
			},
			want: "webid/X/sub1", calls: map[string]int{base: 1, "ecr.AssumeRoleWithWebIdentity": 1},
		},
		"web identity of another issuer": {
			config: "[default]\nrole_arn = " + role + "X\nweb_identity_token_file = HOME/token\n",
			env: func(_ *World, home string) []string {
				file := &TokenFile{Path: filepath.Join(home, "token"), Claims: Claims{Issuer: "https://ci.example", Subject: "sub1", Array: true}}
				if _, err := file.Rotate(); err != nil {
					panic(err)
				}
				return nil
			},
			want: "webid/X/https://ci.example#sub1", calls: map[string]int{base: 1, "ecr.AssumeRoleWithWebIdentity": 1},
		},
		"SSO session": {
			config: "[default]\nsso_session = corp\nsso_account_id = 1234\nsso_role_name = Admin\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = " + StartURL + "\n",
			env: func(w *World, home string) []string {
				w.Portal.SetUser("user1", Assignment{"1234", "Admin"})
				if _, err := w.Portal.Login(home, Login{User: "user1", Session: "corp"}); err != nil {
					panic(err)
				}
				return nil
			},
			want: "sso/1234/Admin/user1", calls: map[string]int{base: 1, "sso.GetRoleCredentials": 1},
		},
		"legacy SSO and a role": {
			config: "[default]\nrole_arn = " + role + "X\nsource_profile = sso\n[profile sso]\nsso_account_id = 1234\nsso_role_name = Admin\nsso_region = us-east-1\nsso_start_url = " + StartURL + "\n",
			env: func(w *World, home string) []string {
				w.Portal.SetUser("user1", Assignment{"1234", "Admin"})
				if _, err := w.Portal.Login(home, Login{User: "user1"}); err != nil {
					panic(err)
				}
				return nil
			},
			want:  "role/X<sso/1234/Admin/user1",
			calls: map[string]int{base: 1, "sso.GetRoleCredentials": 1, "ecr.AssumeRole": 1},
		},
		"instance": {
			env: func(w *World, _ string) []string {
				w.Metadata.SetRole("node")
				return nil
			},
			want: "imds/node", calls: map[string]int{base: 1, "imds.GetToken": 1, "imds.ListRoles": 1, "imds.GetRoleCredentials": 1},
		},
		"container by URL and authorization": {
			env: func(w *World, _ string) []string {
				w.Container.SetTasks(Task{Principal: "wrong", Path: "/1", Authorization: "b"}, Task{Principal: "task/1", Path: "/1", Authorization: "a"})
				return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + w.Container.URL + "/1", "AWS_CONTAINER_AUTHORIZATION_TOKEN=a"}
			},
			want: "task/1", calls: map[string]int{base: 1, "container.GetCredentials": 1},
		},
		"ECS task": {
			env: func(w *World, _ string) []string {
				w.Container.SetTasks(Task{Principal: "task/1", Path: "/v2/credentials/1"}, Task{Principal: "task/2", Path: "/v2/credentials/2"})
				return []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/2"}
			},
			want: "task/2", calls: map[string]int{base: 1, "container.GetCredentials": 1, "proxy.forwarded": 1},
		},
		"EKS pod": {
			env: func(w *World, home string) []string {
				file := &TokenFile{Path: filepath.Join(home, "token"), Claims: Claims{Subject: "system:serviceaccount:ci:push"}}
				if _, err := file.Rotate(); err != nil {
					panic(err)
				}
				w.Container.SetTasks(Task{Principal: "wrong", Subject: "system:serviceaccount:ci:pull"}, Task{Principal: "pod/ci/push", Subject: "system:serviceaccount:ci:push"})
				return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + file.Path}
			},
			want: "pod/ci/push", calls: map[string]int{base: 1, "container.GetCredentials": 1, "proxy.forwarded": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, home := Start(t, Options{}), t.TempDir()
			text := strings.ReplaceAll(c.config, "KEYS-OF-A", w.Principals.User("A").INI())
			if err := WriteConfig(home, strings.ReplaceAll(text, "HOME", home)); err != nil {
				t.Fatal(err)
			}
			var extra []string
			if c.env != nil {
				extra = c.env(w, home)
			}
			secret, err := run(t, w.Env(home, extra...))
			if err != nil {
				t.Fatal(err, secret)
			}
			if got := Principal(secret); got != c.want {
				t.Errorf("the principal is %q, want %q", got, c.want)
			}
			if got := w.Calls(); !equal(got, c.calls) {
				t.Errorf("the calls are %v, want %v", got, c.calls)
			}
			m := must[Mint](t)(ReadSecret(secret))
			if w.Principals.Of(m.AccessKeyID) != c.want || m.Region != "eu-west-1" || m.Service != "ecr" || m.Serial != 1 {
				t.Errorf("the token says %+v", m)
			}
			for _, kept := range []string{secret, m.AccessKeyID} {
				if !slices.Contains(w.Principals.Secrets(), kept) {
					t.Error("the password or the access key ID is not one of the secrets")
				}
			}
			if w.Connections() == 0 {
				t.Error("no connection was counted")
			}
		})
	}
}

func equal(a, b map[string]int) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func TestEnv(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "/nowhere")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEMACHINE0000")
	w := New(Options{})
	if err := w.Listen(); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	env := w.Env(home, "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_ECR", "NO_PROXY=x")
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_MAX_ATTEMPTS", "AWS_ENDPOINT_URL_ECR":
			t.Errorf("%s is in the environment", name)
		case "NO_PROXY":
			if value != "x" {
				t.Errorf("NO_PROXY is %s", value)
			}
		}
	}
	for _, want := range []string{"HOME=" + home, "AWS_ENDPOINT_URL_STS=" + w.ECR.URL, "AWS_EC2_METADATA_DISABLED=true"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in the environment", want)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	Setenv(t, env)
	if _, err := private(t.Context(), once); err == nil {
		t.Error("there are credentials in an environment that has none")
	}
	if w.Connections() != 0 {
		t.Errorf("%d connections to a world that is over", w.Connections())
	}
}

func TestReset(t *testing.T) {
	w, home := visit(t, Options{})
	Setenv(t, w.Env(home, w.Principals.User("A").Env()...))
	must[string](t)(private(t.Context()))
	if w.ECR.Total() != 1 || w.Connections() != 1 {
		t.Errorf("%d calls, %d connections", w.ECR.Total(), w.Connections())
	}
	w.Reset()
	if len(w.Calls()) != 0 || w.Connections() != 0 {
		t.Errorf("%v, %d connections after Reset", w.Calls(), w.Connections())
	}
	if m := must[Mint](t)(ReadSecret(must[string](t)(private(t.Context())))); m.Serial != 2 {
		t.Errorf("serial number %d after Reset", m.Serial)
	}
}

// TestConcurrent has many callers at once, which is what the counts are for.
func TestConcurrent(t *testing.T) {
	w, home := visit(t, Options{})
	Setenv(t, w.Env(home, w.Principals.User("A").Env()...))
	release := make(chan struct{})
	w.ECR.SetFault("GetAuthorizationToken", Fault{Hold: release})
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if secret, err := private(t.Context()); err != nil || Principal(secret) != "user/A" {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.ECR.Wait(ctx, "GetAuthorizationToken", n); err != nil {
		t.Error(err)
	}
	close(release)
	wg.Wait()
	if w.ECR.Count("GetAuthorizationToken") != n {
		t.Errorf("%v", w.Calls())
	}
}

func TestWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var c Counter
	c.add("x")
	if err := c.Wait(ctx, "x", 1); err != nil {
		t.Error(err)
	}
	if err := c.Wait(ctx, "x", 2); err == nil || !strings.Contains(err.Error(), "1 of 2 calls of x") {
		t.Error(err)
	}
}

func TestProcessJSON(t *testing.T) {
	p := NewPrincipals(nil)
	var out map[string]any
	c := p.Issue("x", time.Hour)
	if err := json.Unmarshal([]byte(c.ProcessJSON()), &out); err != nil || out["Version"] != 1.0 || out["SessionToken"] != c.SessionToken || out["Expiration"] == "" {
		t.Errorf("%v %v", out, err)
	}
	out = nil
	if err := json.Unmarshal([]byte(p.User("A").ProcessJSON()), &out); err != nil || len(out) != 3 {
		t.Errorf("a long-term key: %v %v", out, err)
	}
	if a := p.User("A"); p.User("A") != a || p.User("B") == a {
		t.Error("a user's key changes, or two users share one")
	}
}
