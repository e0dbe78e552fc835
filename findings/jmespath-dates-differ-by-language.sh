#!/usr/bin/env bash
# A query for images by date that works with the AWS CLI selects nothing in Go, or in Node.js.
#
# Guess:   imageDetails[?imagePushedAt >= '2026-11-01'] is tried with "aws ecr describe-images --query", and then used in a
#          program, with the JMESPath package of its language. Same result, or an error.
# Because: JMESPath is a specification with a compliance suite, times in the output of the CLI are ISO 8601, which sorts as
#          text, and all of these packages accept the query.
# Really:  by the specification >= compares numbers only and is null for texts, so a filter selects nothing, without an
#          error. Python's package, that of the CLI, compares texts all the same, as "jmespath" for JavaScript does;
#          go-jmespath and "@jmespath-community/jmespath" do not. max_by is specified for texts too, but is null
#          in both JavaScript packages. A clean-up job deletes nothing, or there is no newest image. What works everywhere
#          is sort_by(…)[-1].
# Seen:    2026-11-30, Python jmespath 1.0.1 (Debian 12), Go 1.26.8, go-jmespath v0.4.0, Node.js 20, jmespath 0.16.0,
#          @jmespath-community/jmespath 1.3.0
# Output:  imageDetails[?imagePushedAt >= '2026-11-01'].imageTags[]
#            Python: ["2"]
#            Go: []
#            jmespath: ["2"]
#            @jmespath-community/jmespath: []
#          max_by(imageDetails, &imagePushedAt).imageTags[]
#            Python: ["2"]
#            Go: ["2"]
#            jmespath: null
#            @jmespath-community/jmespath: null
#          sort_by(imageDetails, &imagePushedAt)[-1].imageTags[]
#            Python: ["2"]
#            Go: ["2"]
#            jmespath: ["2"]
#            @jmespath-community/jmespath: ["2"]
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download python3-jmespath=1.0.1-1
dpkg -x python3-jmespath_*.deb root
npm install --silent --no-audit --no-fund --prefix "$dir" jmespath@0.16.0 @jmespath-community/jmespath@1.3.0 > npm.log 2>&1 ||
	{ cat npm.log; exit 1; }
cat > images.json <<'EOF'
{"imageDetails": [
  {"imageTags": ["2"], "imagePushedAt": "2026-11-15T09:00:00+00:00"},
  {"imageTags": ["1"], "imagePushedAt": "2026-10-01T09:00:00+00:00"}]}
EOF
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/jmespath/go-jmespath v0.4.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/jmespath/go-jmespath"
)

func main() {
	var images any
	data, err := os.ReadFile("images.json")
	if err == nil {
		err = json.Unmarshal(data, &images)
	}
	if err != nil {
		panic(err)
	}
	found, err := jmespath.Search(os.Args[1], images)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(found)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
run() { # package, query
	case $1 in
	Python)
		PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 -c 'import jmespath, json, sys; print(json.dumps(jmespath.search(sys.argv[1], json.load(open("images.json")))))' "$2"
		;;
	Go) ./finding "$2" ;;
	*) node -e 'console.log(JSON.stringify(require(process.argv[1]).search(require("./images.json"), process.argv[2])))' "$1" "$2" ;;
	esac
}
try() { # query, expected of each
	echo "$1"
	local query=$1
	for package in Python Go jmespath @jmespath-community/jmespath; do
		shift
		local got
		got=$(run $package "$query")
		echo "  $package: $got"
		if [ "$got" != "$1" ]; then echo "CHANGED, expected: $1"; exit 1; fi
	done
}
try "imageDetails[?imagePushedAt >= '2026-11-01'].imageTags[]" '["2"]' '[]' '["2"]' '[]'
try 'max_by(imageDetails, &imagePushedAt).imageTags[]' '["2"]' '["2"]' null null
try 'sort_by(imageDetails, &imagePushedAt)[-1].imageTags[]' '["2"]' '["2"]' '["2"]' '["2"]'
