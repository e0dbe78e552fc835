#!/usr/bin/env bash
# The AWS SDK for Go loads no configuration at all where the retry mode is "legacy", a mode of the shared AWS config
# file.
#
# Guess:   "retry_mode = legacy" in a profile, written for a Python program, makes a Go program retry in its own way.
# Because: the file and its settings are shared by all SDKs. Their reference guide lists standard, adaptive and
#          legacy, and says that what legacy does depends on the SDK. Keys that an SDK does not have are skipped.
# Really:  LoadDefaultConfig returns an error, so the program has no region, no credentials and no client. In a profile
#          no other setting helps: not AWS_RETRY_MODE=standard, not WithRetryMode or WithRetryer in the program. Only
#          the profile in use counts.
# Seen:    2026-11-29, Go 1.26.8, aws-sdk-go-v2/config v1.33.15
# Output:  profile standard: region eu-west-1, mode standard
#          profile legacy: unknown RetryMode, legacy
#          profile legacy, AWS_RETRY_MODE=standard: unknown RetryMode, legacy
#          profile legacy, WithRetryMode: unknown RetryMode, legacy
#          profile legacy, WithRetryer: unknown RetryMode, legacy
#          profile standard, AWS_RETRY_MODE=legacy: unknown RetryMode, legacy
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > config <<'EOF'
[profile standard]
region = eu-west-1
retry_mode = standard

[profile legacy]
region = eu-west-1
retry_mode = legacy
EOF
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.47.8
	github.com/aws/aws-sdk-go-v2/config v1.33.15
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

// load returns the region and the retry mode of a profile, or the end of the error.
func load(profile, variable string, option config.LoadOptionsFunc) string {
	os.Setenv("AWS_RETRY_MODE", variable)
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithSharedConfigProfile(profile), option)
	if err != nil {
		text := err.Error()
		return text[max(0, strings.Index(text, "unknown")):]
	}
	return fmt.Sprintf("region %s, mode %s", cfg.Region, cfg.RetryMode)
}

func main() {
	os.Setenv("AWS_CONFIG_FILE", "config")
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		os.Unsetenv(name)
	}
	none := func(*config.LoadOptions) error { return nil }
	mode := config.WithRetryMode(aws.RetryModeStandard)
	retryer := config.WithRetryer(func() aws.Retryer { return retry.NewStandard() })
	const refused = "unknown RetryMode, legacy"
	want("profile standard", load("standard", "", none), "region eu-west-1, mode standard")
	want("profile legacy", load("legacy", "", none), refused)
	want("profile legacy, AWS_RETRY_MODE=standard", load("legacy", "standard", none), refused)
	want("profile legacy, WithRetryMode", load("legacy", "", mode), refused)
	want("profile legacy, WithRetryer", load("legacy", "", retryer), refused)
	want("profile standard, AWS_RETRY_MODE=legacy", load("standard", "legacy", none), refused)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
