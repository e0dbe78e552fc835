#!/usr/bin/env bash
# distribution's notifications call every HEAD request a pull: a check for updates counts, and a push does too.
#
# Guess:   an event with the action "pull" means that somebody has read a manifest or a layer. Counting these events, or
#          deleting what had none for months, follows the use of images.
# Because: the documentation says that notifications are sent for pushes and pulls of manifests and layers, and a client
#          sends HEAD to learn a digest without pulling.
# Really:  a HEAD request sends the same event as a GET. A job that asks for the digest each minute (crane digest) keeps every image in use, and pushing an image again "pulls" each of its layers, since
#          clients ask first whether they exist. Only "request.method" in the event tells them apart.
# Seen:    2026-11-30, distribution 2.8.2 (Debian 12); v3.1.2 has the same code (registry/listener)
# Output:  first push: pull 0, push 3
#          HEAD for the tag: pull 1, push 0
#          HEAD for the digest: pull 1, push 0
#          second push, HEAD for two blobs, PUT of the manifest: pull 2, push 1
#          GET for the tag: pull 1, push 0
#          methods of all pulls: GET 1, HEAD 4
set -euo pipefail
dir=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker-registry=2.8.2+ds1-1
dpkg -x docker-registry_*.deb root
cat > receive.py <<'EOF'
import http.server, json, os

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers['Content-Length'])))['events']:
            print(event['action'], event['request']['method'], file=events, flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass

events = open('events', 'w')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
print(server.server_port, file=open('port.new', 'w'), flush=True)
os.rename('port.new', 'port')
server.serve_forever()
EOF
python3 receive.py &
pids+=($!)
for _ in {1..100}; do
	[ ! -e port ] || break
	sleep 0.1
done
cat > config.yml <<EOF
version: 0.1
storage: {inmemory: {}}
http: {addr: "127.0.0.1:0"}
notifications: {endpoints: [{name: all, url: "http://127.0.0.1:$(cat port)/", timeout: 5s, threshold: 3, backoff: 1s}]}
EOF
: > log
root/usr/bin/docker-registry serve config.yml > log 2>&1 &
pids+=($!)
for _ in {1..100}; do
	address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log)
	[ -z "$address" ] || break
	sleep 0.1
done
base=http://$address/v2/app
type=application/vnd.docker.distribution.manifest.v2+json

digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
descriptor() { # media type, file
	printf '{"mediaType":"application/vnd.docker.%s","size":%d,"digest":"%s"}' "$1" "$(wc -c < "$2")" "$(digest "$2")"
}
upload() { # file
	location=$(curl -sS -D - -o /dev/null -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @"$1" "$location&digest=$(digest "$1")"
}
tag() { curl -sSf -o /dev/null -X PUT -H "Content-Type: $type" --data-binary @manifest "$base/manifests/1"; }
read_manifest() { curl -sSf -o /dev/null -H "Accept: $type" "$@"; }
seen=0
since() { # number of events: waits for them and counts both kinds
	for _ in {1..100}; do
		[ "$(wc -l < events)" -lt $((seen + $1)) ] || break
		sleep 0.1
	done
	tail -n +$((seen + 1)) events > new
	echo "pull $(grep -c ^pull new || true), push $(grep -c ^push new || true)"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
	seen=$(wc -l < events)
}
echo example > layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(digest layer)" > config
printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' $type \
	"$(descriptor container.image.v1+json config)" "$(descriptor image.rootfs.diff.tar.gzip layer)" > manifest
upload layer
upload config
tag
want 'first push' "$(since 3)" 'pull 0, push 3'
read_manifest --head "$base/manifests/1"
want 'HEAD for the tag' "$(since 1)" 'pull 1, push 0'
read_manifest --head "$base/manifests/$(digest manifest)"
want 'HEAD for the digest' "$(since 1)" 'pull 1, push 0'
for blob in layer config; do curl -sSf -o /dev/null --head "$base/blobs/$(digest $blob)"; done
tag
want 'second push, HEAD for two blobs, PUT of the manifest' "$(since 3)" 'pull 2, push 1'
read_manifest "$base/manifests/1"
want 'GET for the tag' "$(since 1)" 'pull 1, push 0'
want 'methods of all pulls' "GET $(grep -c '^pull GET' events), HEAD $(grep -c '^pull HEAD' events)" 'GET 1, HEAD 4'
