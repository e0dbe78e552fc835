package setup

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	local    = "127.0.0.1:4510"
	address  = "http://127.0.0.1:4511"
	remote   = "http://10.0.0.5:4511"
)

func newSetup(t *testing.T, engine Engine, proxy string, fallback bool) *Setup {
	t.Helper()
	return newSetupIn(t, engine, t.TempDir(), proxy, fallback)
}

func newSetupIn(t *testing.T, engine Engine, root, proxy string, fallback bool) *Setup {
	t.Helper()
	s, err := New(engine, proxy)
	if err != nil {
		t.Fatal(err)
	}
	s.Root, s.Fallback = root, fallback
	return s
}

func (s *Setup) write(t *testing.T, path, text string) {
	t.Helper()
	path = s.path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// tree returns all files and directories below the root, by path.
func (s *Setup) tree(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(s.Root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(s.Root, path)
		if d.IsDir() {
			all[filepath.ToSlash(name)+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

const (
	hostsPath   = "etc/containerd/certs.d/" + registry + "/hosts.toml"
	podmanPath  = "etc/containers/registries.conf.d/" + podmanName
	buildPath   = "etc/buildkit/buildkitd.toml"
	daemonPath  = "etc/docker/daemon.json"
	mirrorHosts = "# the mirror of the office\nserver = \"https://" + registry + "\"\nx = [\n  1,\n]\n\n# first\n[host.\"https://mirror.example\"]\n  capabilities = [\"pull\"]   # slow\n  [host.\"https://mirror.example\".header]\n    x-team = [\"a\"]\n"
)

// TestSetAndRemove sets up each engine over each kind of file that may be there, twice and for
// two registries, and removes it again: the files are as they were.
func TestSetAndRemove(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		engine Engine
		proxy  string
		file   string
		texts  []string
	}{
		"containerd": {Containerd, address, hostsPath, []string{
			mirrorHosts, strings.ReplaceAll(mirrorHosts, "\n", "\r\n"), "server = \"https://a.example\"", "# nothing", "[host]\n", "\n\n",
			"[host]\n[host.'https://mirror.example']\n", "v = \"\"\"\n[no table]\n# no comment\n\"\"\"\n[host.\"https://b.example\"]", "capabilities = [\n\"pull\"\n]",
		}},
		"podman": {Podman, address, podmanPath, []string{"# mine\n", "[[registry]]\nprefix = \"a.example\"\nlocation = \"b.example\""}},
		"buildkit": {BuildKit, address, buildPath, []string{
			"debug = true # yes\n", "[registry.\"" + registry + "\"]\n  insecure = false\n[worker.oci]\n  enabled = true",
			"[registry.\"127.0.0.1:4511\"]\n  http = true\r\n", "[worker]\r\nx = 1",
		}},
		"docker": {Docker, remote, daemonPath, []string{
			"{}", "{ }\n", "{\"debug\":true}", "{\n  \"debug\": true,\n\t\"insecure-registries\" : [ ]\n}", "{\n  \"insecure-registries\": [\n    \"a.example\",\n    \"b.example\"\n  ],\n  \"debug\": false\n}\n",
			"{\"insecure-registries\":[]}", "{\"insecure-registries\":[\"10.0.0.5:4511\"]}", "{\n  \"insecure-registries\": [\"a.example\", \"10.0.0.5:4511\"]\n}\n",
		}},
	}
	for name, c := range cases {
		for _, fallback := range []bool{false, true} {
			if c.engine == BuildKit && !fallback {
				continue
			}
			for _, text := range append([]string{"-"}, c.texts...) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := newSetup(t, c.engine, c.proxy, fallback)
					if text != "-" {
						s.write(t, c.file, text)
					}
					before := s.tree(t)
					for range 2 {
						for _, host := range []string{registry, local} {
							if _, err := s.Set(host); err != nil {
								t.Fatalf("over %q: %v", text, err)
							}
							if state, detail, err := s.Check(host); state != ThroughProxy || err != nil {
								t.Errorf("over %q: %s is %q: %s, %v\n%v", text, host, state, detail, err, s.tree(t))
							}
						}
					}
					if hosts, err := s.Hosts(); err != nil || len(hosts) != 2 {
						t.Errorf("set up are %q, %v", hosts, err)
					}
					// The other mode in between leaves no trace either.
					s.Fallback = !fallback
					if _, err := s.Set(registry); err != nil && !errors.Is(err, ErrFallback) {
						t.Fatal(err)
					}
					for _, host := range []string{registry, local} {
						if _, err := s.Remove(host); err != nil {
							t.Fatalf("over %q: %v", text, err)
						}
					}
					if after := s.tree(t); !same(before, after) {
						t.Errorf("over %q: before\n%q, after\n%q", text, before, after)
					}
				})
			}
		}
	}
}

// TestOnlyEndpoint checks that without a fallback no other endpoint is left, and that with one
// those of the user are.
func TestOnlyEndpoint(t *testing.T) {
	t.Parallel()
	for _, fallback := range []bool{false, true} {
		s := newSetup(t, Containerd, address, fallback)
		s.write(t, hostsPath, mirrorHosts)
		if _, err := s.Set(registry); err != nil {
			t.Fatal(err)
		}
		list, err := endpoints([]byte(s.tree(t)[hostsPath]), registry)
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, e := range list {
			if e.pull {
				urls = append(urls, e.url)
			}
		}
		want := address + " " + address
		if fallback {
			want = address + " https://mirror.example https://" + registry
		}
		if got := strings.Join(urls, " "); got != want {
			t.Errorf("fallback %t: the endpoints are %s, want %s", fallback, got, want)
		}
		info, err := os.Stat(s.path(hostsPath))
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("the mode is %v, %v; it was 0640", info.Mode(), err)
		}
	}
}

