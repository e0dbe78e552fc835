package fakeaws

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
)

// child makes the test binary a client: it gets a token and prints it.
const child = "FAKEAWS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	secret, err := private(context.Background())
	if err != nil {
		fmt.Println("ERROR " + err.Error())
		os.Exit(1)
	}
	fmt.Println(secret)
}

// run gets a token in a process of its own.
func run(t *testing.T, env []string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, child+"=1", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// once is the option of clients that shall not repeat what failed.
func once(o *config.LoadOptions) error {
	o.RetryMaxAttempts = 1
	return nil
}

// load sets up the SDK from the environment.
func load(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, append([]func(*config.LoadOptions) error{config.WithRegion("eu-west-1")}, options...)...)
}

// private gets the password of private ECR by the SDK.
func private(ctx context.Context, options ...func(*config.LoadOptions) error) (string, error) {
	cfg, err := load(ctx, options...)
	if err != nil {
		return "", err
	}
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return "", err
	}
	if len(out.AuthorizationData) != 1 {
		return "", fmt.Errorf("%d tokens", len(out.AuthorizationData))
	}
	return decode(out.AuthorizationData[0].AuthorizationToken)
}

// public gets the password of ECR Public by the SDK, and when it expires.
func public(ctx context.Context, options ...func(*config.LoadOptions) error) (string, time.Time, error) {
	cfg, err := load(ctx, append(options, config.WithRegion("us-east-1"))...)
	if err != nil {
		return "", time.Time{}, err
	}
	out, err := ecrpublic.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecrpublic.GetAuthorizationTokenInput{})
	if err != nil {
		return "", time.Time{}, err
	}
	secret, err := decode(out.AuthorizationData.AuthorizationToken)
	return secret, aws.ToTime(out.AuthorizationData.ExpiresAt), err
}

func decode(token *string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(token))
	user, secret, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok || user != "AWS" {
		return "", fmt.Errorf("the token is malformed: %v", err)
	}
	return secret, nil
}

// visit starts a world and puts the test's process into it.
func visit(t *testing.T, o Options, extra ...string) (world *World, home string) {
	t.Helper()
	world, home = Start(t, o), t.TempDir()
	Setenv(t, world.Env(home, extra...))
	return world, home
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// settable is a clock that a test moves.
type settable struct{ offset atomic.Int64 }

func clockAt(offset time.Duration) *settable {
	s := &settable{}
	s.set(offset)
	return s
}

func (s *settable) set(offset time.Duration) { s.offset.Store(int64(offset)) }

func (s *settable) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
