#!/usr/bin/env bash
# AWS_USE_FIPS_ENDPOINT=true does not yield to AWS_ENDPOINT_URL_ECR: together, every call of the AWS SDK for Go fails.
#
# Guess:   with both, calls go to the endpoint that is set.
# Because: the reference guide of the SDKs says of use_fips_endpoint that service-specific endpoints override it.
# Really:  the rules of the services refuse the two together, before any request, and so they do dual-stack. Either
#          setting may be far away: FIPS in a shared profile, the endpoint in the environment of a test or a VPC.
#          Nothing of the error says where the settings come from. A client has to turn FIPS off itself where it finds
#          an endpoint.
# Seen:    2026-11-29, Go 1.26.8, service/ecr v1.67.4, service/sts v1.51.8, config v1.33.15
# Output:  endpoint alone, ecr: asked
#          endpoint alone, sts: asked
#          and AWS_USE_FIPS_ENDPOINT, ecr: Invalid Configuration: FIPS and custom endpoint are not supported
#          and AWS_USE_FIPS_ENDPOINT, sts: Invalid Configuration: FIPS and custom endpoint are not supported
#          and AWS_USE_DUALSTACK_ENDPOINT, ecr: Invalid Configuration: Dualstack and custom endpoint are not supported
#          and AWS_USE_DUALSTACK_ENDPOINT, sts: Invalid Configuration: Dualstack and custom endpoint are not supported
#          and use_fips_endpoint in the profile, ecr: Invalid Configuration: FIPS and custom endpoint are not supported
#          and use_fips_endpoint in the profile, sts: Invalid Configuration: FIPS and custom endpoint are not supported
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2/config v1.33.15
	github.com/aws/aws-sdk-go-v2/service/ecr v1.67.4
	github.com/aws/aws-sdk-go-v2/service/sts v1.51.8
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func want(what string, err error, want string) {
	got := "asked"
	if err != nil {
		got = err.Error()[max(0, strings.LastIndex(err.Error(), "Invalid Configuration")):]
	}
	fmt.Printf("%s: %s\n", what, got)
	if got != want {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "" {
			fmt.Fprint(w, `{"repositories":[]}`)
			return
		}
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	defer server.Close()
	ctx := context.Background()
	for _, set := range []struct{ name, variable, value, refusal string }{
		{"endpoint alone", "NOTHING", "", "asked"},
		{"and AWS_USE_FIPS_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "true", "Invalid Configuration: FIPS and custom endpoint are not supported"},
		{"and AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "true", "Invalid Configuration: Dualstack and custom endpoint are not supported"},
		{"and use_fips_endpoint in the profile", "AWS_PROFILE", "fips", "Invalid Configuration: FIPS and custom endpoint are not supported"},
	} {
		os.Clearenv()
		file, err := filepath.Abs("config")
		if err == nil {
			err = os.WriteFile(file, []byte("[profile fips]\nuse_fips_endpoint = true\n"), 0o600)
		}
		if err != nil {
			panic(err)
		}
		for name, value := range map[string]string{
			"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file + ".none", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key",
			"AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_ECR": server.URL, "AWS_ENDPOINT_URL_STS": server.URL, set.variable: set.value,
		} {
			os.Setenv(name, value)
		}
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			panic(err)
		}
		cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		_, err = ecr.NewFromConfig(cfg).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
		want(set.name+", ecr", err, set.refusal)
		_, err = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		want(set.name+", sts", err, set.refusal)
	}
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
