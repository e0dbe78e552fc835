//go:build interop_windows

package wine

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

const (
	ecrkit = "ecrkit"
	helper = "docker-credential-ecrkit"
)

// A site is a local ECR on this system and a user at the Windows machine who is set up for it.
type site struct {
	*user
	server *localecr.Server
	audit  *calls
}

// site starts a local ECR and returns it with a user of it.
func (m *machine) site(t *testing.T, options localecr.Options) *site {
	t.Helper()
	s := &site{audit: &calls{}}
	options.Audit = s.audit
	server, err := localecr.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	s.server, s.user = server, m.user(t, server.Env()...)
	return s
}

// image returns the name of an image at the local ECR.
func (s *site) image(name string) string { return s.server.Registry + "/" + name }

// calls is an audit log.
type calls struct {
	mu   sync.Mutex
	list []localecr.Call
}

func (c *calls) Record(call localecr.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call)
}

// count returns how many calls of an operation have succeeded.
func (c *calls) count(op string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, call := range c.list {
		if call.Op == op && call.Status/100 == 2 {
			n++
		}
	}
	return n
}

// get asks the helper for a password.
func (s *site) get(t *testing.T, input string) string {
	t.Helper()
	var answer struct{ ServerURL, Username, Secret string }
	out := s.typing(input).run(t, helper, "get")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if answer.Username != "AWS" || answer.Secret == "" {
		t.Fatalf("get of %q: %+v", input, answer)
	}
	return answer.Secret
}

func testHelper(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	host := s.server.Registry
	first := s.get(t, host)
	for _, input := range []string{host + "\n", host + "\r\n", "https://" + host + "/\r\n"} {
		if s.get(t, input) != first {
			t.Errorf("get of %q returns another token", input)
		}
	}
	if n := s.audit.count("GetAuthorizationToken"); n != 1 {
		t.Errorf("%d calls for one token", n)
	}
	s.typing(`{"ServerURL":"`+host+`","Username":"AWS","Secret":"x"}`+"\r\n").run(t, helper, "store")
	if list := s.run(t, helper, "list"); list != `{"`+host+`":"AWS"}` {
		t.Errorf("list: %s", list)
	}
	s.typing(host+"\r\n").run(t, helper, "erase")
	if list := s.run(t, helper, "list"); list != "{}" {
		t.Errorf("list after erase: %s", list)
	}
	if cached := s.run(t, ecrkit, "auth", "cache", "ls", "--output", "json"); strings.Contains(cached, "GetAuthorizationToken") || s.get(t, host) == first {
		t.Errorf("erase has left the token: %s", cached)
	}
	s.typing("ghcr.io\r\n").refusedGet(t)

	// docker.exe finds the helper by the name that setup writes: docker's own code does so here.
	s.run(t, ecrkit, "auth", "setup", host)
	if config := s.read(t, `docker\config.json`); !strings.Contains(config, `"`+host+`": "ecrkit"`) {
		t.Errorf("setup wrote %s", config)
	}
	s.run(t, ecrkit, "auth", "setup", "--check", host)
	if got := s.run(t, "client", "login", host); got != "AWS true" {
		t.Errorf("docker's code has the login %q", got)
	}
}

// refusedGet asks for the password of a host outside Amazon ECR. docker knows this answer, on stdout.
func (u *user) refusedGet(t *testing.T) {
	t.Helper()
	stdout, _, code := u.execute(t, helper, "get")
	if strings.TrimSpace(stdout) != "credentials not found in native keychain" || code != 1 {
		t.Errorf("get of another registry: exit code %d, %q", code, stdout)
	}
}

// testParallel has 16 processes ask for one token.
func testParallel(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	tokens := make([]string, 16)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() { tokens[i] = s.get(t, s.server.Registry) })
	}
	group.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Error("two processes have different tokens")
		}
	}
	if n := s.audit.count("GetAuthorizationToken"); n != 1 {
		t.Errorf("%d calls for one token", n)
	}
}

// testPlaces uses the profile of Windows, and files as Notepad writes them.
func testPlaces(t *testing.T, m *machine) {
	s := m.site(t, localecr.Options{})
	host := s.server.Registry
	var environ []string
	for _, variable := range s.environ {
		name, _, _ := strings.Cut(variable, "=")
		if name != "ECRKIT_CACHE_DIR" && name != "ECRKIT_STATE_DIR" && name != "DOCKER_CONFIG" && name != "ECRKIT_REGISTRIES" {
			environ = append(environ, variable)
		}
	}
	s.environ = environ
	s.write(t, profile+`\AppData\Roaming\ecrkit\config.yaml`, "registries:\r\n  - host: "+host+"\r\n    registry_id: \"000000000000\"\r\n    region: us-east-1\r\n")
	s.write(t, profile+`\.docker\config.json`, "{\r\n\t\"auths\": {},\r\n\t\"credsStore\": \"desktop\"\r\n}\r\n")
	s.run(t, ecrkit, "auth", "setup", host)
	want := "{\r\n\t\"auths\": {},\r\n\t\"credsStore\": \"desktop\",\r\n\t\"credHelpers\": {\r\n\t\t\"" + host + "\": \"ecrkit\"\r\n\t}\r\n}\r\n"
	if got := s.read(t, profile+`\.docker\config.json`); got != want {
		t.Errorf("setup wrote %q, want %q", got, want)
	}
	s.get(t, host)
	s.run(t, ecrkit, "push", s.dockerArchive(t), s.image("app:1"), "--create-repository")
	for _, pattern := range []string{`AppData\Local\ecrkit\v1\*.token`, `AppData\Local\ecrkit\state\pushed\*`} {
		if found, err := filepath.Glob(s.file(profile + `\` + pattern)); err != nil || len(found) == 0 {
			t.Errorf("no file %s in the profile: %v", pattern, err)
		}
	}
	explained := s.run(t, ecrkit, "auth", "explain", host)
	for _, want := range []string{`cache     ` + profile + `\AppData\Local\ecrkit`, `rule      ` + host} {
		if !strings.Contains(explained, want) {
			t.Errorf("explain does not mention %s:\n%s", want, explained)
		}
	}
	if left, _ := filepath.Glob(s.file(`.*`)); len(left) > 0 {
		t.Errorf("files in the working directory: %q", left)
	}
}
