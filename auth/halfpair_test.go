package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// Half an access key is named: the SDK passes over it.
func TestHalfAccessKey(t *testing.T) {
	for set, missing := range map[string]string{"AWS_ACCESS_KEY_ID": "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY": "AWS_ACCESS_KEY_ID"} {
		silence(t)
		t.Setenv(set, "canary-half")
		_, err := (&Minter{MetadataTimeout: 50 * time.Millisecond}).Token(t.Context(), local)
		if !errors.Is(err, ErrNoCredentials) {
			t.Fatalf("got %v", err)
		}
		want := "no AWS credentials: " + set + " is set, and " + missing + " is not; set " + missing
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary-half") {
			t.Errorf("got %v", err)
		}
	}
}

// Which half is missing is not remembered for another environment.
func TestHalfAccessKeyNotRemembered(t *testing.T) {
	store := &tokenstore.Store{Dir: t.TempDir()}
	for _, c := range []struct{ set, want string }{
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY is not"},
		{"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID is not"},
		{"", "no instance metadata service answers"},
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY is not"},
	} {
		silence(t)
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1") // the same for all
		if c.set != "" {
			t.Setenv(c.set, "half")
		}
		tokens := &Tokens{Minter: Minter{MetadataTimeout: 50 * time.Millisecond}, Store: store}
		if _, err := tokens.Token(t.Context(), local); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %q: %v", c.set, err)
		}
	}
}

// A profile that has half of an access key is named with its file and the other half, in
// one line, also where the profile is the source of another one.
func TestHalfAccessKeyOfProfile(t *testing.T) {
	for name, c := range map[string]struct{ profile, config, credentials, want string }{
		"ID of the default profile": {
			credentials: "[default]\nAWS_Access_Key_ID = canary\n[other]\naws_secret_access_key = canary\n",
			want:        "aws_access_key_id is set in profile default of CREDENTIALS, and aws_secret_access_key is not; set aws_secret_access_key in profile default of CREDENTIALS",
		},
		"secret of a profile": {
			profile: "work", config: "[profile other]\naws_access_key_id = canary\n[profile work]\nregion = eu-west-1\naws_secret_access_key=canary\n",
			want: "aws_secret_access_key is set in profile work of CONFIG, and aws_access_key_id is not; set aws_access_key_id in profile work of CONFIG",
		},
		"source profile": {
			profile: "work", config: "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n[ profile  base ]\naws_access_key_id = canary\n",
			want: "aws_access_key_id is set in profile base of CONFIG, and aws_secret_access_key is not; ",
		},
		"in two files": {
			config: "[default]\naws_secret_access_key = canary\n", credentials: "[default]\naws_access_key_id = canary\n",
			want: "aws_secret_access_key is set in profile default of CONFIG, and aws_access_key_id is not; ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			silence(t)
			dir := t.TempDir()
			files := map[string]string{"CONFIG": filepath.Join(dir, "config"), "CREDENTIALS": filepath.Join(dir, "credentials")}
			for file, text := range map[string]string{"CONFIG": c.config, "CREDENTIALS": c.credentials} {
				if err := os.WriteFile(files[file], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("AWS_CONFIG_FILE", files["CONFIG"])
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", files["CREDENTIALS"])
			t.Setenv("AWS_PROFILE", c.profile)
			_, ofRegistry := AWS{}.Config(t.Context(), local)
			_, without := AWS{}.ConfigWithoutRegistry(t.Context())
			want := "no AWS credentials: " + strings.NewReplacer("CONFIG", files["CONFIG"], "CREDENTIALS", files["CREDENTIALS"]).Replace(c.want)
			for prefix, err := range map[string]error{local.Host + ": ": ofRegistry, "": without} {
				if !errors.Is(err, ErrNoCredentials) || !strings.HasPrefix(err.Error(), prefix+want) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "canary") {
					t.Errorf("got  %v\nwant %s%s", err, prefix, want)
				}
			}
		})
	}
}
