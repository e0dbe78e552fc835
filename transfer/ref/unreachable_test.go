package ref

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
)

// TestUnreachable reads from registries to which no connection can be made, with every source of AWS credentials that
// needs one itself, and counts the connections and the time that somebody would have waited between them.
func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("config", `[profile keys]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
[profile role]
role_arn = arn:aws:iam::123456789012:role/release
source_profile = keys
[profile web]
role_arn = arn:aws:iam::123456789012:role/release
web_identity_token_file = `+write("token", "a.b.c")+`
`)
	const ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1"
	for name, tt := range map[string]struct {
		reference string
		env       map[string]string
	}{
		"keys":         {ecr, map[string]string{"AWS_PROFILE": "keys"}},
		"role":         {ecr, map[string]string{"AWS_PROFILE": "role"}},
		"web":          {ecr, map[string]string{"AWS_PROFILE": "web"}},
		"container":    {ecr, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials"}},
		"GitHub":       {ecr, map[string]string{auth.OIDCRoleVariable: "arn:aws:iam::123456789012:role/release", "GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}},
		"ECR Public":   {"public.ecr.aws/docker/library/alpine:3", map[string]string{"AWS_PROFILE": "keys"}},
		"another":      {"ghcr.io/team/app:1", nil},
		"private":      {"10.1.2.3:5000/app:1", nil},
		"this machine": {"127.0.0.1:5000/app:1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{
				"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
				"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "GITHUB_ACTIONS", "HTTPS_PROXY", "AWS_SHARED_CREDENTIALS_FILE",
			} {
				t.Setenv(name, tt.env[name])
			}
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			t.Setenv("AWS_CONFIG_FILE", config)
			t.Setenv("HOME", dir)

			var connections atomic.Int32
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				connections.Add(1)
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
			}}
			calls.Keep(transport)
			client := &http.Client{Transport: transport}
			aws := auth.AWS{HTTPClient: client}
			o := &Opener{AWS: aws.Config, Wrap: func(http.RoundTripper) http.RoundTripper { return transport },
				Tokens: &auth.Tokens{Minter: auth.Minter{AWS: aws}}}
			r, err := Parse(tt.reference, auth.Registries{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			clock := new(fastclock.Clock)
			ctx := retry.WithReached(retry.WithClock(t.Context(), clock), nil)
			endpoint, err := o.Endpoint(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = endpoint.Resolve(ctx, r.Name())
			if !errors.Is(err, syscall.ENETUNREACH) {
				t.Errorf("got %v", err)
			}
			if n := connections.Load(); n < 2 || n > 10 {
				t.Errorf("%d connections", n)
			}
			if waited := clock.Jumped(); waited > 1500*time.Millisecond {
				t.Errorf("somebody waited %s between them", waited)
			}
		})
	}
}
