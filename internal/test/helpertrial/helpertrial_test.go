//go:build unix

package helpertrial

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
)

// The programs, which the first test builds.
var (
	helper, companion string
	built             = sync.OnceValue(func() error {
		return binaries.Build(filepath.Dir(helper), "cmd/docker-credential-ecrkit", "cmd/ecrkit")
	})
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ecrkit-helper")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		helper = filepath.Join(dir, "docker-credential-ecrkit")
		companion = filepath.Join(dir, "ecrkit")
		return m.Run()
	}())
}

func start(t *testing.T) *Trial {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
	trial, err := New(helper, t.TempDir(), fakeaws.Start(t, fakeaws.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

func get(t *testing.T, trial *Trial, host string, extra ...string) Answer {
	t.Helper()
	a, err := trial.Get(host, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantCalls(t *testing.T, trial *Trial, minted, assumed int) {
	t.Helper()
	if trial.Minted() != minted || trial.Assumed() != assumed {
		t.Errorf("%d calls for a token and %d of STS, want %d and %d: %v", trial.Minted(), trial.Assumed(), minted, assumed, trial.World.Calls())
	}
}

func TestColdTogether(t *testing.T) {
	t.Parallel()
	coldTogether(t, 16)
}

// R2: many processes that need the same token make one call.
func coldTogether(t *testing.T, processes int) {
	trial := start(t)
	keys := trial.World.Principals.User("A").Env()
	trial.World.ECR.SetFault("GetAuthorizationToken", fakeaws.Fault{Latency: 300 * time.Millisecond})
	answers, err := trial.Together(processes, Host, func(int) []string { return keys })
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Secret != answers[0].Secret {
			t.Error("another secret")
		}
	}
	wantCalls(t, trial, 1, 0)
}

func TestColdApart(t *testing.T) {
	t.Parallel()
	coldApart(t, 16)
}

// R3: many principals at once lose no token of each other's.
func coldApart(t *testing.T, principals int) {
	trial := start(t)
	keys := func(i int) []string { return trial.World.Principals.User(fmt.Sprintf("U%d", i)).Env() }
	for range 2 { // the second time all are there
		answers, err := trial.Together(principals, Host, keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if want := fmt.Sprintf("user/U%d", i); a.Principal() != want {
				t.Errorf("got the token of %s for %s", a.Principal(), want)
			}
		}
	}
	wantCalls(t, trial, principals, 0)
}

// R1, R4, R5: a role, a web identity and SSO cost their calls once.
func TestWarm(t *testing.T) {
	t.Parallel()
	trial := start(t)
	identities, err := trial.Identities()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range identities {
		t.Run(id.Principal, func(t *testing.T) {
			first := get(t, trial, Host, id.Env...)
			if first.Principal() != id.Principal || first.Stderr != "" {
				t.Fatalf("got the token of %s, stderr %q", first.Principal(), first.Stderr)
			}
			trial.World.Reset()
			for i := range 3 {
				host := fmt.Sprintf("%012d.dkr.ecr.us-east-1.amazonaws.com", i)
				if a := get(t, trial, host, id.Env...); a.Secret != first.Secret {
					t.Errorf("another token for %s", host)
				}
			}
			wantCalls(t, trial, 0, 0)
			if n := trial.World.Connections(); n != 0 && !id.Asked {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestRotatingWebIdentity(t *testing.T) {
	t.Parallel()
	rotatingWebIdentity(t, 10)
}

// R5: a web identity's file that is written again by the same subject costs no call.
func rotatingWebIdentity(t *testing.T, times int) {
	trial := start(t)
	file := fakeaws.TokenFile{Path: filepath.Join(trial.Home, "jwt"), Claims: fakeaws.Claims{Subject: "repo:x"}}
	for range times {
		if _, err := file.Rotate(); err != nil {
			t.Fatal(err)
		}
		get(t, trial, Host, "AWS_WEB_IDENTITY_TOKEN_FILE="+file.Path, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X")
	}
	wantCalls(t, trial, 1, 1)
}

func TestIsolation(t *testing.T) {
	t.Parallel()
	isolation(t, 150)
}

// R9: whoever asks, in whatever order, gets no token of another.
func isolation(t *testing.T, gets int) {
	trial := start(t)
	identities, err := trial.Identities()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	users := []string{"user1", "user2"}
	user := users[0]
	for i := range gets {
		if i%25 == 24 { // logout, and the other one logs in
			if err := trial.World.Portal.Logout(trial.Home); err != nil {
				t.Fatal(err)
			}
			user = users[random.IntN(2)]
			if err := trial.LogIn(user); err != nil {
				t.Fatal(err)
			}
		}
		id := identities[random.IntN(len(identities))]
		want := strings.Replace(id.Principal, "user1", user, 1)
		if got := get(t, trial, Host, id.Env...).Principal(); got != want {
			t.Fatalf("seed %d, get %d: the token of %s was given to %s", seed, i, got, want)
		}
	}
	t.Logf("%d gets of %d principals made %d calls for tokens", gets, len(identities)+2, trial.Minted())
}

// R10: what changes the principal changes the token.
func TestChangeOfPrincipal(t *testing.T) {
	t.Parallel()
	trial := start(t)
	if _, err := trial.Identities(); err != nil {
		t.Fatal(err)
	}
	get(t, trial, Host, "AWS_PROFILE=sso-admin")
	if err := trial.World.Portal.Logout(trial.Home); err != nil {
		t.Fatal(err)
	}
	a, err := trial.Run("get", Host, "AWS_PROFILE=sso-admin")
	if err != nil || a.Code != 1 || !strings.Contains(a.Stdout, "run `aws sso login --profile sso-admin`") || strings.Count(a.Stdout, "\n") != 1 {
		t.Errorf("after logout: %+v, %v", a, err)
	}
	key := trial.World.Principals.User("A")
	for _, role := range []string{"X", "Y"} {
		if err := fakeaws.WriteConfig(trial.Home, "[profile a]\n"+key.INI()+"\n[profile r]\nsource_profile = a\nrole_arn = arn:aws:iam::123456789012:role/"+role+"\n"); err != nil {
			t.Fatal(err)
		}
		if got := get(t, trial, Host, "AWS_PROFILE=r").Principal(); got != "role/"+role+"<user/A" {
			t.Errorf("role %s: the token of %s", role, got)
		}
	}
}

// R14, R15: between half of its life and its end a token is renewed, or used if
// the renewal fails in passing; what AWS refuses is refused; what has ended is over.
func TestRenewal(t *testing.T) {
	t.Parallel()
	denied := fakeaws.Fault{Status: 400, Code: "AccessDeniedException", Message: "no"}
	down := fakeaws.Fault{Status: 500, Code: "ServerException", Message: "oops"}
	tests := []struct {
		name   string
		age    time.Duration
		fault  fakeaws.Fault
		code   int
		same   bool
		stderr string
	}{
		{"before half", 5 * time.Hour, denied, 0, true, ""},
		{"after half", 7 * time.Hour, fakeaws.Fault{}, 0, false, ""},
		{"after half, refused", 7 * time.Hour, denied, 1, false, ""},
		{"after half, down", 7 * time.Hour, down, 0, true, "could not be renewed and is good until"},
		{"after half, garbage", 7 * time.Hour, fakeaws.Fault{Hang: true}, 0, true, "could not be renewed"},
		{"half a minute left", 12*time.Hour - 30*time.Second, down, 1, false, ""},
		{"ended", 13 * time.Hour, down, 1, false, ""},
		{"ended, renewed", 13 * time.Hour, fakeaws.Fault{}, 0, false, ""},
		{"from the future", -time.Hour, fakeaws.Fault{}, 0, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trial := start(t)
			env := trial.World.Principals.User("A").Env()
			first := get(t, trial, Host, env...)
			if err := trial.Age(tt.age); err != nil {
				t.Fatal(err)
			}
			trial.World.ECR.SetFault("GetAuthorizationToken", tt.fault)
			a, err := trial.Run("get", Host, env...)
			if err != nil || a.Code != tt.code || (a.Secret == first.Secret) != tt.same || !strings.Contains(a.Stderr, tt.stderr) || tt.stderr == "" && a.Code == 0 && a.Stderr != "" {
				t.Errorf("got code %d, same token %v, stdout %.200q, stderr %q, %v", a.Code, a.Secret == first.Secret, a.Stdout, a.Stderr, err)
			}
		})
	}
}

// R22: what AWS refuses is not asked by everybody again.
func TestRefusedTogether(t *testing.T) {
	t.Parallel()
	trial := start(t)
	env := trial.World.Principals.User("A").Env()
	trial.World.ECR.SetFault("GetAuthorizationToken", fakeaws.Fault{Latency: 100 * time.Millisecond, Status: 400, Code: "AccessDeniedException", Message: "no"})
	if _, err := trial.Together(32, Host, func(int) []string { return env }); err == nil {
		t.Error("no error")
	}
	if n := trial.Minted(); n > 2 {
		t.Errorf("%d calls", n)
	}
}

// R21: without credentials and with an instance metadata service that is silent
// it ends, and the next time it knows.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	trial := start(t)
	endpoint := "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + trial.World.BlackHole.URL
	for range 2 {
		a, err := trial.Run("get", Host, endpoint)
		if err != nil || a.Code != 1 || !strings.Contains(a.Stdout, "no AWS credentials") || !strings.Contains(a.Stdout, "set AWS_PROFILE") {
			t.Fatalf("%+v, %v", a, err)
		}
		trial.World.BlackHole.Reset()
	}
	if _, err := trial.Run("get", Host, endpoint); err != nil || trial.World.BlackHole.Total() != 0 {
		t.Errorf("%d more attempts, %v", trial.World.BlackHole.Total(), err)
	}
	if a, err := trial.Run("list", "", endpoint); err != nil || a.Stdout != "{}\n" || trial.World.BlackHole.Total() != 0 {
		t.Errorf("list: %+v, %v", a, err)
	}
}

// R26: ECR Public can be read without a token.
func TestPublic(t *testing.T) {
	t.Parallel()
	trial := start(t)
	env := trial.World.Principals.User("A").Env()
	for _, host := range []string{"public.ecr.aws", "ecr-public.aws.com", "https://public.ecr.aws/v2/"} {
		if got := get(t, trial, host, env...).Principal(); got != "user/A" {
			t.Errorf("%s: %s", host, got)
		}
	}
	trial.World.Public.SetFault("GetAuthorizationToken", fakeaws.Fault{Status: 400, Code: "AccessDeniedException", Message: "no"})
	a, err := trial.Run("get", "public.ecr.aws", trial.World.Principals.User("B").Env()...)
	if err != nil || a.Code != 1 || a.Stdout != "credentials not found in native keychain\n" || !strings.Contains(a.Stderr, "AccessDeniedException") {
		t.Errorf("%+v, %v", a, err)
	}
}

// R17: whatever is in the place of a token, the helper gets a new one.
func TestCorruption(t *testing.T) {
	t.Parallel()
	trial := start(t)
	env := trial.World.Principals.User("A").Env()
	get(t, trial, Host, env...)
	files, err := trial.CacheFiles()
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	corpus := []string{"", "null", "{}", "[]", `""`, "0", "{", "nul", `{"version":1}`, `{"version":2,"secret":"x"}`, `{"version":"1"}`, `{"secret":null,"version":1}`,
		`{"version":1,"secret":"x","issued_at":"yesterday"}`, `{"version":1,"secret":"x","issued_at":"2020-01-01T00:00:00Z"}`, `{"version":1,"sealed":"AAAA"}`,
		`{"Registries":null,"Version":"1.0"}`, string(good) + "x", string(good) + string(good), "\x00" + string(good), "\xff\xfe", strings.Repeat("[", 5000),
		strings.Repeat(" ", 1<<20), "ecrkit token 1\n", "ecrkit token 1", "ecrkit token 2\n", "ecrkit token 3\n", "ecrkit encrypted token 2\ntoken AAAA\n", strings.Repeat("\n", 500),
		strings.Replace(string(good), "token 2", "token 1", 1), strings.Replace(string(good), "token 2", "token 3", 1), strings.Replace(string(good), "\nservice", "\nnew 1\nservice", 1),
		strings.Replace(string(good), "\nsecret ", "\nsecret", 1), strings.Replace(string(good), "\nexpires ", "\nexpires tomorrow", 1), strings.TrimSuffix(string(good), "\n")}
	for i := 0; i < len(good); i += 97 {
		corpus = append(corpus, string(good[:i]))
	}
	for _, text := range corpus {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := trial.Minted()
		if a := get(t, trial, Host, env...); a.Stderr != "" || trial.Minted() != before+1 {
			t.Errorf("%.60q: %d calls, stderr %q", text, trial.Minted()-before, a.Stderr)
		}
		before = trial.Minted()
		if get(t, trial, Host, env...); trial.Minted() != before {
			t.Errorf("%.60q: not healed", text)
		}
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(files[0], "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	get(t, trial, Host, env...)
	before := trial.Minted()
	if get(t, trial, Host, env...); trial.Minted() != before {
		t.Error("a directory in the way: not healed")
	}
}

// R31: the host that is really called, from the log of a proxy.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	const account = "123456789012"
	tests := []struct {
		host, want string
		env        []string
	}{
		{".dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com", nil},
		{".dkr.ecr-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com|ecr-fips.us-east-1.amazonaws.com", nil},
		{".dkr-ecr.us-east-1.on.aws", "ecr.us-east-1.api.aws", nil},
		{".dkr-ecr-fips.us-east-1.on.aws", "ecr-fips.us-east-1.api.aws", nil},
		{".dkr.ecr.us-east-1.vpce.amazonaws.com", "api.ecr.us-east-1.amazonaws.com", nil},
		{".dkr.ecr.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com", nil},
		{".dkr.ecr-fips.us-gov-west-1.amazonaws.com", "api.ecr-fips.us-gov-west-1.amazonaws.com|ecr-fips.us-gov-west-1.amazonaws.com", nil},
		{".dkr-ecr-fips.us-gov-west-1.on.aws", "ecr-fips.us-gov-west-1.api.aws", nil},
		{".dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn", nil},
		{".dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "ecr.cn-north-1.api.amazonwebservices.com.cn", nil},
		{".dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu", nil},
		{".dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu", "ecr.eusc-de-east-1.api.amazonwebservices.eu", nil},
		{".dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov", nil},
		{".dkr.ecr-fips.us-iso-east-1.c2s.ic.gov", "api.ecr-fips.us-iso-east-1.c2s.ic.gov", nil},
		{".dkr-ecr.us-iso-east-1.on.aws.ic.gov", "ecr.us-iso-east-1.api.aws.ic.gov", nil},
		{".dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "api.ecr.us-isob-east-1.sc2s.sgov.gov", nil},
		{".dkr-ecr.us-isob-east-1.on.aws.scloud", "ecr.us-isob-east-1.api.aws.scloud", nil},
		{".dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "api.ecr.eu-isoe-west-1.cloud.adc-e.uk", nil},
		{".dkr-ecr.eu-isoe-west-1.on.cloud-aws.adc-e.uk", "ecr.eu-isoe-west-1.api.cloud-aws.adc-e.uk", nil},
		{".dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "api.ecr.us-isof-south-1.csp.hci.ic.gov", nil},
		{".dkr-ecr.us-isof-south-1.on.aws.hci.ic.gov", "ecr.us-isof-south-1.api.aws.hci.ic.gov", nil},
		{".dkr.ecr.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com|ecr-fips.us-east-1.amazonaws.com", []string{"AWS_USE_FIPS_ENDPOINT=true"}},
		{".dkr.ecr.us-east-1.amazonaws.com", "ecr.us-east-1.api.aws", []string{"AWS_USE_DUALSTACK_ENDPOINT=true"}},
		{".dkr-ecr-fips.us-east-1.on.aws", "vpce.example.com", []string{"AWS_ENDPOINT_URL_ECR=https://vpce.example.com"}},
		{"public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", nil},
		{"ecr-public.aws.com", "ecr-public.us-east-1.api.aws", nil},
		{"public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", []string{"AWS_USE_FIPS_ENDPOINT=true"}},
	}
	trial := start(t)
	keys := trial.World.Principals.User("A").Env()
	for _, tt := range tests {
		host := tt.host
		if strings.HasPrefix(host, ".") {
			host = account + host
		}
		t.Run(host+" "+strings.Join(tt.env, ""), func(t *testing.T) {
			trial.World.Proxy.Reset()
			env := append([]string{"AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR_PUBLIC", "AWS_MAX_ATTEMPTS=1", "ECRKIT_CACHE_DIR=" + t.TempDir()}, keys...)
			if _, err := trial.Run("get", host, append(env, tt.env...)...); err != nil {
				t.Fatal(err)
			}
			connects := trial.World.Proxy.Connects()
			if len(connects) != 1 || !strings.Contains("|"+tt.want+"|", "|"+strings.TrimSuffix(connects[0], ":443")+"|") {
				t.Errorf("called %v, want %s", connects, tt.want)
			}
		})
	}
}

// R24: a host of somebody else costs nothing and leaves nothing.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	trial := start(t)
	a, err := trial.Run("get", "https://index.docker.io/v1/")
	if err != nil || a.Code != 1 || a.Stdout != "credentials not found in native keychain\n" || a.Stderr != "" || trial.World.Connections() != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	if left, err := os.ReadDir(trial.Home); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
