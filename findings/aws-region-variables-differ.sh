#!/usr/bin/env bash
# AWS_REGION is not a region for Python programs (boto3), and AWS_DEFAULT_REGION is none for Node.js. The AWS CLI and Go
# know both.
#
# Guess:   in a job that sets AWS_REGION, "aws ecr describe-repositories" and a Python script next to it ask the same
#          registry.
# Because: AWS sets AWS_REGION itself (Lambda, EKS, ECS), the AWS CLI is a Python program on botocore, as boto3 is, and it
#          takes AWS_REGION before AWS_DEFAULT_REGION.
# Really:  boto3 reads AWS_DEFAULT_REGION alone. With a profile that has a region, AWS_REGION=us-east-1 makes the AWS CLI
#          and Go list the repositories in us-east-1, and Python those of the profile's region, without a message. With
#          AWS_DEFAULT_REGION it is Node.js that stays in the profile's region. Only both variables together mean one
#          region to all four.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20, boto3 1.26.27
#          and AWS CLI 2.9.19 (Debian 12), as "aws configure list" shows it
# Output:  profile eu-west-1, AWS_REGION us-east-1: CLI us-east-1, Go us-east-1, Node.js us-east-1, Python eu-west-1
#          profile eu-west-1, AWS_DEFAULT_REGION us-east-1: CLI us-east-1, Go us-east-1, Node.js eu-west-1, Python us-east-1
#          no profile, AWS_REGION us-east-1: CLI us-east-1, Go us-east-1, Node.js us-east-1, Python nowhere
#          no profile, AWS_DEFAULT_REGION us-east-1: CLI us-east-1, Go us-east-1, Node.js nowhere, Python us-east-1
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download python3-boto3=1.26.27+dfsg-1 python3-botocore python3-s3transfer \
	awscli=2.9.19-1 python3-awscrt python3-colorama python3-dateutil python3-distro python3-docutils python3-jmespath \
	python3-prompt-toolkit python3-roman python3-ruamel.yaml python3-ruamel.yaml.clib python3-six python3-urllib3 \
	python3-wcwidth python3-requests python3-chardet python3-idna python3-certifi
for package in *.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --prefix "$dir" @aws-sdk/client-ecr@3.1169.0 > npm.log 2>&1 || { cat npm.log; exit 1; }
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2/config v1.33.18
)
EOF
cat > main.go <<'EOF'
package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(cmp.Or(loaded.Region, "nowhere"))
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
cat > where.js <<'EOF'
const { ECRClient } = require('@aws-sdk/client-ecr')
new ECRClient({}).config.region().then(region => console.log(region), () => console.log('nowhere'))
EOF
cat > where.py <<'EOF'
import boto3
print(boto3.Session().region_name or 'nowhere')
EOF
mkdir .aws
clean() {
	env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" AWS_EC2_METADATA_DISABLED=true \
		AWS_ACCESS_KEY_ID=AKIAEXAMPLE AWS_SECRET_ACCESS_KEY=example "$@"
}
cli() { # prints the region that "aws configure list" shows
	clean "$@" /usr/bin/python3 root/usr/bin/aws configure list | awk '$1 == "region" { print $2 }'
}
where() {
	echo "CLI $(cli "$@"), Go $(clean "$@" ./finding), Node.js $(clean "$@" node where.js 2> /dev/null), Python $(clean "$@" /usr/bin/python3 where.py)"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
printf '[default]\nregion = eu-west-1\n' > .aws/config
want 'profile eu-west-1, AWS_REGION us-east-1' "$(where AWS_REGION=us-east-1)" \
	'CLI us-east-1, Go us-east-1, Node.js us-east-1, Python eu-west-1'
want 'profile eu-west-1, AWS_DEFAULT_REGION us-east-1' "$(where AWS_DEFAULT_REGION=us-east-1)" \
	'CLI us-east-1, Go us-east-1, Node.js eu-west-1, Python us-east-1'
rm .aws/config
want 'no profile, AWS_REGION us-east-1' "$(where AWS_REGION=us-east-1)" \
	'CLI us-east-1, Go us-east-1, Node.js us-east-1, Python nowhere'
want 'no profile, AWS_DEFAULT_REGION us-east-1' "$(where AWS_DEFAULT_REGION=us-east-1)" \
	'CLI us-east-1, Go us-east-1, Node.js nowhere, Python us-east-1'
