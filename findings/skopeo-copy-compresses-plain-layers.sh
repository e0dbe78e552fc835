#!/usr/bin/env bash
# "skopeo copy oci:a oci:b" compresses layers that were not compressed, so the copy is another image with another
# digest.
#
# Guess:   a copy from one OCI layout to another has the same bytes and the same digest. Skopeo converts only when the
#          destination can't hold what the source has.
# Because: image-spec has a media type for uncompressed layers, a layout holds any blob, and the manual page names a
#          destination compression only as an option (--dest-compress), with "same as source" as its default.
# Really:  Skopeo asks every destination whether it would like compressed layers, and a layout says yes. The layer is
#          compressed, its annotations are dropped, the manifest is written again with another digest. Exit code 0, no
#          message. A signature of the source does not fit the copy. An image whose layers are compressed keeps its
#          digest, so tests with ordinary images don't show it. --preserve-digests prevents it.
# Seen:    2026-11-28, Skopeo 1.9.3 (Debian 12)
# Output:  layer before: application/vnd.oci.image.layer.v1.tar {"note": "example"}
#          layer after: application/vnd.oci.image.layer.v1.tar+gzip null
#          digests equal: no
#          digests equal with --preserve-digests: yes
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu)
skopeo() { root/usr/bin/skopeo --insecure-policy "$@"; }
skopeo --version

cat > make.py <<'EOF'
import hashlib, io, json, os, tarfile
os.makedirs('plain/blobs/sha256')
def put(media_type, content, **more):
    digest = hashlib.sha256(content).hexdigest()
    open('plain/blobs/sha256/' + digest, 'wb').write(content)
    return {'mediaType': media_type, 'digest': 'sha256:' + digest, 'size': len(content), **more}
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode='w') as tar:
    info = tarfile.TarInfo('hello.txt')
    info.size = 5
    tar.addfile(info, io.BytesIO(b'hello'))
layer = put('application/vnd.oci.image.layer.v1.tar', layer.getvalue(), annotations={'note': 'example'})
config = {'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': [layer['digest']]}}
manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'layers': [layer],
            'config': put('application/vnd.oci.image.config.v1+json', json.dumps(config).encode())}
entry = put(manifest['mediaType'], json.dumps(manifest).encode(), annotations={'org.opencontainers.image.ref.name': '1'})
json.dump({'schemaVersion': 2, 'manifests': [entry]}, open('plain/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open('plain/oci-layout', 'w'))
EOF
python3 make.py

skopeo copy --quiet oci:plain:1 oci:copy:1
skopeo copy --quiet --preserve-digests oci:plain:1 oci:kept:1
layer() {
	skopeo inspect --raw "oci:$1:1" |
		python3 -c 'import json, sys; layer = json.load(sys.stdin)["layers"][0]; print(layer["mediaType"], json.dumps(layer.get("annotations")))'
}
equal() { if [ "$(skopeo inspect --raw oci:plain:1 | sha256sum)" = "$(skopeo inspect --raw "oci:$1:1" | sha256sum)" ]; then echo yes; else echo no; fi; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'layer before' "$(layer plain)" 'application/vnd.oci.image.layer.v1.tar {"note": "example"}'
want 'layer after' "$(layer copy)" 'application/vnd.oci.image.layer.v1.tar+gzip null'
want 'digests equal' "$(equal copy)" no
want 'digests equal with --preserve-digests' "$(equal kept)" yes
