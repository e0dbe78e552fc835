#!/usr/bin/env bash
# The JSON of a Sigstore message differs from build to build of one program: the digest of a stored bundle is not
# reproducible.
#
# Guess:   two builds of one source, with one version of every library, write the same bundle with the same bytes.
# Because: the message is the same, protobuf-specs defines one JSON form for bundles, and Go's encoding/json is
#          deterministic. A bundle is stored in a registry by the digest of these bytes.
# Really:  protojson adds a space after commas or doesn't, depending on a hash of the executable, so that nobody
#          relies on its bytes. Inside one build it is stable, so no test notices; the next release of the tool makes
#          another digest.
# Seen:    2026-11-28, Go 1.26.8, protobuf-specs v0.5.2, google.golang.org/protobuf v1.36.11; builds that differ in an
#          embedded text only, until both spellings were seen (40 at most), each run twice
# Output:  {"algorithm":"SHA2_256","digest":"YWJj"}
#          {"algorithm":"SHA2_256", "digest":"YWJj"}
#          the same build, run again, writes the same bytes
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
touch notes.txt
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/sigstore/protobuf-specs v0.5.2
	google.golang.org/protobuf v1.36.11
)
EOF
cat > main.go <<'EOF'
package main

import (
	_ "embed"
	"fmt"
	"os"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

//go:embed notes.txt
var notes string

func main() {
	message := &common.HashOutput{Algorithm: common.HashAlgorithm_SHA2_256, Digest: []byte("abc")}
	fmt.Println(string(must(protojson.Marshal(message))))
	if len(os.Args) > 1 {
		fmt.Print(notes)
	}
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
for build in {1..40}; do
	printf 'Release %d.\n' $(seq "$((build * 1000))") > notes.txt
	go build -o finding .
	./finding >> first
	./finding >> second
	if [ "$(sort -u first | wc -l)" = 2 ]; then break; fi
done
sort -u first
cmp first second
echo 'the same build, run again, writes the same bytes'
if [ "$(sort -u first | wc -l)" != 2 ]; then
	echo 'CHANGED, expected two spellings'
	exit 1
fi
