#!/bin/sh
# Makes sure that Wine and a C compiler for Windows are there: installs what is missing when it can.
set -eu

missing() {
	[ -x /usr/lib/wine/wine64 ] || echo wine64
	command -v x86_64-w64-mingw32-gcc >/dev/null || echo gcc-mingw-w64-x86-64
}

packages=$(missing)
[ "$packages" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	apt-get update -qq
	# shellcheck disable=SC2086 # one word a package
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages
	packages=$(missing)
	[ "$packages" ] || exit 0
fi
echo "interop-windows needs Wine and a C compiler for Windows. Missing packages:" >&2
echo "$packages" >&2
echo "Install them (on Debian: apt-get install wine64 gcc-mingw-w64-x86-64) and run this again." >&2
exit 1
