#!/bin/sh
# Installs ecrkit and docker-credential-ecrkit, with man pages and completions: from a release archive that
# --archive names, which is checked first; else the binaries beside this script (an unpacked archive); else a
# build of this checkout with go.
set -eu

programs="ecrkit docker-credential-ecrkit"
completions="share/bash-completion/completions/ecrkit share/zsh/site-functions/_ecrkit share/fish/vendor_completions.d/ecrkit.fish"

usage() {
	cat <<'EOF'
usage: sh install.sh [--archive FILE [--key KEY]] [--prefix DIR] [--uninstall]

Installs ecrkit and docker-credential-ecrkit into DIR/bin, with man pages and completions for bash,
zsh and fish in DIR/share: from the release archive FILE, else the binaries beside this script (an
unpacked archive), else a build of this checkout with go. Running it again replaces them.

  --archive FILE  a release archive, ecrkit_VERSION_OS_ARCH.tar.gz. SHA256SUMS of the release must be
                  beside it: an archive with another sum is refused
  --key KEY       file with the public key of the release: SHA256SUMS must be signed with it. The
                  signature is beside it, in SHA256SUMS.sig (for openssl) or SHA256SUMS.sigstore.json
                  (for an installed ecrkit or cosign)
  --prefix DIR    default: /usr/local when it can be written, else ~/.local
  --uninstall     remove all of it from DIR
  --help          show this text

Nothing but this script checks an archive, so do not take this script from the archive that it is to
check: take it from the repository. Without --key the sums find a damaged download, not a forged one.
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
archive=
key=
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
	--archive | --key)
		[ "${2:-}" ] || misused "$1 needs a file"
		[ "$1" = --key ] && key=$2 || archive=$2
		shift
		;;
	--archive=?*) archive=${1#--archive=} ;;
	--key=?*) key=${1#--key=} ;;
	--uninstall) uninstall=yes ;;
	-h | --help)
		usage
		exit 0
		;;
	*) misused "unknown option $1" ;;
	esac
	shift
done

[ -z "$key" ] || [ "$archive" ] || misused "--key goes with --archive"
[ -z "$uninstall" ] || [ -z "$archive" ] || misused "--uninstall and --archive exclude each other"

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
checked=
cleanup() {
	[ -z "$built" ] || rm -rf "$built"
	[ -z "$checked" ] || rm -rf "$checked"
	[ -z "$staged" ] || rm -f "$staged"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

sha256() {
	if command -v sha256sum >/dev/null 2>&1; then
		sha256sum <"$1"
	elif command -v shasum >/dev/null 2>&1; then
		shasum -a 256 <"$1"
	elif command -v openssl >/dev/null 2>&1; then
		openssl dgst -sha256 -r <"$1"
	else
		fail "checking the archive needs sha256sum, shasum or openssl"
	fi | cut -d ' ' -f 1
}

# The hash function with which a key signs, as openssl names it; nothing for a key that it does not check here.
hash_of() {
	case $(openssl pkey -pubin -in "$1" -noout -text 2>/dev/null) in
	*P-256* | *prime256v1* | *RSA* | *Modulus*) echo sha256 ;;
	*P-384* | *secp384r1*) echo sha384 ;;
	*P-521* | *secp521r1*) echo sha512 ;;
	esac
}

# Checks the signature of $checked/SHA256SUMS with whichever program is there. The first one decides.
verified() {
	hash=
	if [ -f "$checked/SHA256SUMS.sig" ] && command -v openssl >/dev/null 2>&1; then
		hash=$(hash_of "$checked/key.pub")
	fi
	if [ "$hash" ]; then
		by=openssl
		openssl base64 -d -A <"$checked/SHA256SUMS.sig" >"$checked/signature" &&
			openssl dgst "-$hash" -verify "$checked/key.pub" -signature "$checked/signature" "$checked/SHA256SUMS" >&2
	elif [ -f "$checked/SHA256SUMS.sigstore.json" ] && ecrkit verify-blob --help >/dev/null 2>&1; then
		by=ecrkit
		ecrkit verify-blob "$checked/SHA256SUMS" --key "$checked/key.pub" >&2
	elif [ -f "$checked/SHA256SUMS.sigstore.json" ] && command -v cosign >/dev/null 2>&1; then
		by=cosign
		cosign verify-blob --insecure-ignore-tlog --key "$checked/key.pub" --bundle "$checked/SHA256SUMS.sigstore.json" "$checked/SHA256SUMS" >&2
	else
		fail "the signature cannot be checked: it needs SHA256SUMS.sig and openssl, or SHA256SUMS.sigstore.json and ecrkit or cosign, and a public key in PEM"
	fi
}

# Checks copies, which nobody else can change, and unpacks what was checked.
check_archive() {
	name=$(basename "$archive")
	beside=$(dirname "$archive")
	[ -f "$archive" ] || fail "there is no archive $archive"
	[ -f "$beside/SHA256SUMS" ] || fail "there is no $beside/SHA256SUMS: download it from the release of the archive"
	checked=$(mktemp -d "${TMPDIR:-/tmp}/ecrkit.XXXXXX")
	cp "$archive" "$checked/archive.tar.gz"
	for sums in SHA256SUMS SHA256SUMS.sig SHA256SUMS.sigstore.json; do
		[ ! -f "$beside/$sums" ] || cp "$beside/$sums" "$checked/$sums"
	done
	if [ "$key" ]; then
		[ -f "$key" ] || fail "there is no key $key"
		cp "$key" "$checked/key.pub"
		verified || fail "$beside/SHA256SUMS is not signed with $key: nothing was installed"
		echo "SHA256SUMS is signed with $key (checked by $by)"
	else
		echo "install.sh: the signature of SHA256SUMS was not checked; pass the public key of the release with --key" >&2
	fi
	want=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$checked/SHA256SUMS")
	[ "$want" ] || fail "$beside/SHA256SUMS does not list $name: it is of another release"
	got=$(sha256 "$checked/archive.tar.gz")
	[ "$got" = "$want" ] || fail "$archive is not the released file: its SHA-256 is $got, SHA256SUMS has $want; nothing was installed"
	echo "$name has the SHA-256 that SHA256SUMS lists"
	mkdir "$checked/unpacked"
	tar -xzf "$checked/archive.tar.gz" -C "$checked/unpacked"
	from=$checked/unpacked/${name%.tar.gz}
	for program in $programs; do
		[ -f "$from/$program" ] || fail "$archive has no ${name%.tar.gz}/$program: it is not an archive for this system"
	done
}

from=$here
for program in $programs; do
	[ -f "$here/$program" ] || from=
done
if [ "$archive" ]; then
	check_archive
elif [ -z "$from" ]; then
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
	# The rename is atomic: a program that runs while it is replaced goes on undisturbed. Nobody else knows the
	# name of the copy beforehand, who might have left a link there.
	staged=$(mktemp "$bin/.$program.XXXXXX")
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
