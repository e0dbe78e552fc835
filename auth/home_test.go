package auth

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/startup"
)

// Without an absolute home directory no AWS file is read from the working
// directory: a stranger's credential_process there would be run.
func TestNoHome(t *testing.T) {
	for _, home := range []string{"", "."} {
		t.Run("home "+home, func(t *testing.T) {
			isolate(t)
			t.Chdir(t.TempDir())
			for _, key := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
				t.Setenv(key, "")
			}
			t.Setenv(startup.HomeVariable, home)
			if err := os.MkdirAll(".aws", 0o700); err != nil {
				t.Fatal(err)
			}
			const text = "[default]\naws_access_key_id = AKIASTRANGER\naws_secret_access_key = s\n"
			for _, name := range []string{"config", "credentials"} {
				if err := os.WriteFile(filepath.Join(".aws", name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			plan, err := AWS{}.Plan(t.Context(), local)
			if err != nil && !errors.Is(err, ErrNoCredentials) {
				t.Fatal(err)
			}
			for _, path := range plan.Files {
				if !filepath.IsAbs(path) {
					t.Errorf("%s would be read", path)
				}
			}
			cfg, _, err := AWS{}.configure(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := cfg.Credentials.Retrieve(t.Context()); err == nil && keys.AccessKeyID == "AKIASTRANGER" {
				t.Error("the stranger's credentials were taken")
			}
		})
	}
}
