#!/usr/bin/env bash
# Docker's registry answers a request for a multi-platform tag with the manifest of one image, linux/amd64, if Accept
# lacks lists.
#
# Guess:   a tag of a manifest list has one digest. A client that does not accept lists gets an error (404 or 406), or
#          the list all the same.
# Because: distribution-spec calls Accept a hint by the client, and says that the digest in the answer is that of the
#          content; a tag that is one thing for one client and another for the next is nowhere described there.
# Really:  the registry picks the list's linux/amd64 entry and answers 200 with its manifest and its digest, to GET
#          and to HEAD. There is no sign that the tag is a list. So "what digest has this tag" has two answers, and a
#          copy made with the second loses the other platforms. A list without an amd64 entry is 404 for the same
#          request.
# Seen:    2026-11-28, docker-registry 2.8.2 (Debian 12)
# Output:  accepts lists: 200 sha256:LIST
#          accepts images: 200 sha256:AMD64
#          HEAD, accepts images: 200 sha256:AMD64
#          arm64 only, accepts images: 404
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
base=http://$address/v2/app
docker=application/vnd.docker.distribution.manifest

digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
blob() {
	location=$(curl -sS -D - -o /dev/null -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$(digest "$1")"
}
put() { curl -sSf -o /dev/null -X PUT -H "Content-Type: $docker.$2+json" --data-binary "@$1" "$base/manifests/$3"; }
ask() { curl -sS -o /dev/null -w '%{http_code} %header{Docker-Content-Digest}' "$@"; }

printf layer > layer
blob layer
for arch in amd64 arm64; do
	printf '{"os":"linux","architecture":"%s","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$arch" "$(digest layer)" > config
	blob config
	printf '{"schemaVersion":2,"mediaType":"%s.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":"%s"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","size":5,"digest":"%s"}]}' \
		"$docker" "$(stat -c %s config)" "$(digest config)" "$(digest layer)" > "$arch"
	put "$arch" v2 "$arch"
	printf '{"mediaType":"%s.v2+json","size":%d,"digest":"%s","platform":{"os":"linux","architecture":"%s"}}' \
		"$docker" "$(stat -c %s "$arch")" "$(digest "$arch")" "$arch" > "entry-$arch"
done
for tag in both arm-only; do
	if [ "$tag" = both ]; then entries="$(cat entry-arm64),$(cat entry-amd64)"; else entries=$(cat entry-arm64); fi
	printf '{"schemaVersion":2,"mediaType":"%s.list.v2+json","manifests":[%s]}' "$docker" "$entries" > "$tag"
	put "$tag" list.v2 "$tag"
done

want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'accepts lists' "$(ask -H "Accept: $docker.list.v2+json" "$base/manifests/both")" "200 $(digest both)"
want 'accepts images' "$(ask -H "Accept: $docker.v2+json" "$base/manifests/both")" "200 $(digest amd64)"
want 'HEAD, accepts images' "$(ask -I -H "Accept: $docker.v2+json" "$base/manifests/both")" "200 $(digest amd64)"
want 'arm64 only, accepts images' "$(ask -H "Accept: $docker.v2+json" "$base/manifests/arm-only")" '404 '
