package ref

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestTokenAfterStalls has Amazon ECR stall three times when a token is wanted in the middle of a transfer.
func TestTokenAfterStalls(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
	} {
		t.Setenv(name, value)
	}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		minter := (&Opener{}).tokens().Minter
		minter.AWS.HTTPClient = &http.Client{Transport: fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if calls++; calls <= 3 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			body := fmt.Sprintf(`{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`,
				base64.StdEncoding.EncodeToString([]byte("AWS:password")), time.Now().Add(12*time.Hour).Unix())
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})}
		registry := auth.Registry{Host: "123456789012.dkr.ecr.us-east-1.amazonaws.com", Account: "123456789012", Region: "us-east-1", Partition: "aws"}
		if _, err := minter.Token(t.Context(), registry); err != nil {
			t.Errorf("after %d calls: %v", calls, err)
		}
	})
}
