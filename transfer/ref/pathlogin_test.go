package ref

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestPathLogins asks for the login of a repository where logins are for paths of the registry.
func TestPathLogins(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{"HOME": dir, "DOCKER_CONFIG": dir, "DOCKER_AUTH_CONFIG": "", "REGISTRY_AUTH_FILE": filepath.Join(dir, "none")} {
		t.Setenv(name, value)
	}
	var auths []string
	for key, user := range map[string]string{
		"registry.example:5000": "everybody", "registry.example:5000/a": "a", "registry.example:5000/a/special": "special",
		"registry.example:5000/b": "b", "paths.example/a": "a", "paths.example/b": "b", "https://old.example/v1/": "old", "docker.io/team": "team",
	} {
		auths = append(auths, fmt.Sprintf(`%q: {"auth": %q}`, key, base64.StdEncoding.EncodeToString([]byte(user+":secret"))))
	}
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths": {`+strings.Join(auths, ", ")+`}}`), 0o600))
	for range 20 { // a map has another order each time
		for repository, want := range map[string]string{
			"registry.example:5000/a": "a", "registry.example:5000/a/app": "a", "registry.example:5000/a/special": "special",
			"registry.example:5000/a/special/x": "special", "registry.example:5000/ab": "everybody", "registry.example:5000/b/c/d": "b",
			"registry.example:5000/other": "everybody", "paths.example/a/app": "a", "paths.example/b/app": "b",
			"old.example/app": "old", "docker.io/team/app": "team", "docker.io/library/app": "",
		} {
			target, err := name.NewRepository(repository)
			fixture.Check(t, err)
			found, err := pathLogins{}.Resolve(target)
			fixture.Check(t, err)
			auth, err := found.Authorization()
			fixture.Check(t, err)
			if auth.Username != want {
				t.Fatalf("%s: logged in as %q, want %q", repository, auth.Username, want)
			}
		}
	}
}
