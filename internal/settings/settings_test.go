package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"

	"github.com/ecrkit/ecrkit/internal/startup"
)

func environment(variables ...string) startup.Environment { return startup.EnvironmentOf(variables) }

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := `registries:
  - {host: registry.example.com, registry_id: "012345678901", region: eu-west-1, role_arn: "arn:aws:iam::1:role/x", external_id: e, endpoint: "https://e", cache_identity: ci}
  - {host: "*", profile: p, ignore_environment: true, disabled: true}
fallback: desktop
cache: {dir: /from/file, keychain: pass}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(environment("ECRKIT_CONFIG="+path, "HOME=/home/me"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Registries.Rules) != 2 || s.Registries.Rules[0].RegistryID != "012345678901" || s.Fallback != "desktop" || s.Keychain != "pass" || s.CacheDir != "/from/file" {
		t.Errorf("%+v", s)
	}
	for variable, want := range map[string]string{"ECRKIT_CACHE_DIR=/a": "/a", "AWS_ECR_CACHE_DIR=~/b": filepath.Join("/home/me", "b"), "AWS_ECR_DISABLE_CACHE=false": ""} {
		if s, err := Load(environment("ECRKIT_CONFIG="+path, "HOME=/home/me", variable)); err != nil || s.CacheDir != want || (s.NoCache != "") != (want == "") {
			t.Errorf("%s: %q, %q, %v", variable, s.CacheDir, s.NoCache, err)
		}
	}
}

// Any value turns the cache off, as in Amazon's own helper; one that looks like "no" is shown.
// PowerShell 5 writes UTF-16.
func TestLoadEncodings(t *testing.T) {
	for name, as := range map[string]encoding.Encoding{
		"UTF-8 with a mark":  unicode.UTF8BOM,
		"UTF-16":             unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
		"UTF-16, big endian": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	} {
		text, err := as.NewEncoder().String("fallback: desktop\r\ncache: {dir: /für/alle}\r\n")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "config.yaml")
		writeFile(t, path, text)
		if s, err := Load(environment("ECRKIT_CONFIG=" + path)); err != nil || s.Fallback != "desktop" || s.CacheDir != "/für/alle" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestDisableCache(t *testing.T) {
	for value, want := range map[string]string{
		"1": "AWS_ECR_DISABLE_CACHE is set", "true": "AWS_ECR_DISABLE_CACHE is set",
		"false": `AWS_ECR_DISABLE_CACHE is set to "false": any value turns the cache off`,
		"maybe": `AWS_ECR_DISABLE_CACHE is set to "maybe": any value turns the cache off`,
	} {
		s, err := Load(environment("HOME=/home/me", "AWS_ECR_DISABLE_CACHE="+value))
		if err != nil || s.CacheDir != "" || s.NoCache != want {
			t.Errorf("%s: %q, %q, %v", value, s.CacheDir, s.NoCache, err)
		}
	}
}

func TestPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	beside := filepath.Join(filepath.Dir(path), "policy.yaml")
	for text, want := range map[string]string{
		"":                           "",
		"policy: policy.yaml\n":      beside,
		"policy: ~/p.yaml\n":         filepath.Join("/home/me", "p.yaml"),
		"policy: /etc/policy.yaml\n": "/etc/policy.yaml",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for variable, want := range map[string]string{"X=": want, "ECRKIT_POLICY=": want, "ECRKIT_POLICY=~/mine.yaml": filepath.Join("/home/me", "mine.yaml"), "ECRKIT_POLICY=here.yaml": "here.yaml"} {
			if s, err := Load(environment("ECRKIT_CONFIG="+path, "HOME=/home/me", variable)); err != nil || s.Policy != want {
				t.Errorf("%q, %s: %q, %v", text, variable, s.Policy, err)
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"registries:\n  - host: x\n    profil: y\n":               "profil",
		"registries:\n  - profile: y\n":                           "rule 1: a rule without a host",
		"registries:\n  - {host: x, registry_id: 12}\n":           "12 digits",
		"fallback: docker-credential-pass\n":                      "leave out docker-credential-",
		"fallback: ../../bin/sh\n":                                "not the name of a docker credential helper",
		"fallback: ecrkit\n":                                      "this program itself",
		"cache: {keychain: 'a b'}\n":                              "cache.keychain",
		"registries: 1\n":                                         "registries",
		"! {a}":                                                   "",
		"registries:\n  - {host: x, external_id: 1}\nfallback: x": "external_id without role_arn",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(environment("ECRKIT_CONFIG=" + path)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Load(environment("ECRKIT_REGISTRIES=x")); err == nil {
		t.Error("no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("registries:\n  - host: x\n"))
	f.Add([]byte("fallback: [1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parse(data)
		if err == nil && len(parsed.Registries) > len(data) {
			t.Fatalf("%d rules of %d bytes", len(parsed.Registries), len(data))
		}
	})
}
