#!/usr/bin/env bash
# The AWS SDK retries ECR's LimitExceededException, a quota that no retry can change, with pauses of seconds.
#
# Guess:   CreateRepository at the limit of repositories fails at once. The SDK retries throttling and server errors.
# Because: the API reference of CreateRepository describes the error as a service quota that is reached, with HTTP
#          400; ThrottlingException is another error. RepositoryAlreadyExistsException, also 400, is not retried.
# Really:  the SDK's standard retryer has one list of throttling codes for all services, and "LimitExceededException"
#          is on it. The call is sent three times, with two back-offs of seconds between (3 s in the run below).
# Seen:    2026-11-28, Go 1.26.8, aws-sdk-go-v2 v1.47.8, service/ecr v1.67.4, answers played by an HTTP transport
# Output:  LimitExceededException: 3 call(s), type *types.LimitExceededException
#          RepositoryAlreadyExistsException: 1 call(s), type *types.RepositoryAlreadyExistsException
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.47.8
	github.com/aws/aws-sdk-go-v2/credentials v1.20.15
	github.com/aws/aws-sdk-go-v2/service/ecr v1.67.4
	github.com/aws/smithy-go v1.28.8
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

// failing is an ECR that fails every call with one code.
type failing struct {
	code  string
	calls int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls++
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	body := io.NopCloser(strings.NewReader(`{"__type": "` + f.code + `", "message": "example"}`))
	return &http.Response{StatusCode: 400, Header: header, Body: body, Request: r}, nil
}

func create(code string) string {
	server := &failing{code: code}
	client := ecr.New(ecr.Options{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
		HTTPClient:  &http.Client{Transport: server},
	})
	_, err := client.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")})
	var apiError smithy.APIError
	errors.As(err, &apiError)
	return fmt.Sprintf("%d call(s), type %T", server.calls, apiError)
}

func main() {
	want("LimitExceededException", create("LimitExceededException"), "3 call(s), type *types.LimitExceededException")
	want("RepositoryAlreadyExistsException", create("RepositoryAlreadyExistsException"),
		"1 call(s), type *types.RepositoryAlreadyExistsException")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
