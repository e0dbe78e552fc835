#!/usr/bin/env bash
# AWS_ENDPOINT_URL redirects every client of the AWS SDK for Go, except the STS client that assumes the profile's
# role.
#
# Guess:   with AWS_ENDPOINT_URL set, or endpoint_url in the profile, no request leaves for an AWS host.
# Because: the SDK reference guide says that the setting applies to all requests of all services. STS is a service.
# Really:  credentials are resolved before the endpoint setting is read. ECR goes to the endpoint, but AssumeRole of a
#          profile with role_arn goes to the real sts.REGION.amazonaws.com. AWS_ENDPOINT_URL_STS does reach it. A test
#          against an emulator, run with such a profile, sends its AssumeRole call to AWS.
# Seen:    2026-11-28, Go 1.26.8, aws-sdk-go-v2/config v1.33.15; the transport in the program records the host and
#          fails
# Output:  profile with keys, AWS_ENDPOINT_URL: 127.0.0.1:9
#          profile with a role, AWS_ENDPOINT_URL: sts.eu-west-1.amazonaws.com
#          profile with a role and endpoint_url: sts.eu-west-1.amazonaws.com
#          profile with a role, AWS_ENDPOINT_URL_STS: 127.0.0.1:7
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > config <<'EOF'
[profile keys]
region = eu-west-1
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = example

[profile role]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/example
source_profile = keys

[profile role-and-url]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/example
source_profile = keys
endpoint_url = http://127.0.0.1:9
EOF
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.47.8
	github.com/aws/aws-sdk-go-v2/config v1.33.15
	github.com/aws/aws-sdk-go-v2/service/ecr v1.67.4
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// recorder keeps the first host that is called, and fails every call.
type recorder struct{ host string }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if r.host == "" {
		r.host = request.URL.Host
	}
	return nil, errors.New("nothing is sent")
}

func firstHost(profile string) string {
	transport := &recorder{}
	cfg := must(config.LoadDefaultConfig(context.Background(),
		config.WithSharedConfigProfile(profile),
		config.WithHTTPClient(&http.Client{Transport: transport}),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })))
	if _, err := ecr.NewFromConfig(cfg).DescribeRegistry(context.Background(), &ecr.DescribeRegistryInput{}); err == nil {
		panic("something answered")
	}
	return transport.host
}

func main() {
	os.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
	want("profile with keys, AWS_ENDPOINT_URL", firstHost("keys"), "127.0.0.1:9")
	want("profile with a role, AWS_ENDPOINT_URL", firstHost("role"), "sts.eu-west-1.amazonaws.com")
	os.Unsetenv("AWS_ENDPOINT_URL")
	want("profile with a role and endpoint_url", firstHost("role-and-url"), "sts.eu-west-1.amazonaws.com")
	os.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:7")
	want("profile with a role, AWS_ENDPOINT_URL_STS", firstHost("role"), "127.0.0.1:7")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
for v in $(compgen -e AWS_ || true); do unset "$v"; done
AWS_CONFIG_FILE="$dir/config" AWS_SHARED_CREDENTIALS_FILE="$dir/none" AWS_EC2_METADATA_DISABLED=true ./finding
