#!/usr/bin/env bash
# With AWS_PROFILE and AWS_ACCESS_KEY_ID set, Node.js programs are the profile, Go programs and the AWS CLI the keys.
#
# Guess:   the keys in the environment win, as one configures CI jobs and an AWS emulator (key "test") with them.
# Because: the AWS CLI and the SDK for Go do so, and the JavaScript SDK's default chain lists the environment first.
# Really:  the JavaScript SDK leaves the keys out as soon as AWS_PROFILE is set, and says so on stderr. With an
#          endpoint for an emulator in the environment too, it signs the requests to it with the real profile.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20
# Output:  Go: AKIAENVIRONMENT
#          JavaScript: AKIAPROFILE, endpoint 127.0.0.1:4510
#          JavaScript without AWS_PROFILE: AKIAENVIRONMENT, endpoint 127.0.0.1:4510
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
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

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(found.AccessKeyID)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
npm install --silent --no-audit --no-fund --prefix "$dir" @aws-sdk/client-ecr@3.1169.0 > npm.log 2>&1 || { cat npm.log; exit 1; }
cat > who.js <<'EOM'
const { ECRClient, DescribeRepositoriesCommand } = require('@aws-sdk/client-ecr')
const client = new ECRClient({})
// Shows the signed request instead of sending it.
client.middlewareStack.add(() => async ({ request }) => {
  const [, key] = request.headers.authorization.match(/Credential=([^/]*)/)
  console.log(`${key}, endpoint ${request.hostname}:${request.port}`)
  process.exit(0)
}, { step: 'finalizeRequest', priority: 'low' })
client.send(new DescribeRepositoriesCommand({}))
EOM
mkdir .aws
cat > .aws/config <<'EOM'
[profile team]
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = example
EOM
clean() {
	env -i PATH="$PATH" HOME="$dir" AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKIAENVIRONMENT AWS_SECRET_ACCESS_KEY=example \
		AWS_ENDPOINT_URL_ECR=http://127.0.0.1:4510 "$@"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'Go' "$(clean AWS_PROFILE=team ./finding)" AKIAENVIRONMENT
want 'JavaScript' "$(clean AWS_PROFILE=team node who.js 2> warnings)" 'AKIAPROFILE, endpoint 127.0.0.1:4510'
want 'JavaScript without AWS_PROFILE' "$(clean node who.js 2> warnings)" 'AKIAENVIRONMENT, endpoint 127.0.0.1:4510'