// TestCheckFinds checks that a setup that is not as wanted is told apart.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	other := "[[registry]]\nprefix = \"" + registry + "\"\nlocation = \"mirror.example\"\n"
	cases := map[string]struct {
		engine Engine
		proxy  string
		set    bool // ours is written, with a fallback
		file   string
		text   string
		want   RegistryAccess
		detail string
	}{
		"nothing, containerd":      {Containerd, address, false, "", "", NotConfigured, "does not exist"},
		"nothing, docker":          {Docker, address, false, "", "", NotConfigured, "does not exist"},
		"nothing, podman":          {Podman, address, false, "", "", NotConfigured, "does not name it"},
		"nothing, buildkit":        {BuildKit, address, false, "", "", NotConfigured, "does not name the proxy"},
		"other mirror":             {Containerd, address, false, hostsPath, mirrorHosts, NotConfigured, "does not name the proxy"},
		"mirror before":            {Containerd, address, false, hostsPath, mirrorHosts + "[host.\"" + address + "\"]\n", Bypassed, "names https://mirror.example before"},
		"server":                   {Containerd, address, true, "", "", Bypassed, "falls back to https://" + registry},
		"broken":                   {Containerd, address, false, hostsPath, "server = ", NotConfigured, "not TOML"},
		"fallback, docker":         {Docker, address, true, "", "", Bypassed, "falls back to https://" + registry},
		"fallback, podman":         {Podman, address, true, "", "", Bypassed, "falls back to " + registry},
		"fallback, buildkit":       {BuildKit, address, true, "", "", Bypassed, "always falls back"},
		"later file":               {Podman, address, true, "etc/containers/registries.conf.d/zzz.conf", other, Bypassed, "zzz.conf names it too"},
		"part of a registry":       {Podman, address, true, "etc/containers/registries.conf", "[[registry]]\nprefix = \"" + registry + "/team\"\nlocation = \"mirror.example\"\n", Bypassed, "sends " + registry + "/team elsewhere"},
		"Kubernetes, containerd 1": {Containerd, address, false, "etc/containerd/config.toml", "version = 2\n[plugins]\n", NotConfigured, "config_path"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, c.engine, c.proxy, c.set)
			if c.set || strings.HasPrefix(name, "Kubernetes") {
				if _, err := s.Set(registry); err != nil {
					t.Fatal(err)
				}
			}
			if c.file != "" {
				s.write(t, c.file, c.text)
			}
			s.Fallback = false
			state, detail, err := s.Check(registry)
			if err != nil || state != c.want || !strings.Contains(detail, c.detail) {
				t.Errorf("%q: %s, %v; want %q with %q", state, detail, err, c.want, c.detail)
			}
		})
	}
	t.Run("docker and a proxy elsewhere", func(t *testing.T) {
		s := newSetup(t, Docker, remote, false)
		if _, err := s.Set(registry); err != nil {
			t.Fatal(err)
		}
		s.write(t, daemonPath, "{}")
		if state, detail, err := s.Check(registry); state != NotConfigured || !strings.Contains(detail, insecureKey) || err != nil {
			t.Errorf("%q: %s, %v", state, detail, err)
		}
	})
}

