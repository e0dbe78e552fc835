#!/usr/bin/env bash
# Docker's registry 2.8 ignores n and last of tags/list: every page is the whole list, without a Link header.
#
# Guess:   tags/list?n=2 returns two tags and a Link header for the next page; ?n=2&last=TAG returns the tags after
#          TAG.
# Because: distribution-spec ("Listing Tags") and the registry's own description of its API ("Tags Paginated") say so,
#          and the same server has pages for _catalog.
# Really:  both parameters are ignored for tags. A client that asks for "the tags after the last one that I have" gets
#          all of them again. One that limits its memory by n gets everything at once. _catalog has real pages.
# Seen:    2026-11-28, docker-registry 2.8.2 (Debian 12)
# Output:  tags, n=2: 5 names, Link: no
#          tags, n=2, after the last: 5 names, Link: no
#          catalogue, n=1: 1 names, Link: yes
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
for repository in web db; do # the catalogue lists repositories with a blob
	location=$(curl -sS -D - -o /dev/null -X POST "$base/$repository/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @index "$location&digest=sha256:$(sha256sum < index | cut -d ' ' -f 1)"
done
for target in web/manifests/{1,2,3,4,5} db/manifests/1; do
	curl -sSf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @index "$base/$target"
done
names() { # path
	curl -sS -D headers "$base/$1" | python3 -c 'import json, sys; print(len(list(json.load(sys.stdin).values())[-1]), "names", end="")'
	if grep -qi '^link:' headers; then echo ', Link: yes'; else echo ', Link: no'; fi
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'tags, n=2' "$(names 'web/tags/list?n=2')" '5 names, Link: no'
want 'tags, n=2, after the last' "$(names 'web/tags/list?n=2&last=5')" '5 names, Link: no'
want 'catalogue, n=1' "$(names '_catalog?n=1')" '1 names, Link: yes'
