#!/usr/bin/env bash
# A variable that is set and empty means "not set" to Go. AWS_PROFILE= stops the AWS CLI, AWS_REGION= stops the AWS CLI and
# Node.js, and empty names of files hide the files from the AWS CLI.
#
# Guess:   an empty variable is one that is not set, for all of them or for none. Workflows and compose files pass empty
#          ones on when an input is missing (AWS_PROFILE: ${{ inputs.profile }}).
# Because: all three programs ignore an empty AWS_ACCESS_KEY_ID.
# Really:  it depends on the variable and on the program. The AWS CLI looks for a profile without a name, reads no file,
#          and takes the empty region, although the profile has one. Node.js refuses the empty region, but goes on with
#          the default profile and the default files. Go takes the next source each time.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20, AWS CLI
#          2.9.19 (Debian 12)
# Output:  AWS_PROFILE=, Go: eu-west-1, AKIAEXAMPLE
#          AWS_PROFILE=, JavaScript: eu-west-1, AKIAEXAMPLE
#          AWS_PROFILE=, AWS CLI: error
#          AWS_REGION=, Go: eu-west-1, AKIAEXAMPLE
#          AWS_REGION=, JavaScript: error
#          AWS_REGION=, AWS CLI: , AKIAEXAMPLE
#          AWS_CONFIG_FILE=, Go: eu-west-1, AKIAEXAMPLE
#          AWS_CONFIG_FILE=, JavaScript: eu-west-1, AKIAEXAMPLE
#          AWS_CONFIG_FILE=, AWS CLI: None, AKIAEXAMPLE
#          AWS_SHARED_CREDENTIALS_FILE=, Go: eu-west-1, AKIAEXAMPLE
#          AWS_SHARED_CREDENTIALS_FILE=, JavaScript: eu-west-1, AKIAEXAMPLE
#          AWS_SHARED_CREDENTIALS_FILE=, AWS CLI: error
#          AWS_ACCESS_KEY_ID=, Go: eu-west-1, AKIAEXAMPLE
#          AWS_ACCESS_KEY_ID=, JavaScript: eu-west-1, AKIAEXAMPLE
#          AWS_ACCESS_KEY_ID=, AWS CLI: eu-west-1, AKIAEXAMPLE
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
mkdir .aws
printf '[default]\nregion = eu-west-1\n' > .aws/config
printf '[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n' > .aws/credentials
clean() { env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
clean /usr/bin/python3 root/usr/bin/aws --version
check() { # variable, Go, JavaScript, AWS CLI
	want "$1=, Go" "$(clean "$1=" ./finding)" "$2"
	want "$1=, JavaScript" "$(clean "$1=" node who.js 2> warnings)" "$3"
	want "$1=, AWS CLI" "$(clean "$1=" /usr/bin/python3 who.py)" "$4"
}
check AWS_PROFILE 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE' error
check AWS_REGION 'eu-west-1, AKIAEXAMPLE' error ', AKIAEXAMPLE'
check AWS_CONFIG_FILE 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE' 'None, AKIAEXAMPLE'
check AWS_SHARED_CREDENTIALS_FILE 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE' error
check AWS_ACCESS_KEY_ID 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE' 'eu-west-1, AKIAEXAMPLE'
