#!/usr/bin/env bash
# Docker's registry lists a repository in its catalogue when it has a blob. Tags don't count, in either direction.
#
# Guess:   the catalogue has the repositories that have something to pull, and tags/list answers for each of them.
# Because: distribution's description of the API says that _catalog lists the available repositories, and tags/list is
#          the next step for whoever wants to mirror or clean a registry.
# Really:  a repository with tags but no blob of its own (an index without entries) is not in the catalogue. A
#          repository with a blob but no tag, as an interrupted push or a mount leaves it, is listed, and its
#          tags/list is 404 NAME_UNKNOWN: "not known to registry". A program that stops at the first error stops
#          there.
# Seen:    2026-11-28, docker-registry 2.8.2 (Debian 12)
# Output:  catalogue: ["blob-only"]
#          tags of tag-only: 200
#          tags of blob-only: 404
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker-registry=2.8.2+ds1-1
dpkg -x docker-registry_*.deb root
root/usr/bin/docker-registry --version
cat > config.yml <<'EOF'
version: 0.1
storage: {inmemory: {}}
http: {addr: "127.0.0.1:0"}
EOF
: > log
root/usr/bin/docker-registry serve config.yml > log 2>&1 &
pid=$!
for _ in {1..100}; do
	address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log)
	[ -z "$address" ] || break
	sleep 0.1
done
base=http://$address/v2

printf '{"schemaVersion":2,"manifests":[]}' > index
curl -sSf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @index "$base/tag-only/manifests/1"
location=$(curl -sS -D - -o /dev/null -X POST "$base/blob-only/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @index "$location&digest=sha256:$(sha256sum < index | cut -d ' ' -f 1)"

want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'catalogue' "$(curl -sS "$base/_catalog" | python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["repositories"]))')" '["blob-only"]'
want 'tags of tag-only' "$(curl -sS -o /dev/null -w '%{http_code}' "$base/tag-only/tags/list")" 200
want 'tags of blob-only' "$(curl -sS -o /dev/null -w '%{http_code}' "$base/blob-only/tags/list")" 404
