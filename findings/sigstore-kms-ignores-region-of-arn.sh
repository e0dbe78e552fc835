#!/usr/bin/env bash
# The AWS KMS plugin of Sigstore (cosign sign --key awskms:///arn:…) ignores the region in the key's ARN.
#
# Guess:   "awskms:///arn:aws:kms:us-east-1:…:key/…" calls KMS in us-east-1, whatever the region of the job is.
# Because: an ARN names the region so that it is complete, a key of KMS is in one region, and ARNs are one of the
#          documented forms of a key.
# Really:  the request goes to the region of AWS_REGION or the profile, with the ARN of the other region in it. Without
#          any region the error is about a missing region, with the ARN at hand. A pipeline that deploys to several
#          regions reaches the key in one of them only, unless it sets AWS_REGION for the signature alone.
# Seen:    2026-11-30, Go 1.26.8, sigstore/pkg/signature/kms/aws v1.10.8; a proxy in the program notes the hosts
# Output:  AWS_REGION=eu-west-1, key in us-east-1: kms.eu-west-1.amazonaws.com
#          AWS_REGION=us-east-1, key in us-east-1: kms.us-east-1.amazonaws.com
#          no region, key in us-east-1: no host, an error about the region: true
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/sigstore/sigstore v1.10.8
	github.com/sigstore/sigstore/pkg/signature/kms/aws v1.10.8
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws"
)

const key = "awskms:///arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func main() {
	ctx := context.Background()
	host := ""
	// The proxy refuses every connection, so that nothing leaves the machine.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.URL.Hostname()
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	for name, value := range map[string]string{
		"HTTPS_PROXY": proxy.URL, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
		"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_MAX_ATTEMPTS": "1",
	} {
		os.Setenv(name, value)
	}
	publicKey := func(region string) (string, error) {
		host = "no host"
		os.Setenv("AWS_REGION", region)
		signer, err := kms.Get(ctx, key, crypto.SHA256)
		if err != nil {
			panic(err)
		}
		_, err = signer.PublicKey()
		return host, err
	}
	got, _ := publicKey("eu-west-1")
	want("AWS_REGION=eu-west-1, key in us-east-1", got, "kms.eu-west-1.amazonaws.com")
	got, _ = publicKey("us-east-1")
	want("AWS_REGION=us-east-1, key in us-east-1", got, "kms.us-east-1.amazonaws.com")
	got, err := publicKey("")
	want("no region, key in us-east-1", fmt.Sprintf("%s, an error about the region: %t", got, err != nil && strings.Contains(strings.ToLower(err.Error()), "region")),
		"no host, an error about the region: true")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
env -u AWS_PROFILE -u AWS_DEFAULT_REGION -u NO_PROXY -u no_proxy -u AWS_ENDPOINT_URL -u AWS_ENDPOINT_URL_KMS ./finding
