#!/bin/sh
# Installs a release of ecrkit for the steps of a job, and sets docker up to use it. Run by action.yml
# at the root. Reads VERSION, ACTION_REF, REGISTRIES and DOWNLOAD_URL, and what GitHub Actions sets.
set -eu

fail() {
	echo "::error title=ecrkit::$1"
	exit 1
}

version=${VERSION:-}
if [ -z "$version" ]; then
	version=${ACTION_REF:-}
fi
version=${version#v}
case $version in
[0-9]*.[0-9]*.[0-9]*) ;;
*) fail "which release? Write its version into the input version, such as 1.2.0, or use the action by the tag of a release" ;;
esac
case $version in
*[!0-9A-Za-z.+-]*) fail "$version is not a version" ;;
esac

case ${RUNNER_OS:-} in
Linux) os=linux ;;
macOS) os=darwin ;;
Windows) os=windows ;;
*) fail "there is no release for ${RUNNER_OS:-an unknown system}" ;;
esac
case ${RUNNER_ARCH:-} in
X64) arch=amd64 ;;
ARM64) arch=arm64 ;;
*) fail "there is no release for ${RUNNER_ARCH:-an unknown processor}" ;;
esac
archive=ecrkit_${version}_${os}_${arch}.tar.gz
[ "$os" != windows ] || archive=ecrkit_${version}_${os}_${arch}.zip

work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/ecrkit.XXXXXX")
cd "$work"
for file in "$archive" SHA256SUMS; do
	curl --fail --silent --show-error --location --retry 3 --output "$file" "${DOWNLOAD_URL%/}/v$version/$file" ||
		fail "release $version cannot be downloaded: $file"
done
grep "  $archive\$" SHA256SUMS >sum || fail "SHA256SUMS of release $version does not name $archive"
if command -v sha256sum >/dev/null 2>&1; then
	sha256sum --check sum >/dev/null || fail "$archive does not match SHA256SUMS"
else
	shasum -a 256 --check sum >/dev/null || fail "$archive does not match SHA256SUMS"
fi

mkdir bin
case $archive in
*.zip) unzip -q "$archive" && mv ecrkit_*/*.exe bin/ ;;
*) tar -xzf "$archive" && mv ecrkit_*/ecrkit ecrkit_*/docker-credential-ecrkit bin/ ;;
esac
echo "$work/bin" >>"$GITHUB_PATH"
PATH=$work/bin:$PATH
echo "version=$version" >>"$GITHUB_OUTPUT"
ecrkit version
# The registries are separated by white space.
# shellcheck disable=SC2086
[ -z "${REGISTRIES:-}" ] || ecrkit auth setup $REGISTRIES
