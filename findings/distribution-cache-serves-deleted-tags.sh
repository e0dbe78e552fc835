#!/usr/bin/env bash
# A pull-through cache of distribution goes on to serve a tag that was deleted upstream, and does not list it.
#
# Guess:   "proxy: remoteurl" answers 404 for a tag as soon as the upstream registry does. What was pulled before is only
#          served while upstream cannot be reached.
# Because: the documentation of the mirror says that at a pull with a tag the registry asks the remote for the latest
#          version, and a tag that moves is indeed followed at once. The list of tags is that of upstream too.
# Really:  any failure of the look-up, also a 404 from upstream, means "take the tag as it was". Who deletes a release
#          because it must not be used any more goes on to deliver it: pulls by tag work as long as the manifest is in the
#          cache (168 hours by default, without end with "ttl: 0"), although "tags/list" of the same cache lacks the tag.
# Seen:    2026-11-30, distribution 2.8.2 (Debian 12), for the cache and upstream; v3.1.2 has the same code
#          (proxyTagService.Get)
# Output:  tag 1, upstream and cache: 200 200
#          tag 1 moved, upstream and cache: 200 200, the same digest
#          tag 1 deleted, upstream and cache: 404 200
#          tags that the cache lists: 0
#          tag 2, never pulled before, upstream and cache: 404 404
set -euo pipefail
dir=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker-registry=2.8.2+ds1-1
dpkg -x docker-registry_*.deb root
serve() { # name, line of the configuration: sets address
	printf '%s\n' 'version: 0.1' 'storage: {inmemory: {}, delete: {enabled: true}}' 'http: {addr: "127.0.0.1:0"}' "$2" > "$1.yml"
	: > "$1.log"
	root/usr/bin/docker-registry serve "$1.yml" > "$1.log" 2>&1 &
	pids+=($!)
	for _ in {1..100}; do
		address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' "$1.log")
		[ -z "$address" ] || break
		sleep 0.1
	done
}
serve upstream ''
upstream=http://$address/v2/app
serve cache "proxy: {remoteurl: \"http://$address\"}"
cache=http://$address/v2/app

type=application/vnd.docker.distribution.manifest.v2+json
digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
push() { # tag, architecture
	printf '{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' "$2" > config
	location=$(curl -sS -D - -o /dev/null -X POST "$upstream/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @config "$location&digest=$(digest config)"
	printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":"%s"},"layers":[]}' \
		"$type" "$(wc -c < config)" "$(digest config)" > manifest
	curl -sSf -o /dev/null -X PUT -H "Content-Type: $type" --data-binary @manifest "$upstream/manifests/$1"
}
get() { curl -sS -o "$2" -w '%{http_code}' -H "Accept: $type" "$1"; }
both() { # tag
	echo "$(get "$upstream/manifests/$1" a) $(get "$cache/manifests/$1" b)"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
push 1 amd64
want 'tag 1, upstream and cache' "$(both 1)" '200 200'
push 1 arm64
want 'tag 1 moved, upstream and cache' "$(both 1), $(cmp -s a b && echo the same digest)" '200 200, the same digest'
curl -sSf -X DELETE "$upstream/manifests/$(digest manifest)"
want 'tag 1 deleted, upstream and cache' "$(both 1)" '404 200'
want 'tags that the cache lists' "$(curl -sS "$cache/tags/list" | grep -c '"1"' || true)" 0
push 2 s390x
curl -sSf -X DELETE "$upstream/manifests/$(digest manifest)"
want 'tag 2, never pulled before, upstream and cache' "$(both 2)" '404 404'
