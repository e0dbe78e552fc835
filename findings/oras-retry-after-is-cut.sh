#!/usr/bin/env bash
# A registry that asks oras to wait 30 seconds is asked again after 3, and five times before the 30 seconds are over.
#
# Guess:   on "429 Too Many Requests" with "Retry-After: 30", oras-go's default client waits 30 seconds.
# Because: ExponentialBackoff, which the default policy uses, documents that the value of the header "is used as the
#          backoff duration", and it does return 30 seconds.
# Really:  the policy around it caps every wait at MaxWait, 3 seconds. The five retries of the default policy are used up
#          15 seconds after the first answer, so a copy fails although the registry said when it would go on. The other
#          form of the header, a date, is not read at all: the first retry follows after a quarter of a second.
# Seen:    2026-12-01, Go 1.26.8, oras-go v2.7.0
# Output:  the backoff, Retry-After 30: 30s
#          the policy, Retry-After 30: 3s 3s 3s 3s 3s, then no more
#          the policy, Retry-After 2: 2s 2s 2s 2s 2s, then no more
#          the policy, a date in 30 seconds, first wait under 0.3s: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	oras.land/oras-go/v2 v2.7.0
)
EOM
cat > main.go <<'EOM'
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func throttled(after string) *http.Response {
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {after}}}
}

func wait(attempt int, after string) time.Duration {
	d, err := retry.DefaultPolicy.Retry(attempt, throttled(after), nil)
	if err != nil {
		panic(err)
	}
	return d
}

// waits lists the pauses of one request that is always throttled.
func waits(after string) string {
	all := ""
	for attempt := 0; ; attempt++ {
		d := wait(attempt, after)
		if d < 0 {
			return all[1:] + ", then no more"
		}
		all += " " + d.String()
	}
}

func main() {
	want("the backoff, Retry-After 30", retry.DefaultBackoff(0, throttled("30")), "30s")
	want("the policy, Retry-After 30", waits("30"), "3s 3s 3s 3s 3s, then no more")
	want("the policy, Retry-After 2", waits("2"), "2s 2s 2s 2s 2s, then no more")
	date := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
	want("the policy, a date in 30 seconds, first wait under 0.3s", wait(0, date) < 300*time.Millisecond, true)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
