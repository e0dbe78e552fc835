#!/usr/bin/env bash
# A profile with access keys and an SSO login is the SSO user in the AWS CLI and the owner of the old keys in Go
# programs.
#
# Guess:   a profile is one identity. After "aws configure sso" for a profile, the AWS CLI and all programs that use
#          the profile are the SSO user.
# Because: the AWS SDKs and Tools Reference Guide says that the shared files work the same for the CLI and all SDKs.
#          "aws configure sso" adds its settings to ~/.aws/config and leaves the keys of that profile in
#          ~/.aws/credentials alone.
# Really:  botocore looks at the SSO settings of a profile before its keys, the SDK for Go at the keys first.
#          "aws sts get-caller-identity" shows the SSO user, "aws ecr get-login-password" logs docker in as that user,
#          and Go programs go on as the IAM user of the keys, in another account perhaps. No message.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, AWS CLI 2.9.19 (Debian 12)
# Output:  Go: SharedConfigCredentials, AKIAOLDKEYS
#          Go without the keys: SSOProvider
#          AWS CLI: sso
#          AWS CLI with the keys alone: shared-credentials-file
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download awscli=2.9.19-1 python3-awscrt python3-colorama python3-dateutil \
	python3-distro python3-docutils python3-jmespath python3-prompt-toolkit python3-roman python3-ruamel.yaml \
	python3-ruamel.yaml.clib python3-six python3-urllib3 python3-wcwidth
for package in *.deb; do dpkg -x "$package" root; done
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
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil { // no token of a login is stored
		fmt.Println("SSOProvider:", strings.Contains(err.Error(), "SSO"))
		return
	}
	source, _, _ := strings.Cut(found.Source, ":")
	fmt.Println(source+",", found.AccessKeyID)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
mkdir .aws
cat > .aws/config <<'EOM'
[profile team]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
region = eu-west-1

[sso-session corp]
sso_start_url = https://login.example.com/start
sso_region = eu-west-1
EOM
cat > .aws/credentials <<'EOM'
[team]
aws_access_key_id = AKIAOLDKEYS
aws_secret_access_key = example
EOM
cat > keys-only <<'EOM'
[profile team]
region = eu-west-1
EOM
# The method with which the CLI gets credentials; it is not run, so that no network is used.
cat > method.py <<'EOM'
import awscli.botocore.session
print(awscli.botocore.session.Session().get_credentials().method)
EOM
clean() { env -i PATH="$PATH" HOME="$dir" AWS_PROFILE=team PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
clean /usr/bin/python3 root/usr/bin/aws --version
want 'Go' "$(clean ./finding)" 'SharedConfigCredentials, AKIAOLDKEYS'
want 'Go without the keys' "$(clean AWS_SHARED_CREDENTIALS_FILE=/dev/null ./finding)" 'SSOProvider: true'
want 'AWS CLI' "$(clean /usr/bin/python3 method.py)" sso
want 'AWS CLI with the keys alone' "$(clean AWS_CONFIG_FILE="$dir/keys-only" /usr/bin/python3 method.py)" shared-credentials-file