// TestCheckKubernetes checks whether a config.toml has containerd's CRI plugin read hosts.toml.
func TestCheckKubernetes(t *testing.T) {
	t.Parallel()
	const images, cri = "[plugins.'io.containerd.cri.v1.images'.registry]\n", "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n"
	const set, other = "config_path = \"/etc/containerd/certs.d\"\n", "config_path = \"/opt/certs.d\"\n"
	cases := map[string]struct {
		config, imported string
		want             RegistryAccess
		detail           string
	}{
		"1.x":                    {"version = 2\n" + cri, "", NotConfigured, "does not have"},
		"1.x, set":               {"version = 2\n" + cri + set, "", ThroughProxy, ""},
		"no version":             {"root = \"/a\"\n", "", NotConfigured, criPlugin},
		"2.0 or 2.2":             {"version = 3\n" + images + "config_path = ''\n", "", NotConfigured, "only from containerd 2.2 on"},
		"2.0, empty":             {"version = 3\n", "", NotConfigured, imagesPlugin},
		"2.0, set":               {"version = 3\n" + images + set, "", ThroughProxy, ""},
		"2.0, two directories":   {"version = 3\n" + images + "config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n", "", ThroughProxy, ""},
		"2.0, others":            {"version = 3\n" + images + other, "", NotConfigured, "does not have"},
		"2.0, for another":       {"version = 3\n" + cri + set, "", NotConfigured, imagesPlugin},
		"2.0, disabled":          {"version = 3\ndisabled_plugins = ['io.containerd.cri.v1.images']\n", "", ThroughProxy, ""},
		"2.3":                    {"version = 4\n" + images + "config_path = ''\n", "", ThroughProxy, ""},
		"2.3, others":            {"version = 4\n" + images + other, "", NotConfigured, "does not have"},
		"2.3, mirrors":           {"version = 4\n[plugins.'io.containerd.cri.v1.images'.registry.mirrors.\"a.example\"]\nendpoint = []\n", "", NotConfigured, "does not have"},
		"imported":               {"version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n", "version = 3\n" + images + set, ThroughProxy, ""},
		"imported, beside":       {"version = 2\nimports = ['conf.d/a.toml']\n" + cri, cri + set, ThroughProxy, ""},
		"imported, others":       {"version = 4\nimports = ['/etc/containerd/conf.d/*.toml']\n", images + other, NotConfigured, "does not have"},
		"imported, not TOML":     {"version = 4\nimports = ['/etc/containerd/conf.d/*.toml']\n", "x", NotConfigured, "a.toml is not TOML"},
		"imported, about others": {"version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n" + images + set, "[plugins.'io.containerd.cri.v1.images']\nx = 1\n", ThroughProxy, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, Containerd, address, false)
			if _, err := s.Set(registry); err != nil {
				t.Fatal(err)
			}
			s.write(t, "etc/containerd/config.toml", c.config)
			if c.imported != "" {
				s.write(t, "etc/containerd/conf.d/a.toml", c.imported)
			}
			state, detail, err := s.Check(registry)
			if err != nil || state != c.want || !strings.Contains(detail, c.detail) {
				t.Errorf("%q: %s, %v; want %q with %q", state, detail, err, c.want, c.detail)
			}
		})
	}
}

