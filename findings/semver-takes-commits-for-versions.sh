#!/usr/bin/env bash
# Masterminds/semver takes a commit id of digits and a date for versions, and prints "22.04" as a version that is no
# tag.
#
# Guess:   of the tags 1.4.2, 1.5.0, 20240105 and 4711815 (a short commit id), the newest that satisfies ">= 1.0" is
#          1.5.0. A version that was chosen can be printed with String() and pulled.
# Because: semver.org wants three numbers, and refuses leading zeros. NewVersion's documentation speaks of coercing
#          for things like "v1.2". About 1 in 27 commit ids of 7 characters has digits only.
# Really:  a single number is a major version, so a date or such a commit id beats every release. "22.04" is taken and
#          printed as "22.4.0", "2024.01.05" as "2024.1.5": no such tags exist. Only Original() keeps the tag.
# Seen:    2026-11-28, Go 1.26.8, Masterminds/semver v3.5.0
# Output:  newest >= 1.0: 20240105
#          22.04 is printed as 22.4.0, original 22.04
#          2024.01.05 is printed as 2024.1.5, original 2024.01.05
#          StrictNewVersion(20240105): refused
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/Masterminds/semver/v3 v3.5.0
)
EOF
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/Masterminds/semver/v3"
)

func want(what string, got, want any) {
	fmt.Printf("%s: %v\n", what, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Println("CHANGED, expected:", want)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	constraint := must(semver.NewConstraint(">= 1.0"))
	var newest *semver.Version
	for _, tag := range []string{"1.4.2", "1.5.0", "20240105", "4711815", "latest"} {
		version, err := semver.NewVersion(tag)
		if err == nil && constraint.Check(version) && (newest == nil || version.GreaterThan(newest)) {
			newest = version
		}
	}
	want("newest >= 1.0", newest.Original(), "20240105")
	for tag, printed := range map[string]string{"22.04": "22.4.0", "2024.01.05": "2024.1.5"} {
		version := must(semver.NewVersion(tag))
		want(tag+" is printed as", version.String()+", original "+version.Original(), printed+", original "+tag)
	}
	outcome := "taken"
	if _, err := semver.StrictNewVersion("20240105"); err != nil {
		outcome = "refused"
	}
	want("StrictNewVersion(20240105)", outcome, "refused")
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
