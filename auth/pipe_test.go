//go:build unix

package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// A named pipe in the place of a file is an error that names it: nobody waits for
// what is written to it.
func TestNamedPipes(t *testing.T) {
	role := "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X"
	for name, environment := range map[string][]string{
		"config file":         {"AWS_CONFIG_FILE=PIPE", "AWS_PROFILE=keys"},
		"credentials file":    {"AWS_SHARED_CREDENTIALS_FILE=PIPE"},
		"web identity token":  {"AWS_WEB_IDENTITY_TOKEN_FILE=PIPE", role},
		"pod identity token":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=PIPE"},
		"certificates":        {"AWS_CA_BUNDLE=PIPE", "AWS_PROFILE=keys"},
		"profile's bundle":    {"AWS_PROFILE=bundle"},
		"login of SSO":        {"AWS_PROFILE=sso"},
		"login of aws login":  {"AWS_PROFILE=login"},
		"profile's web token": {"AWS_PROFILE=web"},
	} {
		t.Run(name, func(t *testing.T) {
			home := awsHome(t)
			pipe := filepath.Join(home, "pipe")
			mkfifo(t, pipe)
			config := filepath.Join(home, "config")
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, "[profile bundle]\nca_bundle = "+pipe+"\naws_access_key_id = AKIAKEYS\naws_secret_access_key = secret\n"...)
			if err := os.WriteFile(config, text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{".aws/sso/cache/" + sha1Hex("corp") + ".json", ".aws/login/cache/" + hash("arn:aws:iam::123456789012:user/me") + ".json", "token1"} {
				path = filepath.Join(home, path)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				mkfifo(t, path)
			}
			for _, entry := range environment {
				key, value, _ := strings.Cut(entry, "=")
				t.Setenv(key, strings.Replace(value, "PIPE", pipe, 1))
			}
			done := make(chan error, 1)
			go func() {
				_, err := new(Minter).Token(t.Context(), local)
				done <- err
			}()
			select {
			case err := <-done:
				if !errors.Is(err, files.ErrNotRegular) || !strings.Contains(err.Error(), home) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it waits for the pipe")
			}
		})
	}
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}
