#!/usr/bin/env bash
# "region = eu-west-1 # Ireland" in ~/.aws/config is eu-west-1 for the AWS SDKs for Go and JavaScript, and
# "eu-west-1 # Ireland" for the AWS CLI. A ";" in a credential_process cuts the command for the SDKs.
#
# Guess:   one file, one meaning: what works with "aws" works with every other program.
# Because: ~/.aws/config is documented as shared by the AWS CLI and the SDKs, and all read the same values elsewhere.
# Really:  the SDKs cut a value at a "#" or ";" that follows a space, the AWS CLI only knows comments that are lines. A
#          key with a comment works in Go and is no key for the AWS CLI, whose message is about a wrong header. The
#          other way, a credential_process with "; " in quotes works for the AWS CLI, and Go and JavaScript start
#          half of it: a shell reports a missing quote, or the command runs with fewer arguments.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20, AWS CLI
#          2.9.19 (Debian 12)
# Output:  comment, Go: eu-west-1, AKIAEXAMPLE
#          comment, JavaScript: eu-west-1, AKIAEXAMPLE
#          comment, AWS CLI: eu-west-1 # Ireland, AKIAEXAMPLE # team
#          process, Go: eu-west-1, ONE-ARGUMENT
#          process, JavaScript: eu-west-1, ONE-ARGUMENT
#          process, AWS CLI: eu-west-1, FOUR-ARGUMENTS
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
cat > process.sh <<'EOM'
#!/bin/sh
case $# in 1) key=ONE-ARGUMENT ;; 4) key=FOUR-ARGUMENTS ;; *) key=$# ;; esac
echo '{"Version": 1, "AccessKeyId": "'$key'", "SecretAccessKey": "example"}'
EOM
chmod +x process.sh
mkdir .aws
cat > .aws/config <<EOM
[profile comment]
region = eu-west-1 # Ireland
aws_access_key_id = AKIAEXAMPLE # team
aws_secret_access_key = example

[profile process]
region = eu-west-1
credential_process = $dir/process.sh --quiet ; --role deploy
EOM
clean() { env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
clean /usr/bin/python3 root/usr/bin/aws --version
check() { # profile, Go, JavaScript, AWS CLI
	want "$1, Go" "$(clean AWS_PROFILE="$1" ./finding)" "$2"
	want "$1, JavaScript" "$(clean AWS_PROFILE="$1" node who.js 2> warnings)" "$3"
	want "$1, AWS CLI" "$(clean AWS_PROFILE="$1" /usr/bin/python3 who.py)" "$4"
}
check comment 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE' 'eu-west-1 # Ireland, AKIAEXAMPLE # team'
check process 'eu-west-1, ONE-ARGUMENT' 'eu-west-1, ONE-ARGUMENT' 'eu-west-1, FOUR-ARGUMENTS'
