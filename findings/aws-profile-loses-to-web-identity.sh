#!/usr/bin/env bash
# In a Kubernetes pod with a role of its own, AWS_PROFILE chooses the role in the AWS CLI and is ignored by Go programs.
#
# Guess:   AWS_PROFILE names the profile, and the profile says which role is assumed. The AWS CLI and programs with the
#          SDK for Go use the same role in one container.
# Because: EKS sets AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN in every container of the service account. AWS_PROFILE
#          was set on purpose, to go on from there to a role in another account. The settings mean the same to all SDKs.
# Really:  the SDK for Go looks at the two variables of EKS first and never reads the profile, while botocore assumes
#          the role of the profile. So "aws ecr get-login-password" gets the token of one account, and a Go program
#          next to it that of another. The profile is used by Go if it is chosen in the code, as with a flag
#          "--profile".
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, AWS CLI 2.9.19 (Debian 12); STS played by the script
# Output:  Go, AWS_PROFILE=deploy in a pod: role/pod
#          Go, AWS_PROFILE=deploy elsewhere: role/deploy
#          Go, profile chosen in the code in a pod: role/deploy
#          AWS CLI, AWS_PROFILE=deploy in a pod: assume-role
#          AWS CLI, no profile in a pod: assume-role-with-web-identity
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
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	role := ""
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action := r.FormValue("Action")
		_, role, _ = strings.Cut(r.FormValue("RoleArn"), ":role")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>
			<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>example</SecretAccessKey><SessionToken>example</SessionToken>
			<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action)
	}))
	defer sts.Close()
	os.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	var options []func(*config.LoadOptions) error
	if len(os.Args) > 1 {
		options = append(options, config.WithSharedConfigProfile(os.Args[1]))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		panic(err)
	}
	if _, err := loaded.Credentials.Retrieve(ctx); err != nil {
		panic(err)
	}
	fmt.Println("role" + role)
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
mkdir .aws
cat > .aws/config <<'EOM'
[profile deploy]
role_arn = arn:aws:iam::210987654321:role/deploy
source_profile = base

[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
EOM
echo token > token
# The method with which the CLI gets credentials; it is not run, so that no network is used.
cat > method.py <<'EOM'
import awscli.botocore.session
print(awscli.botocore.session.Session().get_credentials().method)
EOM
clean() { env -i PATH="$PATH" HOME="$dir" AWS_REGION=eu-west-1 PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
pod() { clean AWS_WEB_IDENTITY_TOKEN_FILE="$dir/token" AWS_ROLE_ARN=arn:aws:iam::123456789012:role/pod "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
clean /usr/bin/python3 root/usr/bin/aws --version
want 'Go, AWS_PROFILE=deploy in a pod' "$(pod AWS_PROFILE=deploy ./finding)" role/pod
want 'Go, AWS_PROFILE=deploy elsewhere' "$(clean AWS_PROFILE=deploy ./finding)" role/deploy
want 'Go, profile chosen in the code in a pod' "$(pod ./finding deploy)" role/deploy
want 'AWS CLI, AWS_PROFILE=deploy in a pod' "$(pod AWS_PROFILE=deploy /usr/bin/python3 method.py)" assume-role
want 'AWS CLI, no profile in a pod' "$(pod /usr/bin/python3 method.py)" assume-role-with-web-identity
