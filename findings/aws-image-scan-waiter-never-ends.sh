#!/usr/bin/env bash
# The AWS SDK's waiter for a finished ECR scan waits in vain for enhanced scans, and fails at once before a scan
# begins.
#
# Guess:   ImageScanCompleteWaiter returns as soon as the scan has an outcome: nil when findings can be read, an error
#          when the state is final and there will be none. Right after a push it waits.
# Because: the name, and the API reference of ImageScanStatus: with enhanced scanning (Amazon Inspector) a scanned
#          image has the status ACTIVE and its findings are in the same answer; UNSUPPORTED_IMAGE is final.
# Really:  the waiter knows COMPLETE and FAILED only. ACTIVE, UNSUPPORTED_IMAGE, FINDINGS_UNAVAILABLE, LIMIT_EXCEEDED
#          and SCAN_ELIGIBILITY_EXPIRED count as "not yet", until the caller's maximum is over. ScanNotFoundException,
#          the documented error for an image without a scan, ends the wait with an error on the first call.
# Seen:    2026-11-28, Go 1.26.8, service/ecr v1.67.4, answers played by an HTTP transport in the program
# Output:  COMPLETE: done after 1 call(s)
#          ACTIVE: not done when the maximum was over
#          UNSUPPORTED_IMAGE: not done when the maximum was over
#          ScanNotFoundException: ScanNotFoundException after 1 call(s)
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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

// answer is an ECR that gives one answer to everything.
type answer struct {
	status int
	body   string
	calls  int
}

func (a *answer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.calls++
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func wait(a *answer) string {
	client := ecr.New(ecr.Options{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
		HTTPClient:  &http.Client{Transport: a},
	})
	waiter := ecr.NewImageScanCompleteWaiter(client, func(o *ecr.ImageScanCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 10*time.Millisecond
	})
	err := waiter.Wait(context.Background(), &ecr.DescribeImageScanFindingsInput{
		RepositoryName: aws.String("app"),
		ImageId:        &types.ImageIdentifier{ImageTag: aws.String("1")},
	}, time.Second)
	var notFound *types.ScanNotFoundException
	switch {
	case err == nil:
		return fmt.Sprintf("done after %d call(s)", a.calls)
	case errors.As(err, &notFound):
		return fmt.Sprintf("%s after %d call(s)", notFound.ErrorCode(), a.calls)
	case errors.Is(err, context.DeadlineExceeded) && a.calls > 1:
		return "not done when the maximum was over"
	}
	return err.Error()
}

func main() {
	status := func(s string) *answer {
		return &answer{status: 200, body: `{"imageScanStatus": {"status": "` + s + `"}}`}
	}
	want("COMPLETE", wait(status("COMPLETE")), "done after 1 call(s)")
	want("ACTIVE", wait(status("ACTIVE")), "not done when the maximum was over")
	want("UNSUPPORTED_IMAGE", wait(status("UNSUPPORTED_IMAGE")), "not done when the maximum was over")
	want("ScanNotFoundException", wait(&answer{status: 400, body: `{"__type": "ScanNotFoundException", "message": "none"}`}),
		"ScanNotFoundException after 1 call(s)")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
