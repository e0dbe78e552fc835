#!/usr/bin/env bash
# A Node.js process never sees that ~/.aws/credentials changed, not even with a new client.
#
# Guess:   a job that writes new session keys into ~/.aws/credentials every hour keeps a running service alive; at the
#          latest, a new ECRClient after an ExpiredTokenException reads the file again.
# Because: a new client resolves its credentials from the start, the resolved object has a forceRefresh, and programs in
#          Go read the file again whenever they load the configuration.
# Really:  the SDK for JavaScript keeps the content of the files for the whole process, in a cache below all clients and
#          providers. forceRefresh asks the provider, which reads that cache. Only a restart helps, or a provider with
#          ignoreCache (fromIni({ ignoreCache: true })), which no default chain sets.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0,
#          @aws-sdk/credential-providers 3.1169.0, Node.js 20
# Output:  JavaScript: AKIAOLD
#          JavaScript, new client after the change: AKIAOLD
#          JavaScript, new client, forceRefresh: AKIAOLD
#          JavaScript, fromIni with ignoreCache: AKIANEW
#          Go, configuration loaded before and after the change: AKIAOLD AKIANEW
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @aws-sdk/client-ecr@3.1169.0 @aws-sdk/credential-providers@3.1169.0 > npm.log 2>&1 ||
	{ cat npm.log; exit 1; }
cat > who.js <<'EOM'
const { ECRClient } = require('@aws-sdk/client-ecr')
const { fromIni } = require('@aws-sdk/credential-providers')
const { writeFileSync } = require('fs')
const store = key => writeFileSync(process.env.HOME + '/.aws/credentials', `[default]\naws_access_key_id = ${key}\naws_secret_access_key = example\n`)
const key = async (options, refresh) => (await new ECRClient(options).config.credentials(refresh)).accessKeyId
;(async () => {
  store('AKIAOLD')
  console.log(await key({}))
  store('AKIANEW')
  console.log(await key({}))
  console.log(await key({}, { forceRefresh: true }))
  console.log(await key({ credentials: fromIni({ ignoreCache: true }) }))
})()
EOM
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2/config v1.33.18
)
EOM
cat > main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	key := func(stored string) string {
		text := "[default]\naws_access_key_id = " + stored + "\naws_secret_access_key = example\n"
		if err := os.WriteFile(os.Getenv("HOME")+"/.aws/credentials", []byte(text), 0o600); err != nil {
			panic(err)
		}
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			panic(err)
		}
		found, err := loaded.Credentials.Retrieve(ctx)
		if err != nil {
			panic(err)
		}
		return found.AccessKeyID
	}
	fmt.Println(key("AKIAOLD"), key("AKIANEW"))
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
mkdir .aws
clean() { env -i PATH="$PATH" HOME="$dir" AWS_REGION=eu-west-1 "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
{ read -r first; read -r second; read -r refreshed; read -r uncached; } <<< "$(clean node who.js 2> warnings)"
want 'JavaScript' "$first" AKIAOLD
want 'JavaScript, new client after the change' "$second" AKIAOLD
want 'JavaScript, new client, forceRefresh' "$refreshed" AKIAOLD
want 'JavaScript, fromIni with ignoreCache' "$uncached" AKIANEW
want 'Go, configuration loaded before and after the change' "$(clean ./finding)" 'AKIAOLD AKIANEW'
