#!/usr/bin/env bash
# "registry garbage-collect --delete-untagged" of Docker's registry 2.8 deletes the platforms of a tagged multi-platform
# image that nobody gave a tag of their own.
#
# Guess:   --delete-untagged deletes manifests that no tag leads to. A tagged index keeps its images, as it keeps their
#          layers.
# Because: the registry refuses an index whose manifests it does not have, so it knows that the index needs them, and
#          BuildKit, crane and oras push the images of an index by digest, without tags.
# Really:  each manifest counts alone. One without a tag is deleted with its config and layers, and the index stays: the
#          tag is still there and still answers 200, and the pull fails with "manifest unknown" on every platform but
#          those that have a tag too. Without the flag nothing is lost. Push such an index again to repair it.
# Seen:    2026-11-30, docker-registry 2.8.2 (Debian 12)
# Output:  before: index 200, amd64 200, arm64 200
#          after garbage-collect: index 200, amd64 200, arm64 200
#          after garbage-collect --delete-untagged: index 200, amd64 200, arm64 404
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker-registry=2.8.2+ds1-1
dpkg -x docker-registry_*.deb root
registry=root/usr/bin/docker-registry
"$registry" --version
cat > config.yml <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: $dir/data}}
http: {addr: "127.0.0.1:0"}
EOF
start() {
	: > log
	"$registry" serve config.yml > log 2>&1 &
	pid=$!
	for _ in {1..300}; do
		address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log)
		[ -z "$address" ] || break
		sleep 0.1
	done
	base=http://$address/v2/app
}
stop() {
	kill "$pid"
	wait "$pid" || true
	pid=
}

oci=application/vnd.oci.image
digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
upload() { # file
	location=$(curl -sS -D - -o /dev/null -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$(digest "$1")"
}
put() { # file, media type, tag or digest
	curl -sSf -o /dev/null -X PUT -H "Content-Type: $oci.$2.v1+json" --data-binary "@$1" "$base/manifests/$3"
}
get() { # media type, tag or digest
	curl -sS -o /dev/null -w '%{http_code}' -H "Accept: $oci.$1.v1+json" "$base/manifests/$2"
}
state() { echo "index $(get index 1), amd64 $(get manifest "$(digest amd64)"), arm64 $(get manifest "$(digest arm64)")"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}

start
for architecture in amd64 arm64; do
	printf 'layer of %s' $architecture > layer
	printf '{"os":"linux","architecture":"%s","rootfs":{"type":"layers","diff_ids":["%s"]}}' $architecture "$(digest layer)" > config
	upload layer
	upload config
	printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","size":%d,"digest":"%s"},"layers":[{"mediaType":"%s.layer.v1.tar","size":%d,"digest":"%s"}]}' \
		$oci $oci "$(wc -c < config)" "$(digest config)" $oci "$(wc -c < layer)" "$(digest layer)" > $architecture
	put $architecture manifest "$(digest $architecture)"
	printf '{"mediaType":"%s.manifest.v1+json","size":%d,"digest":"%s","platform":{"os":"linux","architecture":"%s"}}' \
		$oci "$(wc -c < $architecture)" "$(digest $architecture)" $architecture > entry-$architecture
done
printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[%s,%s]}' $oci "$(cat entry-amd64)" "$(cat entry-arm64)" > index
put index index 1
put amd64 manifest 1-amd64
want before "$(state)" 'index 200, amd64 200, arm64 200'
stop
"$registry" garbage-collect config.yml > gc.log 2>&1
start
want 'after garbage-collect' "$(state)" 'index 200, amd64 200, arm64 200'
stop
"$registry" garbage-collect --delete-untagged config.yml > gc.log 2>&1
start
want 'after garbage-collect --delete-untagged' "$(state)" 'index 200, amd64 200, arm64 404'
