#!/usr/bin/env bash
# Docker's package for Python asks every credential helper of the machine before a build, and one that fails stops builds
# that have nothing to do with it.
#
# Guess:   a build whose base image is on one registry works while the AWS session for another registry has expired.
#          Docker's own command line builds it.
# Because: credHelpers says which helper is for which host, and resolve_authconfig of the same package asks the one for
#          the host.
# Really:  images.build() sends the logins for all hosts, so it starts all helpers in credHelpers and, with a credsStore,
#          looks up all that it lists. An error of any of them is raised before a request is sent. So tests with
#          containers, Ansible and the like fail with "Credentials store error" for an account that they do not use.
#          Docker's package for Go leaves out the helper that fails.
# Seen:    2026-11-30, docker 5.0.3 for Python (Debian 12), Go 1.26.8, docker/cli v29.9.0; the script plays the engine
# Output:  both helpers answer, Python: built, asked for 2 logins
#          one helper fails, Python: DockerException Credentials store error, nothing sent
#          one helper fails, Python, login of the other host: robot
#          one helper fails, Go: registry.example.com, <nil>
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download python3-docker=5.0.3-1 python3-websocket python3-six python3-urllib3 \
	python3-requests python3-chardet python3-idna python3-certifi
for package in *.deb; do dpkg -x "$package" root; done
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/docker/cli v29.9.0+incompatible
	github.com/docker/docker-credential-helpers v0.9.13
	github.com/sirupsen/logrus v1.10.2
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/docker/cli/cli/config"
)

func main() {
	loaded, err := config.Load(os.Getenv("DOCKER_CONFIG"))
	if err != nil {
		panic(err)
	}
	found, err := loaded.GetAllCredentials()
	fmt.Printf("%s, %v\n", strings.Join(slices.Sorted(maps.Keys(found)), " "), err)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
cat > engine.py <<'EOF'
import base64, http.server, json
class Engine(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        logins = json.loads(base64.urlsafe_b64decode(self.headers['X-Registry-Config']))
        open('sent', 'w').write(str(len(logins)))
        body = b'{"stream": "built"}'
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Engine)
print(server.server_port, flush=True)
server.serve_forever()
EOF
: > port
python3 engine.py > port &
pid=$!
for _ in {1..300}; do
	[ ! -s port ] || break
	sleep 0.1
done
cat > build.py <<'EOF'
import docker, io, os, sys
client = docker.APIClient(base_url=os.environ['DOCKER_HOST'], version='1.41')
if len(sys.argv) > 1:
    print(docker.auth.resolve_authconfig(client._auth_configs, sys.argv[1])['Username'])
    sys.exit()
try:
    found = list(client.build(fileobj=io.BytesIO(b'FROM registry.example.com/base\n'), decode=True))
    print('%s, asked for %s logins' % (found[0]['stream'], open('sent').read()))
except docker.errors.DockerException as error:
    print('%s %s, %s' % (type(error).__name__, str(error).split(':')[0], 'sent' if os.path.exists('sent') else 'nothing sent'))
EOF
mkdir bin
cat > bin/docker-credential-robot <<'EOF'
#!/bin/sh
echo '{"ServerURL":"example","Username":"robot","Secret":"example"}'
EOF
cp bin/docker-credential-robot bin/docker-credential-cloud
chmod +x bin/*
echo '{"credHelpers":{"registry.example.com":"robot","123456789012.dkr.ecr.eu-west-1.amazonaws.com":"cloud"}}' > config.json
clean() {
	env -i PATH="$dir/bin:$PATH" HOME="$dir" DOCKER_CONFIG="$dir" DOCKER_HOST="tcp://127.0.0.1:$(cat port)" \
		PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'both helpers answer, Python' "$(clean /usr/bin/python3 build.py)" 'built, asked for 2 logins'
rm sent
cat > bin/docker-credential-cloud <<'EOF'
#!/bin/sh
echo 'the SSO session has ended'
exit 1
EOF
want 'one helper fails, Python' "$(clean /usr/bin/python3 build.py)" 'DockerException Credentials store error, nothing sent'
want 'one helper fails, Python, login of the other host' "$(clean /usr/bin/python3 build.py registry.example.com)" robot
want 'one helper fails, Go' "$(clean ./finding 2> warnings)" 'registry.example.com, <nil>'
