#!/bin/sh
# Installs ecrkit and docker-credential-ecrkit, with man pages and completions: the binaries beside this
# script when they are there (a release archive), else a build of this checkout with go.
set -eu

programs="ecrkit docker-credential-ecrkit"
completions="share/bash-completion/completions/ecrkit share/zsh/site-functions/_ecrkit share/fish/vendor_completions.d/ecrkit.fish"

usage() {
	cat <<'EOF'
usage: sh install.sh [--prefix DIR] [--uninstall]

Installs ecrkit and docker-credential-ecrkit into DIR/bin, with man pages and completions for bash,
zsh and fish in DIR/share: the binaries beside this script (a release archive), else a build of this
checkout with go. Running it again replaces them.

  --prefix DIR  default: /usr/local when it can be written, else ~/.local
  --uninstall   remove all of it from DIR
  --help        show this text
EOF
}

misused() {
	echo "install.sh: $1" >&2
	usage >&2
	exit 2
}

fail() {
	echo "install.sh: $1" >&2
	exit 1
}

prefix=
uninstall=
while [ $# -gt 0 ]; do
	case $1 in
	--prefix)
		prefix=${2:-}
		[ "$prefix" ] || misused "--prefix needs a directory"
		shift
		;;
	--prefix=*)
		prefix=${1#--prefix=}
		[ "$prefix" ] || misused "--prefix needs a directory"
		;;
	--uninstall) uninstall=yes ;;
	-h | --help)
		usage
		exit 0
		;;
	*) misused "unknown option $1" ;;
	esac
	shift
done

# Something may be installed in DIR/bin although DIR itself cannot be written.
writable() {
	dir=$1/bin
	while [ ! -e "$dir" ]; do
		dir=$(dirname "$dir")
	done
	[ -d "$dir" ] && [ -w "$dir" ]
}

if [ -z "$prefix" ]; then
	if writable /usr/local; then
		prefix=/usr/local
	else
		prefix=${HOME:?is not set: say where to install with --prefix DIR}/.local
	fi
fi
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
bin=$prefix/bin
writable "$prefix" || fail "$bin cannot be written: choose another directory with --prefix DIR, or run this as a user who may write there (sudo sh install.sh)"

if [ "$uninstall" ]; then
	for program in $programs; do
		if [ -e "$bin/$program" ]; then
			rm -f "$bin/$program"
			echo "removed $bin/$program"
		else
			echo "$bin/$program is not installed"
		fi
	done
	rm -f "$prefix"/share/man/man1/ecrkit.1 "$prefix"/share/man/man1/ecrkit-*.1
	for name in $completions; do
		rm -f "$prefix/$name"
	done
	echo 'If your docker config names ecrkit under "credHelpers", remove these entries.'
	exit 0
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
built=
staged=
cleanup() {
	[ -z "$built" ] || rm -rf "$built"
	[ -z "$staged" ] || rm -f "$staged"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

from=$here
for program in $programs; do
	[ -f "$here/$program" ] || from=
done
if [ -z "$from" ]; then
	[ -f "$here/go.mod" ] || fail "neither the binaries nor the source are beside this script: run it from a release archive or a checkout"
	command -v go >/dev/null 2>&1 || fail "building needs Go (https://go.dev/dl/): install it, or use a release archive"
	built=$(mktemp -d "${TMPDIR:-/tmp}/ecrkit.XXXXXX")
	echo "building with $(go env GOVERSION)"
	(cd "$here" && CGO_ENABLED=0 go build -trimpath -o "$built/" ./cmd/...)
	from=$built
	"$built/ecrkit" man "$built/share/man/man1"
	for name in $completions; do
		mkdir -p "$built/$(dirname "$name")"
		case $name in
		*bash*) "$built/ecrkit" completion bash ;;
		*zsh*) "$built/ecrkit" completion zsh ;;
		*) "$built/ecrkit" completion fish ;;
		esac >"$built/$name"
	done
fi

mkdir -p "$bin"
for program in $programs; do
	# The rename is atomic: a program that runs while it is replaced goes on undisturbed.
	staged=$bin/.$program.$$
	cp "$from/$program" "$staged"
	chmod 755 "$staged"
	mv -f "$staged" "$bin/$program"
	staged=
	echo "installed $bin/$program"
done

# Without these the programs work all the same.
if [ -d "$from/share" ]; then
	if mkdir -p "$prefix/share" && cp -R "$from/share/." "$prefix/share/"; then
		echo "installed man pages and completions in $prefix/share"
	else
		echo "install.sh: man pages and completions could not be installed in $prefix/share" >&2
	fi
fi

case :${PATH:-}: in
*:"$bin":*) ;;
*)
	echo
	echo "$bin is not on your PATH. Add it, or docker does not find the credential helper:"
	echo "  export PATH=\"$bin:\$PATH\""
	;;
esac
cat <<'EOF'

Next: name your registries in ~/.docker/config.json, and docker logs in to them by itself:
  { "credHelpers": { "ACCOUNT.dkr.ecr.REGION.amazonaws.com": "ecrkit" } }
EOF
