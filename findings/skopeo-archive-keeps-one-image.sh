#!/usr/bin/env bash
# Copying a second image into an OCI archive with Skopeo deletes the first one.
#
# Guess:   "skopeo copy … oci-archive:both.tar:db" adds an entry "db" to both.tar, which has the entry "web", or it
#          fails because the file exists.
# Because: oci-archive is documented as an OCI layout in a tar, with the same reference after the path, and
#          oci:DIR:db adds the image to a layout. With docker-archive, Skopeo refuses to touch an existing file.
# Really:  the archive is written again with the new image alone. Exit code 0, no message, and "web" is gone. A loop
#          over the images of a release leaves the last one.
# Seen:    2026-11-30, Skopeo 1.9.3 (Debian 12)
# Output:  names in the directory: db web
#          names in the archive: db
#          docker-archive: refused
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
import gzip, hashlib, io, json, os, tarfile
os.makedirs('images/blobs/sha256')
def put(media_type, content, **more):
    digest = hashlib.sha256(content).hexdigest()
    open('images/blobs/sha256/' + digest, 'wb').write(content)
    return {'mediaType': media_type, 'digest': 'sha256:' + digest, 'size': len(content), **more}
def image(name):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode='w') as tar:
        tar.addfile(tarfile.TarInfo(name))
    diff = 'sha256:' + hashlib.sha256(layer.getvalue()).hexdigest()
    config = {'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': [diff]}}
    manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                'config': put('application/vnd.oci.image.config.v1+json', json.dumps(config).encode()),
                'layers': [put('application/vnd.oci.image.layer.v1.tar+gzip', gzip.compress(layer.getvalue(), mtime=0))]}
    return put(manifest['mediaType'], json.dumps(manifest).encode(), annotations={'org.opencontainers.image.ref.name': name})
json.dump({'schemaVersion': 2, 'manifests': [image('web'), image('db')]}, open('images/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open('images/oci-layout', 'w'))
EOF
python3 make.py

names() { python3 -c 'import json, sys; print(*sorted(m["annotations"]["org.opencontainers.image.ref.name"] for m in json.load(sys.stdin)["manifests"]))'; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
for name in web db; do
	skopeo copy --quiet "oci:images:$name" "oci:both:$name"
	skopeo copy --quiet "oci:images:$name" "oci-archive:both.tar:$name"
done
want 'names in the directory' "$(names < both/index.json)" 'db web'
want 'names in the archive' "$(tar xOf both.tar index.json | names)" db
skopeo copy --quiet oci:images:web docker-archive:docker.tar:web:1
want 'docker-archive' "$(skopeo copy --quiet oci:images:db docker-archive:docker.tar:db:1 2> message || echo refused)" refused
grep -q 'modifying existing images' message || { cat message; exit 1; }
