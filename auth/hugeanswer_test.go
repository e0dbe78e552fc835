package auth

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// endless is the body of an answer that never ends, as far as this test lets it go.
type endless struct {
	begin       string
	read, limit int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.limit {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	n += copy(p[n:], aaa)
	e.read += int64(n)
	return n, nil
}

var aaa = strings.Repeat("a", 64<<10)

// ssoLogin puts the token of a login at the start URL x below a home directory.
func ssoLogin(t *testing.T, home string) {
	t.Helper()
	sum := sha1.Sum([]byte("x"))
	cache := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, hex.EncodeToString(sum[:])+".json"),
		[]byte(`{"accessToken":"canary-sso","expiresAt":"2999-01-01T00:00:00Z","region":"us-east-1","startUrl":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestHugeAnswers has each service that ecrkit asks answer without end: the answer is held in memory, so it is given
// up at a limit, and not asked for again.
func TestHugeAnswers(t *testing.T) {
	const jsonBegin, xmlBegin = `{"a":"`, `<AnswerResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><a>`
	const small, large = 1 << 20, 64 << 20
	credentials := func(ctx context.Context, cfg aws.Config) error {
		_, err := cfg.Credentials.Retrieve(ctx)
		return err
	}
	noKeys := map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
	tests := map[string]struct {
		begin string
		limit int64
		env   map[string]string
		file  string // of the AWS config
		call  func(context.Context, aws.Config) error
		want  string
	}{
		"page": {jsonBegin, large, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := NewClient(cfg, local).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("app")})
			return err
		}, "answer of ECR to DescribeImages is larger than 64 MiB"},
		// Each byte of a manifest of 4 MiB may be an escape of six.
		"image": {jsonBegin, 25 << 20, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := NewClient(cfg, local).BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: make([]types.ImageIdentifier, 1)})
			return err
		}, "answer of ECR to BatchGetImage is larger than 25 MiB"},
		"token": {jsonBegin, small, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := NewClient(cfg, local).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
			return err
		}, "answer of ECR to GetAuthorizationToken is larger than 1 MiB"},
		"public": {jsonBegin, small, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := (&Minter{}).call(ctx, session{TokenPlan{Registry: Registry{Host: "public.ecr.aws", Region: "us-east-1", Public: true}}, cfg, aws.Credentials{}})
			return err
		}, "answer of ECR PUBLIC to GetAuthorizationToken is larger than 1 MiB"},
		"identity": {xmlBegin, small, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			return err
		}, "answer of STS to GetCallerIdentity is larger than 1 MiB"},
		"key": {jsonBegin, small, nil, "", func(ctx context.Context, cfg aws.Config) error {
			_, err := kms.NewFromConfig(cfg).GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: aws.String("k")})
			return err
		}, "answer of KMS to GetPublicKey is larger than 1 MiB"},
		"role": {xmlBegin, small, nil, "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n",
			credentials, "answer of STS to AssumeRole is larger than 1 MiB"},
		"container": {jsonBegin, small, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, "", credentials,
			"answer of 127.0.0.1:9 is larger than 1 MiB"},
		"instance": {"", small, map[string]string{"AWS_EC2_METADATA_DISABLED": ""}, "", credentials, "answer of 169.254.169.254 is larger than 1 MiB"},
		"sso": {jsonBegin, small, nil, "[default]\nsso_start_url = x\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = r\n",
			credentials, "answer of SSO to GetRoleCredentials is larger than 1 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_MAX_ATTEMPTS", "3")
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			env := test.env
			if test.file != "" || env != nil {
				for k, v := range noKeys {
					t.Setenv(k, v)
				}
			}
			for k, v := range env {
				t.Setenv(k, v)
			}
			if test.file != "" {
				path := filepath.Join(home, "config")
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("AWS_CONFIG_FILE", path)
				ssoLogin(t, home)
			}
			var bodies []*endless
			client := sender(func(r *http.Request) (*http.Response, error) {
				body := &endless{begin: test.begin, limit: 2 * test.limit}
				bodies = append(bodies, body)
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}},
					Request: r, Body: io.NopCloser(body)}, nil
			})
			cfg, err := AWS{HTTPClient: client}.Config(t.Context(), local)
			if err == nil {
				err = Explain(local, test.call(t.Context(), cfg))
			}
			var explained *Error
			if !errors.As(err, &explained) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			// The SDK asks a metadata service without a session, too.
			if len(bodies) != 1 && name != "instance" {
				t.Errorf("asked %d times", len(bodies))
			}
			for _, body := range bodies {
				if body.read != test.limit+1 {
					t.Errorf("read %d bytes, limit %d", body.read, test.limit)
				}
			}
		})
	}
}