// TestSetRefuses checks that a file that cannot be added to stays as it is.
func TestSetRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		engine       Engine
		proxy        string
		file, text   string
		wantContains string
	}{
		"not TOML":          {Containerd, address, hostsPath, "server =", "TOML"},
		"cut block":         {Containerd, address, hostsPath, beginMark + registry + "\n", "is missing"},
		"other mirrors":     {BuildKit, address, buildPath, "[registry.\"" + registry + "\"]\nmirrors = [\"a.example\"]\n", "change it by hand"},
		"dotted keys":       {BuildKit, address, buildPath, "registry.\"" + registry + "\".insecure = true\n", "by hand"},
		"inline":            {Containerd, address, hostsPath, "host = {\"https://a.example\" = {}}\n", "TOML"},
		"JSON":              {Docker, remote, daemonPath, "[]", "docker"},
		"comments in JSON":  {Docker, remote, daemonPath, "{ // no\n}", "docker"},
		"twice":             {Docker, remote, daemonPath, "{\"insecure-registries\":[],\"insecure-registries\":[]}", "more than once"},
		"array of a number": {Docker, remote, daemonPath, "{\"insecure-registries\":1}", "docker"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, c.engine, c.proxy, true)
			s.write(t, c.file, c.text)
			before := s.tree(t)
			if _, err := s.Set(registry); err == nil || !strings.Contains(err.Error(), c.wantContains) || !strings.Contains(err.Error(), filepath.Base(c.file)) {
				t.Errorf("the error is %v; want one about %s with %q", err, c.file, c.wantContains)
			}
			if after := s.tree(t); !same(before, after) {
				t.Errorf("the files are %q, they were %q", after, before)
			}
		})
	}
	for engine, path := range map[Engine]string{Containerd: hostsPath, Podman: podmanPath, BuildKit: buildPath} {
		s := newSetup(t, engine, address, true)
		s.write(t, path, beginMark+registry+"\n[registry.\"1234")
		hosts, err := s.Hosts()
		if err != nil || len(hosts) != 1 {
			t.Errorf("%s: of a file that is half written, %q are set up, %v", engine, hosts, err)
		}
		if _, err := s.Remove(registry); err == nil || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("%s: from a file that is half written: %v", engine, err)
		}
	}
	for _, host := range []string{"", "..", "a/b", "[::1]:4510", "a\"b", "a\nb"} {
		if _, err := newSetup(t, Podman, address, false).Set(host); err == nil {
			t.Errorf("the registry %q is written", host)
		}
	}
	for _, proxy := range []string{"", "127.0.0.1:4511", "http://127.0.0.1", "ftp://a:1", "http://a:1/path", "http://u:p@a:1", "http://a\"b:1"} {
		if _, err := New(Podman, proxy); err == nil {
			t.Errorf("the proxy %q is accepted", proxy)
		}
	}
}

