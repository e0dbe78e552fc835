package settings

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokenServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, path, "token_servers:\n  Harbor.internal:443: 10.0.0.5:5001\n  registry-1.docker.io: auth.internal\n")
	s, err := Load(environment("ECRKIT_CONFIG="+path, TokenServersVariable+"= harbor.internal=10.0.0.6 ,, 127.0.0.1:5000=127.0.0.1:5001"))
	want := map[string]string{"harbor.internal": "10.0.0.6", "docker.io": "auth.internal", "127.0.0.1:5000": "127.0.0.1:5001"}
	if err != nil || !maps.Equal(s.TokenServers, want) {
		t.Errorf("%v, %v", s.TokenServers, err)
	}
}

func TestTokenServersErrors(t *testing.T) {
	for value, says := range map[string]string{
		"harbor.internal":                       "there is no =",
		"harbor.internal=":                      `""`,
		"=10.0.0.5":                             `""`,
		"harbor.internal=https://10.0.0.5:5001": "without https://",
		"harbor.internal=10.0.0.5/token":        "10.0.0.5/token",
		"harbor.internal=169.254.169.254":       "instance metadata",
		"harbor.internal=127.1":                 "127.1",
	} {
		if _, err := Load(environment(TokenServersVariable + "=" + value)); err == nil || !strings.Contains(err.Error(), TokenServersVariable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", value, err)
		}
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, path, "token_servers:\n  harbor.internal: https://10.0.0.5\n")
	if _, err := Load(environment("ECRKIT_CONFIG=" + path)); err == nil || !strings.Contains(err.Error(), path+": token_servers: ") {
		t.Error(err)
	}
}
