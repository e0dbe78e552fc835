package localecr_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestSetenv sets the environment of a test on a machine whose own settings lead elsewhere in every way that the SDK
// knows.
func TestSetenv(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("[profile mine]\nregion = eu-west-1\nuse_fips_endpoint = true\naws_access_key_id = AKIAMINE000000000000\naws_secret_access_key = mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_PROFILE": "mine", "AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_SESSION_TOKEN": "mine", "AWS_REGION": "eu-west-1",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true",
	} {
		t.Setenv(name, value)
	}
	r := newRig(t, localecr.Options{})
	r.srv.Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RetryMaxAttempts = 1
	if _, err := ecr.NewFromConfig(cfg).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Error(err)
	}
	if _, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: ptr("alias/ecrkit-p256")}); err != nil {
		t.Error(err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::000000000000:user/ecrkit" {
		t.Errorf("%+v %v", who, err)
	}
	for _, entry := range r.srv.Env() {
		if name, value, _ := strings.Cut(entry, "="); os.Getenv(name) != value {
			t.Errorf("%s is %q, want %q", name, os.Getenv(name), value)
		}
	}
}

// TestAWSConfig calls all services as the first user of the first account, whatever the environment.
func TestAWSConfig(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	r := newRig(t, localecr.Options{Accounts: []localecr.Account{
		{ID: "111111111111", Users: []localecr.User{{Name: "first", AccessKeyID: "AKIAFIRST00000000000", SecretAccessKey: "s"}, {Name: "second", AccessKeyID: "AKIASECOND0000000000", SecretAccessKey: "s"}}},
		localecr.DefaultAccounts()[0],
	}})
	cfg := r.srv.AWSConfig()
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::111111111111:user/first" {
		t.Errorf("%+v %v", who, err)
	}
	created, err := ecr.NewFromConfig(cfg).CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: ptr("app")})
	if err != nil || *created.Repository.RepositoryArn != "arn:aws:ecr:us-east-1:111111111111:repository/app" {
		t.Errorf("%+v %v", created, err)
	}
	if _, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: ptr("alias/ecrkit-p256")}); err != nil {
		t.Error(err)
	}
}

// TestPassword logs in without a call.
func TestPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.calls.Reset()
	password, err := r.srv.Password()
	if err != nil {
		t.Fatal(err)
	}
	r.token = password
	if got := r.v2("GET", "/v2/", nil); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	calls := r.calls.Calls()
	if len(calls) != 1 || calls[0].Principal != "arn:aws:iam::000000000000:user/ecrkit" {
		t.Errorf("%+v", calls)
	}
}

// TestClientsNeedAURL uses the parts for clients before there is anything to call: without an endpoint of its own, an
// SDK would call AWS.
func TestClientsNeedAURL(t *testing.T) {
	t.Parallel()
	srv, err := localecr.New(localecr.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			if text, _ := recover().(string); !strings.Contains(text, "Start") {
				t.Errorf("%s: %q", name, text)
			}
		}()
		f()
	}
	panics("Env", func() { srv.Env() })
	panics("AWSConfig", func() { srv.AWSConfig() })
	panics("Setenv", func() { srv.Setenv(new(exampleT)) })
}

// TestEnvWithoutAccounts is what another process knows of a server: its address.
func TestEnvWithoutAccounts(t *testing.T) {
	t.Parallel()
	with, without := localecr.Env("127.0.0.1:1", localecr.DefaultAccounts()), localecr.Env("127.0.0.1:1", nil)
	if !slices.Equal(with, without) || !slices.Contains(without, "AWS_ENDPOINT_URL_ECR=http://127.0.0.1:1") {
		t.Errorf("%v\n%v", with, without)
	}
}
