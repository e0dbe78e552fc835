#!/usr/bin/env bash
# An image that goes through an OCI layout or archive with Skopeo comes out without its health check.
#
# Guess:   "skopeo copy docker://app:1 oci:DIR:1", a disk carried over, and "skopeo copy oci:DIR:1 docker://other/app:1"
#          move the image. Its digest may change, as the manifest becomes one of OCI; the config stays what it is, or
#          Skopeo refuses.
# Because: only the manifest has to change: OCI allows further members in a config, BuildKit and Docker write
#          HEALTHCHECK, SHELL and ONBUILD into OCI images all the time, and Skopeo keeps them in these. "podman build"
#          warns when a format cannot keep a health check.
# Really:  with a manifest of Docker's format, the config is read into the types of image-spec and written again. They
#          have no Healthcheck, Shell and OnBuild, so these are gone, with exit code 0 and no message. With
#          docker-archive or dir in place of oci all stays.
# Seen:    2026-11-30, Skopeo 1.9.3 (Debian 12); go.podman.io/image/v5 v5.42.1 has the same code (convertToManifestOCI1)
# Output:  before: Cmd Healthcheck OnBuild Shell
#          through oci: Cmd
#          through oci-archive: Cmd
#          through dir: Cmd Healthcheck OnBuild Shell
#          an image that is one of OCI already, through oci: Cmd Healthcheck OnBuild Shell
#          messages: 0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu)
skopeo() { root/usr/bin/skopeo --insecure-policy "$@"; }
skopeo --version

# Two images as Skopeo's format "dir" has them. That of a registry takes the same way, but needs a registry.
cat > make.py <<'EOF'
import hashlib, io, json, os, tarfile
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode='w') as tar:
    tar.addfile(tarfile.TarInfo('file'))
diff = 'sha256:' + hashlib.sha256(layer.getvalue()).hexdigest()
config = {'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': [diff]},
          'config': {'Cmd': ['/server'], 'Healthcheck': {'Test': ['CMD', '/server', '--check'], 'Interval': 30_000_000_000},
                     'OnBuild': ['COPY . /app'], 'Shell': ['/bin/bash', '-c']}}
for name, manifest, of_config, of_layer in [
        ('docker', 'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.container.image.v1+json',
         'application/vnd.docker.image.rootfs.diff.tar'),
        ('oci', 'application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.config.v1+json',
         'application/vnd.oci.image.layer.v1.tar')]:
    os.mkdir(name)
    def put(media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        open(name + '/' + digest, 'wb').write(content)
        return {'mediaType': media_type, 'digest': 'sha256:' + digest, 'size': len(content)}
    json.dump({'schemaVersion': 2, 'mediaType': manifest, 'config': put(of_config, json.dumps(config).encode()),
               'layers': [put(of_layer, layer.getvalue())]}, open(name + '/manifest.json', 'w'))
    open(name + '/version', 'w').write('Directory Transport Version: 1.1\n')
EOF
python3 make.py

keys() { skopeo inspect --config --raw "$1" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["config"]))'; }
through() { # image, path: copies it there and back
	rm -rf back
	skopeo copy --quiet "dir:$1" "$2" 2>> messages
	skopeo copy --quiet "$2" dir:back 2>> messages
	keys dir:back
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
all='Cmd Healthcheck OnBuild Shell'
want 'before' "$(keys dir:docker)" "$all"
want 'through oci' "$(through docker oci:layout:1)" Cmd
want 'through oci-archive' "$(through docker oci-archive:layout.tar:1)" Cmd
want 'through dir' "$(through docker dir:other)" "$all"
want 'an image that is one of OCI already, through oci' "$(through oci oci:layout2:1)" "$all"
want 'messages' "$(wc -l < messages)" 0
