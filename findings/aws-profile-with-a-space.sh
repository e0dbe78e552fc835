#!/usr/bin/env bash
# A profile whose name has a space, as "aws configure" writes it, loses its settings in Go and its keys in Node.js.
#
# Guess:   after "aws configure --profile 'my team'", AWS_PROFILE='my team' means the same keys and the same region to
#          all programs, or is refused by all.
# Because: the AWS CLI wrote the files by itself, without a complaint, and both files are documented as shared.
# Really:  the CLI writes [profile 'my team'] to config, but [my team] to credentials. The SDK for Go takes the quotes for
#          a part of the name, so it finds the keys and none of the settings: no region, and a role_arn or an endpoint
#          would be ignored as silently. The SDK for JavaScript finds neither keys nor region. A profile without keys
#          does not exist for Go.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20, AWS CLI
#          2.9.19 (Debian 12)
# Output:  heading in config: [profile 'my team']
#          heading in credentials: [my team]
#          AWS CLI: eu-west-1, AKIAEXAMPLE
#          Go: , AKIAEXAMPLE
#          JavaScript: error
#          Go, name without a space: eu-west-1, AKIAEXAMPLE
#          JavaScript, name without a space: eu-west-1, AKIAEXAMPLE
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download awscli=2.9.19-1 python3-awscrt python3-colorama python3-dateutil \
	python3-distro python3-docutils python3-jmespath python3-prompt-toolkit python3-roman python3-ruamel.yaml \
	python3-ruamel.yaml.clib python3-six python3-urllib3 python3-wcwidth
for package in *.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --prefix "$dir" @aws-sdk/client-ecr@3.1169.0 > npm.log 2>&1 || { cat npm.log; exit 1; }
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
		fmt.Println("error")
		return
	}
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		fmt.Printf("%s, error\n", loaded.Region)
		return
	}
	fmt.Printf("%s, %s\n", loaded.Region, found.AccessKeyID)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
cat > who.js <<'EOM'
const { ECRClient } = require('@aws-sdk/client-ecr')
const { config } = new ECRClient({})
config.region()
  .then(async region => console.log(`${region}, ${(await config.credentials()).accessKeyId}`))
  .catch(() => console.log('error'))
EOM
cat > who.py <<'EOM'
import awscli.botocore.session
session = awscli.botocore.session.Session()
try:
    print(f"{session.get_config_variable('region')}, {session.get_credentials().access_key}")
except Exception:
    print('error')
EOM
clean() { env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
aws() { clean /usr/bin/python3 root/usr/bin/aws "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
aws --version
for profile in 'my team' my-team; do
	printf 'AKIAEXAMPLE\nexample\neu-west-1\n\n' | aws configure --profile "$profile" > prompts
done
want 'heading in config' "$(head -1 .aws/config)" "[profile 'my team']"
want 'heading in credentials' "$(head -1 .aws/credentials)" '[my team]'
want 'AWS CLI' "$(clean AWS_PROFILE='my team' /usr/bin/python3 who.py)" 'eu-west-1, AKIAEXAMPLE'
want 'Go' "$(clean AWS_PROFILE='my team' ./finding)" ', AKIAEXAMPLE'
want 'JavaScript' "$(clean AWS_PROFILE='my team' node who.js 2> warnings)" error
want 'Go, name without a space' "$(clean AWS_PROFILE=my-team ./finding)" 'eu-west-1, AKIAEXAMPLE'
want 'JavaScript, name without a space' "$(clean AWS_PROFILE=my-team node who.js 2> warnings)" 'eu-west-1, AKIAEXAMPLE'
