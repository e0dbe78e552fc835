#!/usr/bin/env bash
# AWS_EC2_METADATA_DISABLED=1 turns the instance's role off in Node.js. Go and Python programs still use the role.
#
# Guess:   1 turns it off like "true", or is refused: a setting that takes credentials away does not fail silently.
# Because: 1 is what one writes for an environment variable that turns something on, other switches of the SDKs refuse a
#          value that they do not know (AWS_USE_FIPS_ENDPOINT=1 stops Go), and the variable is shared by all SDKs.
# Really:  Go and Python know the word "true" alone, in any case, and take every other value for "not set". A CI job that
#          is to have no AWS account gets the role of the machine that it runs on, and can push with it. Node.js takes
#          every value but "false" for yes.
# Seen:    2026-11-30, Go 1.26.8, aws-sdk-go-v2/config v1.33.18, @aws-sdk/client-ecr 3.1169.0, Node.js 20, boto3 1.26.27
#          (Debian 12); the script plays the instance's metadata
# Output:  not set: Go ASIAINSTANCE, Python ASIAINSTANCE, Node.js ASIAINSTANCE
#          true: Go nobody, Python nobody, Node.js nobody
#          True: Go nobody, Python nobody, Node.js nobody
#          1: Go ASIAINSTANCE, Python ASIAINSTANCE, Node.js nobody
#          yes: Go ASIAINSTANCE, Python ASIAINSTANCE, Node.js nobody
#          false: Go ASIAINSTANCE, Python ASIAINSTANCE, Node.js ASIAINSTANCE
#          AWS_USE_FIPS_ENDPOINT=1, Go: refused
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download python3-boto3=1.26.27+dfsg-1 python3-botocore python3-s3transfer \
	python3-dateutil python3-jmespath python3-six python3-urllib3 python3-requests python3-chardet python3-idna python3-certifi
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
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Println("refused")
		return
	}
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		fmt.Println("nobody")
		return
	}
	fmt.Println(found.AccessKeyID)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
cat > who.js <<'EOF'
const { ECRClient } = require('@aws-sdk/client-ecr')
const client = new ECRClient({ region: 'eu-west-1' })
client.config.credentials().then(found => console.log(found.accessKeyId), () => console.log('nobody'))
EOF
cat > who.py <<'EOF'
import boto3
found = boto3.Session().get_credentials()
print(found.access_key if found else 'nobody')
EOF
cat > metadata.py <<'EOF'
import http.server, json
role = {'Code': 'Success', 'LastUpdated': '2026-01-01T00:00:00Z', 'Type': 'AWS-HMAC', 'AccessKeyId': 'ASIAINSTANCE',
        'SecretAccessKey': 'example', 'Token': 'example', 'Expiration': '2099-01-01T00:00:00Z'}
class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.rstrip('/')
        if path.endswith('/api/token'):
            body = 'example'
        elif path.endswith('/security-credentials'):
            body = 'builder'
        elif path.endswith('/security-credentials/builder'):
            body = json.dumps(role)
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('X-Aws-Ec2-Metadata-Token-Ttl-Seconds', '21600')
        self.end_headers()
        self.wfile.write(body.encode())
    do_PUT = do_GET
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Metadata)
print(server.server_port, flush=True)
server.serve_forever()
EOF
: > port
python3 metadata.py > port &
pid=$!
for _ in {1..300}; do
	[ ! -s port ] || break
	sleep 0.1
done
clean() {
	env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" \
		AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:$(cat port)" "$@"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
who() { # an argument of env
	echo "Go $(clean "$@" ./finding), Python $(clean "$@" /usr/bin/python3 who.py), Node.js $(clean "$@" node who.js 2> /dev/null)"
}
role='ASIAINSTANCE'
want 'not set' "$(who)" "Go $role, Python $role, Node.js $role"
for value in true True; do
	want $value "$(who AWS_EC2_METADATA_DISABLED=$value)" 'Go nobody, Python nobody, Node.js nobody'
done
for value in 1 yes; do
	want $value "$(who AWS_EC2_METADATA_DISABLED=$value)" "Go $role, Python $role, Node.js nobody"
done
want false "$(who AWS_EC2_METADATA_DISABLED=false)" "Go $role, Python $role, Node.js $role"
want 'AWS_USE_FIPS_ENDPOINT=1, Go' "$(clean AWS_USE_FIPS_ENDPOINT=1 ./finding)" refused
