#!/usr/bin/env bash
# Docker's registry 2.8 answers 404 for an OCI image that exists, unless Accept names its media type. curl's "Accept: */*"
# is not enough.
#
# Guess:   "curl -I HOST/v2/app/manifests/1" is 200 if app:1 exists. The registry sends what it has to a client that
#          accepts everything.
# Because: that is what "*/*" and a missing Accept mean (RFC 9110, 12.5.1), distribution-spec has 404 for a manifest that
#          does not exist, and the same command is 200 for an image that docker pushed.
# Really:  media types in Accept are compared as text. Without the OCI type, OCI images (of podman, BuildKit, ko, Helm)
#          are "manifest unknown", by tag and by digest, so a script that asks before it pushes pushes again, and a
#          clean-up takes the tag for deleted. An index that is named is no help for an image, and the reverse.
# Seen:    2026-11-30, docker-registry 2.8.2 (Debian 12), curl 7.88
# Output:  Docker image, */*: 200
#          Docker image, no Accept: 200
#          OCI image, */*: 404
#          OCI image, no Accept: 404
#          OCI image by digest, */*: 404
#          OCI image, application/*: 404
#          OCI image, its type: 200
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
for _ in {1..300}; do
	address=$(sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log)
	[ -z "$address" ] || break
	sleep 0.1
done
base=http://$address/v2/app

digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
upload() { # file
	location=$(curl -sS -D - -o /dev/null -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$(digest "$1")"
}
push() { # tag, then the media types of manifest, config and layer
	printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","size":%d,"digest":"%s"},"layers":[{"mediaType":"%s","size":%d,"digest":"%s"}]}' \
		"$2" "$3" "$(wc -c < config)" "$(digest config)" "$4" "$(wc -c < layer)" "$(digest layer)" > "$1"
	curl -sSf -o /dev/null -X PUT -H "Content-Type: $2" --data-binary "@$1" "$base/manifests/$1"
}
ask() { # tag or digest, then options of curl
	curl -sS -I -o /dev/null -w '%{http_code}' "${@:2}" "$base/manifests/$1"
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
printf layer > layer
printf '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s"]},"history":[{"created_by":"example"}]}' "$(digest layer)" > config
upload layer
upload config
docker=application/vnd.docker oci=application/vnd.oci.image
push docker $docker.distribution.manifest.v2+json $docker.container.image.v1+json $docker.image.rootfs.diff.tar
push oci $oci.manifest.v1+json $oci.config.v1+json $oci.layer.v1.tar
want 'Docker image, */*' "$(ask docker)" 200
want 'Docker image, no Accept' "$(ask docker -H Accept:)" 200
want 'OCI image, */*' "$(ask oci)" 404
want 'OCI image, no Accept' "$(ask oci -H Accept:)" 404
want 'OCI image by digest, */*' "$(ask "$(digest oci)")" 404
want 'OCI image, application/*' "$(ask oci -H 'Accept: application/*')" 404
want 'OCI image, its type' "$(ask oci -H "Accept: $oci.manifest.v1+json")" 200
