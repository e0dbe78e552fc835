#!/bin/sh
# Makes sure that the peers from Debian packages are there: installs what is missing when it can.
set -eu

# Prints the packages of the programs that are missing. Debian 13 has the docker command in its own package.
missing() {
	command -v dockerd >/dev/null || echo docker.io
	command -v docker >/dev/null || if apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; else echo docker.io; fi
	command -v podman >/dev/null || echo podman
	command -v runc >/dev/null || echo runc
	command -v skopeo >/dev/null || echo skopeo
	command -v aws >/dev/null || echo awscli
	command -v openssl >/dev/null || echo openssl
	command -v minisign >/dev/null || echo minisign
}

PATH=$PATH:/usr/sbin:/sbin
packages=$(missing)
[ "$packages" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	apt-get update -qq
	packages=$(missing)
	# shellcheck disable=SC2086 # one word a package
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages
	packages=$(missing)
	[ "$packages" ] || exit 0
fi
echo "interop needs docker (with dockerd), podman, runc, skopeo, the aws CLI, openssl and minisign. Missing packages:" >&2
echo "$packages" >&2
echo "Install them (on Debian: apt-get install docker.io podman runc skopeo awscli openssl minisign) and run this again." >&2
exit 1
