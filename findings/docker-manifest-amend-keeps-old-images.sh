#!/usr/bin/env bash
# "docker manifest create --amend" and "push" publish the images that the tags meant at the first run on this machine.
#
# Guess:   "docker manifest create --amend app:1 app:1-amd64 app:1-arm64" and "docker manifest push app:1" make a list of
#          what these two tags are now. --amend is there so that the command works again after the images were built
#          again.
# Because: without --amend the second run is refused, with "use --amend" as the advice, and every name on the command
#          line is a tag in a registry.
# Really:  the first run keeps the manifests in ~/.docker/manifests, and push does not remove them. A later run takes
#          these files and asks the registry for nothing. Exit code 0, and app:1 stays the old release, on machines that
#          build more than once. "docker manifest push --purge" removes the files, "docker manifest rm" too.
# Seen:    2026-11-30, Docker 20.10.24 (Debian 12); docker/cli v29.8.2 has the same look-up (getManifest). The registry
#          is distribution 2.8.2 (Debian 12)
# Output:  second run without --amend: refused
#          list after the first push: as built
#          list after the second push: as built before
#          list after push --purge and a third run: as built
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download docker.io=20.10.24+dfsg1-1+deb12u1+b6 docker-registry=2.8.2+ds1-1
for package in *.deb; do dpkg -x "$package" root; done
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

digest() { echo "sha256:$(sha256sum < "$1" | cut -d ' ' -f 1)"; }
descriptor() { # media type, file
	printf '{"mediaType":"%s","size":%d,"digest":"%s"}' "$1" "$(wc -c < "$2")" "$(digest "$2")"
}
upload() { # file
	location=$(curl -sS -D - -o /dev/null -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary @"$1" "$location&digest=$(digest "$1")"
}
build() { # content: pushes app:1-amd64 and app:1-arm64, and keeps their digests in the file built
	local type=application/vnd.docker
	[ ! -e built ] || mv built before
	for architecture in amd64 arm64; do
		echo "$1" > layer
		printf '{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' $architecture "$(digest layer)" > config
		upload layer
		upload config
		printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' $type.distribution.manifest.v2+json \
			"$(descriptor $type.container.image.v1+json config)" "$(descriptor $type.image.rootfs.diff.tar.gzip layer)" > manifest
		curl -sSf -o /dev/null -X PUT -H "Content-Type: $type.distribution.manifest.v2+json" --data-binary @manifest "$base/manifests/1-$architecture"
		digest manifest >> built
	done
}
export HOME=$dir DOCKER_CLI_EXPERIMENTAL=enabled
manifest() { root/usr/bin/docker manifest "$@" > out 2> err; }
create() { manifest create --insecure "$@" "$address/app:1" "$address/app:1-amd64" "$address/app:1-arm64"; }
published() {
	curl -sS -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' "$base/manifests/1" | grep -o 'sha256:[0-9a-f]*' | sort > list
	if cmp -s list <(sort built); then echo as built; elif cmp -s list <(sort before); then echo as built before; else cat list; fi
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
root/usr/bin/docker --version
build 'first build'
create
manifest push --insecure "$address/app:1"
first=$(published)
build 'second build'
want 'second run without --amend' "$(create || grep -q -- --amend err && echo refused)" refused
want 'list after the first push' "$first" 'as built'
create --amend
manifest push --insecure "$address/app:1"
want 'list after the second push' "$(published)" 'as built before'
manifest push --insecure --purge "$address/app:1"
create
manifest push --insecure "$address/app:1"
want 'list after push --purge and a third run' "$(published)" 'as built'
