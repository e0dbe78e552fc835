package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A retry mode of other SDKs, which the one for Go refuses, is named with what to set.
func TestRetryModeOfOtherSDKs(t *testing.T) {
	for name, c := range map[string]struct{ config, variable, want string }{
		"profile":  {config: "retry_mode = legacy\n", want: "from profile, default, failed to load retry_mode from shared config, unknown RetryMode, legacy; set retry_mode to standard in this profile or remove it"},
		"variable": {variable: "legacy", want: "unknown RetryMode, legacy; set AWS_RETRY_MODE to standard or unset it"},
		"both":     {config: "retry_mode = legacy\n", variable: "standard", want: "from profile, default, failed to load retry_mode from shared config, unknown RetryMode, legacy; set retry_mode to standard in this profile or remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			silence(t)
			path := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(path, []byte("[default]\nregion = eu-west-1\n"+c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_CONFIG_FILE", path)
			t.Setenv("AWS_RETRY_MODE", c.variable)
			_, ofRegistry := AWS{}.Config(t.Context(), local)
			_, without := AWS{}.ConfigWithoutRegistry(t.Context())
			for _, err := range []error{ofRegistry, without} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
}
