#!/usr/bin/env bash
# The cache of Amazon's credential helper keeps the tokens of every session, and grows without end.
#
# Guess:   ~/.ecr/cache.json has one token for each registry in use. A renewed token replaces the one before, and what
#          expired is removed, at the latest when the file is written again.
# Because: a token lives for 12 hours, every entry has its time of expiry (ExpiresAt), and an entry whose time is over
#          is not used.
# Really:  the key of an entry contains the access key ID, which is another one in each session of a role, of IAM Identity
#          Center or of an instance profile, and nothing ever removes an entry. A machine with sessions of one hour and
#          three registries has 2160 tokens more after a month, and every "get" reads the whole file, a renewal writes
#          it. AWS_ECR_DISABLE_CACHE=false does not leave the cache on: any text turns it off.
# Seen:    2026-11-30, Go 1.26.8, amazon-ecr-credential-helper/ecr-login v0.12.0
# Output:  one session, its token stored three times: entries 1
#          25 sessions, one each hour for a day: entries 25
#          those that have expired: 13
#          size of the file with tokens of 2 KB: more than 50 KB
#          entries with AWS_ECR_DISABLE_CACHE=false: 0
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.41.2
	github.com/aws/aws-sdk-go-v2/credentials v1.19.10
	github.com/awslabs/amazon-ecr-credential-helper/ecr-login v0.12.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cache"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

const account = "123456789012"

// session returns the cache as the helper opens it with the keys of this session.
func session(key, dir string) cache.CredentialsCache {
	return cache.BuildCredentialsCache(aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider(key, "example", "example")}, dir)
}

// token is one that was requested at this time.
func token(at time.Time) *cache.AuthEntry {
	return &cache.AuthEntry{
		AuthorizationToken: strings.Repeat("eHg6", 512),
		ProxyEndpoint:      "https://" + account + ".dkr.ecr.eu-west-1.amazonaws.com",
		RequestedAt:        at,
		ExpiresAt:          at.Add(12 * time.Hour),
		Service:            cache.ServiceECR,
	}
}

func main() {
	now := time.Now()
	dir := "one"
	for range 3 {
		session("ASIAEXAMPLE", dir).Set(account, token(now))
	}
	want("one session, its token stored three times", fmt.Sprint("entries ", len(session("ASIAEXAMPLE", dir).List())), "entries 1")

	dir = "many"
	for hour := 24; hour >= 0; hour-- {
		// One minute less, so that no session is right at its limit.
		session(fmt.Sprintf("ASIAEXAMPLE%02d", hour), dir).Set(account, token(now.Add(-time.Duration(hour)*time.Hour-time.Minute)))
	}
	last := session("ASIAEXAMPLE00", dir)
	want("25 sessions, one each hour for a day", fmt.Sprint("entries ", len(last.List())), "entries 25")
	expired := 0
	for _, entry := range last.List() {
		if entry.ExpiresAt.Before(now) {
			expired++
		}
	}
	want("those that have expired", expired, 13)
	info, err := os.Stat(filepath.Join(dir, "cache.json"))
	if err != nil || info.Size() < 50_000 {
		fmt.Println("CHANGED, expected a file of more than 50 KB:", info, err)
		os.Exit(1)
	}
	fmt.Println("size of the file with tokens of 2 KB: more than 50 KB")

	os.Setenv("AWS_ECR_DISABLE_CACHE", "false")
	disabled := session("ASIAEXAMPLE00", dir)
	want("entries with AWS_ECR_DISABLE_CACHE=false", len(disabled.List()), 0)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
