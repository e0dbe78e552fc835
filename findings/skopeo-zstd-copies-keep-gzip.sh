#!/usr/bin/env bash
# "skopeo copy --dest-compress-format zstd" pushes gzip layers, if the registry or another repository of it has the image.
#
# Guess:   a copy with --dest-compress-format zstd has zstd layers, or the command fails.
# Because: the manual page says that the option is the compression format to use, and the first copy to a registry does so.
# Really:  Skopeo compresses only what it has to send. A layer that the destination has in gzip is taken as it is, in a
#          new repository too: Skopeo remembers in a file in the home directory where it has seen layers, and mounts
#          them. So the same command makes one image on a new CI machine and another one, part gzip and part zstd, on a
#          machine that has copied before. Exit code 0, no message. A later version of Skopeo has
#          --dest-force-compress-format for it.
# Seen:    2026-11-30, Skopeo 1.9.3 (Debian 12), distribution 2.8.2 as the server (Debian 12)
# Output:  empty registry: zstd zstd
#          the repository has both layers: gzip gzip
#          the repository has one of the layers: gzip zstd
#          new repository, another has one of the layers: gzip zstd
#          new repository, new home directory: zstd zstd
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 docker-registry=2.8.2+ds1-1
for package in *.deb; do dpkg -x "$package" root; done
root/usr/bin/docker-registry --version
cat > config.yml <<'EOM'
version: 0.1
log: {accesslog: {disabled: true}}
storage: {inmemory: {}}
http: {addr: "127.0.0.1:0"}
EOM
serve() { # starts an empty registry, with no earlier copies in the home directory
	[ -z "$pid" ] || kill "$pid"
	: > log
	root/usr/bin/docker-registry serve config.yml > log 2>&1 &
	pid=$!
	for _ in {1..300}; do
		sed -n 's/.*listening on \(127[0-9.]*:[0-9]*\).*/\1/p' log > host
		[ ! -s host ] || break
		sleep 0.1
	done
	forget
}
user=$(id -u)
as=()
if [ "$user" = 0 ]; then # for root, Skopeo's file is one of the system
	user=65534
	as=(setpriv --reuid "$user" --regid "$user" --clear-groups)
	chmod 755 .
fi
forget() {
	rm -rf home
	install -d -o "$user" home
}
skopeo() {
	"${as[@]}" env HOME="$dir/home" XDG_DATA_HOME="$dir/home" XDG_RUNTIME_DIR="$dir/home" \
		LD_LIBRARY_PATH="$(echo root/usr/lib/*-linux-gnu)" root/usr/bin/skopeo --insecure-policy "$@"
}
forget
skopeo --version
cat > make.py <<'EOM'
import gzip, hashlib, io, json, os, tarfile
os.makedirs('images/blobs/sha256')
def put(media_type, content, **more):
    digest = hashlib.sha256(content).hexdigest()
    open('images/blobs/sha256/' + digest, 'wb').write(content)
    return {'mediaType': media_type, 'digest': 'sha256:' + digest, 'size': len(content), **more}
def image(tag, *names):
    layers, diffs = [], []
    for name in names:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode='w') as tar:
            tar.addfile(tarfile.TarInfo(name))
        diffs.append('sha256:' + hashlib.sha256(layer.getvalue()).hexdigest())
        layers.append(put('application/vnd.oci.image.layer.v1.tar+gzip', gzip.compress(layer.getvalue(), mtime=0)))
    config = {'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': diffs}}
    manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'layers': layers,
                'config': put('application/vnd.oci.image.config.v1+json', json.dumps(config).encode())}
    return put(manifest['mediaType'], json.dumps(manifest).encode(), annotations={'org.opencontainers.image.ref.name': tag})
entries = [image('base', 'base'), image('app', 'base', 'app')]
json.dump({'schemaVersion': 2, 'manifests': entries}, open('images/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open('images/oci-layout', 'w'))
EOM
python3 make.py
copy() { # image, destination, options
	local from=$1 to
	to=docker://$(cat host)/$2
	shift 2
	skopeo copy --quiet --dest-tls-verify=false "$@" "oci:images:$from" "$to"
}
zstd() { # destination: copies the image with zstd layers and prints what they are
	copy app "$1" --dest-compress-format zstd
	skopeo inspect --tls-verify=false --raw "docker://$(cat host)/$1" |
		python3 -c 'import json, sys; print(*[layer["mediaType"].split("+")[1] for layer in json.load(sys.stdin)["layers"]])'
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
serve
want 'empty registry' "$(zstd app:1)" 'zstd zstd'
serve
copy app app:1
want 'the repository has both layers' "$(zstd app:2)" 'gzip gzip'
serve
copy base app:1
want 'the repository has one of the layers' "$(zstd app:2)" 'gzip zstd'
want 'new repository, another has one of the layers' "$(zstd other:1)" 'gzip zstd'
forget
want 'new repository, new home directory' "$(zstd third:1)" 'zstd zstd'
