#!/usr/bin/env bash
# With HTTP_PROXY set, the AWS CLI and boto3 send requests for an endpoint on 127.0.0.1 to the proxy. Go and Node.js
# programs, and the calls of docker and crane to the same server, do not.
#
# Guess:   "aws --endpoint-url http://127.0.0.1:4510 ecr …" asks the emulator on this machine, behind a company's proxy
#          too, as a Go program with AWS_ENDPOINT_URL does.
# Because: no proxy can reach another machine's 127.0.0.1, and Go's ProxyFromEnvironment leaves out localhost and
#          loopback addresses without a word in NO_PROXY.
# Really:  botocore goes by NO_PROXY alone. The proxy gets the request, with the signature, and answers with an error page
#          or a time-out that looks like one of the emulator. NO_PROXY=127.0.0.1 helps; the SDK for JavaScript ignores
#          all these variables.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, service/ecr v1.67.4, @aws-sdk/client-ecr 3.1169.0,
#          Node.js 20, boto3 1.26.27 and AWS CLI 2.9.19 (Debian 12)
# Output:  Go: the emulator
#          Node.js: the emulator
#          AWS CLI: the proxy
#          Python: the proxy
#          Python, localhost: the proxy
#          Python, NO_PROXY=127.0.0.1: the emulator
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
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
	github.com/aws/aws-sdk-go-v2/service/ecr v1.67.4
)
EOF
cat > main.go <<'EOF'
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	found, err := ecr.NewFromConfig(loaded).DescribeRepositories(ctx, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(*found.Repositories[0].RepositoryName)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
cat > ask.js <<'EOF'
const { ECRClient, DescribeRepositoriesCommand } = require('@aws-sdk/client-ecr')
new ECRClient({}).send(new DescribeRepositoriesCommand({})).then(found => console.log(found.repositories[0].repositoryName))
EOF
cat > ask.py <<'EOF'
import boto3, os
client = boto3.client('ecr', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
print(client.describe_repositories()['repositories'][0]['repositoryName'])
EOF
cat > servers.py <<'EOF'
import http.server, json, threading
def serve(name):
    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get('Content-Length', 0)))
            body = json.dumps({'repositories': [{'repositoryName': name}]}).encode()
            self.send_response(200)
            self.send_header('Content-Type', 'application/x-amz-json-1.1')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Server)
    threading.Thread(target=server.serve_forever).start()
    return server.server_port
print(serve('the emulator'), serve('the proxy'), flush=True)
EOF
: > ports
python3 servers.py > ports &
pid=$!
for _ in {1..300}; do
	[ ! -s ports ] || break
	sleep 0.1
done
read -r emulator proxy < ports
clean() {
	env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1 \
		AWS_ACCESS_KEY_ID=AKIAEXAMPLE AWS_SECRET_ACCESS_KEY=example AWS_ENDPOINT_URL="http://127.0.0.1:$emulator" \
		HTTP_PROXY="http://127.0.0.1:$proxy" http_proxy="http://127.0.0.1:$proxy" "$@"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want Go "$(clean ./finding)" 'the emulator'
want Node.js "$(clean node ask.js 2> /dev/null)" 'the emulator'
cli() { clean "$@" --endpoint-url "http://127.0.0.1:$emulator" --query 'repositories[0].repositoryName' --output text; }
want 'AWS CLI' "$(cli /usr/bin/python3 root/usr/bin/aws ecr describe-repositories)" 'the proxy'
want Python "$(clean /usr/bin/python3 ask.py)" 'the proxy'
want 'Python, localhost' "$(clean AWS_ENDPOINT_URL="http://localhost:$emulator" /usr/bin/python3 ask.py)" 'the proxy'
want 'Python, NO_PROXY=127.0.0.1' "$(clean NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 /usr/bin/python3 ask.py)" 'the emulator'