// TestRemoveOne removes one of two registries: what the other one needs stays.
func TestRemoveOne(t *testing.T) {
	t.Parallel()
	for engine, proxy := range map[Engine]string{Docker: remote, Podman: address, Containerd: address, BuildKit: address} {
		s := newSetup(t, engine, proxy, true)
		for _, host := range []string{registry, local} {
			if _, err := s.Set(host); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Remove(registry); err != nil {
			t.Fatal(err)
		}
		if state, detail, err := s.Check(local); state != ThroughProxy || err != nil {
			t.Errorf("%s: %q: %s, %v", engine, state, detail, err)
		}
		if state, _, err := s.Check(registry); state != NotConfigured || err != nil {
			t.Errorf("%s: what was removed is %q, %v", engine, state, err)
		}
	}
}

// TestOthersDirectories removes what was set up in directories that are not ours, or have something else: they stay.
func TestOthersDirectories(t *testing.T) {
	t.Parallel()
	for engine, file := range map[Engine]string{Docker: "etc/docker/certs.d/" + registry + "/hosts.toml", Podman: podmanPath, Containerd: hostsPath, BuildKit: buildPath} {
		for _, above := range []int{1, 2, 3} { // of the file is an empty directory
			s := newSetup(t, engine, address, true)
			dir := file
			for range above {
				dir = filepath.Dir(dir)
			}
			if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			before := s.tree(t)
			for _, host := range []string{registry, local} {
				if _, err := s.Set(host); err != nil {
					t.Fatal(err)
				}
			}
			for _, host := range []string{registry, local} {
				if _, err := s.Remove(host); err != nil {
					t.Fatal(err)
				}
			}
			if after := s.tree(t); !same(before, after) {
				t.Errorf("%s in %s: before %q, after %q", engine, dir, before, after)
			}
		}
		s := newSetup(t, engine, address, true)
		if _, err := s.Set(registry); err != nil {
			t.Fatal(err)
		}
		mine := filepath.Dir(file) + "/mine"
		s.write(t, mine, "text")
		if _, err := s.Remove(registry); err != nil {
			t.Fatal(err)
		}
		if s.tree(t)[filepath.ToSlash(mine)] != "text" {
			t.Errorf("%s: %s is gone: %q", engine, mine, s.tree(t))
		}
	}
}

// TestOtherProxy sets up a registry for one proxy and then for another, and removes it without naming either: the
// files are as they were.
func TestOtherProxy(t *testing.T) {
	t.Parallel()
	files := map[Engine]string{Docker: daemonPath, Podman: podmanPath, Containerd: hostsPath, BuildKit: buildPath}
	for engine, file := range files {
		for _, fallback := range []bool{false, true} {
			if engine == BuildKit && !fallback {
				continue
			}
			for _, again := range []string{remote, "http://10.0.0.6:4511", "https://proxy.example:443"} {
				s := newSetup(t, engine, remote, fallback)
				text := "# mine\n"
				if engine == Docker {
					text = "{\"debug\": true}\n"
				}
				s.write(t, file, text)
				before := s.tree(t)
				for _, proxy := range []string{remote, again} {
					s = newSetupIn(t, engine, s.Root, proxy, fallback)
					for _, host := range []string{registry, local} {
						if _, err := s.Set(host); err != nil {
							t.Fatal(err)
						}
						if state, detail, err := s.Check(host); state != ThroughProxy || err != nil {
							t.Errorf("%s by %s: %q: %s, %v", engine, proxy, state, detail, err)
						}
					}
				}
				s = newSetupIn(t, engine, s.Root, address, false)
				hosts, err := s.Hosts()
				if err != nil || len(hosts) != 2 {
					t.Errorf("%s: set up are %q, %v", engine, hosts, err)
				}
				for _, host := range hosts {
					if _, err := s.Remove(host); err != nil {
						t.Fatal(err)
					}
				}
				if after := s.tree(t); !same(before, after) {
					t.Errorf("%s by %s, then %s: before\n%q, after\n%q", engine, remote, again, before, after)
				}
			}
		}
	}
}

// TestRunning checks that a proxy that does not run, something else in its place, and one that
// does not serve a registry are told apart.
func TestRunning(t *testing.T) {
	t.Parallel()
	answer := http.StatusNotFound
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			return
		}
		if r.URL.Query().Get("ns") != registry {
			t.Errorf("the query is %q", r.URL.RawQuery)
		}
		w.WriteHeader(answer)
		_, _ = w.Write([]byte(`{"errors":[{"code":"DENIED","message":"the proxy does not read from there"}]}`))
	}))
	defer server.Close()
	s := newSetup(t, Podman, server.URL, false)
	if err := s.Running(t.Context(), server.Client()); err != nil {
		t.Error(err)
	}
	if err := s.Serves(t.Context(), server.Client(), registry); err != nil {
		t.Error(err)
	}
	answer = http.StatusForbidden
	if err := s.Serves(t.Context(), server.Client(), registry); err == nil || !strings.Contains(err.Error(), "does not read from there") {
		t.Errorf("the error is %v", err)
	}
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	if s := newSetup(t, Podman, elsewhere.URL, false); s.Running(t.Context(), server.Client()) == nil {
		t.Error("another server is taken for the proxy")
	}
	elsewhere.Close()
	if err := newSetup(t, Podman, elsewhere.URL, false).Running(t.Context(), server.Client()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the error is %v", err)
	}
}
