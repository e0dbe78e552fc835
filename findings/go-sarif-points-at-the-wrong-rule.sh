#!/usr/bin/env bash
# go-sarif reads a valid report and writes one that is not valid and in which every result points at the first rule.
#
# Guess:   reading a report and writing it again changes spelling at most. Fields that were absent stay absent.
# Because: SARIF gives absent fields meanings of their own: no ruleIndex means -1, "not given"; no rank means -1, too.
# Really:  fields without a value are written as Go's zero values. ruleIndex becomes 0, the first rule, next to a
#          ruleId that names another one; rank becomes 0, the lowest; "language" and "newlineSequences" become empty,
#          which SARIF's schema refuses, and go-sarif's own Validate too.
# Seen:    2026-11-28, Go 1.26.8, go-sarif v3.3.1
# Output:  before: ruleId CVE-2 ruleIndex absent rank absent
#          after: ruleId CVE-2 ruleIndex 0 rank 0
#          written report is valid: false
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > go.mod <<'EOF'
module finding

go 1.26

require (
	github.com/owenrumney/go-sarif/v3 v3.3.1
)
EOF
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
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

const report = `{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{
	"tool": {"driver": {"name": "example", "rules": [{"id": "CVE-1"}, {"id": "CVE-2"}]}},
	"results": [{"ruleId": "CVE-2", "message": {"text": "example"}}]}]}`

func result(report []byte) string {
	var parsed struct {
		Runs []struct{ Results []map[string]any }
	}
	must(0, json.Unmarshal(report, &parsed))
	fields := parsed.Runs[0].Results[0]
	text := fmt.Sprint("ruleId ", fields["ruleId"])
	for _, field := range []string{"ruleIndex", "rank"} {
		if value, present := fields[field]; present {
			text += fmt.Sprint(" ", field, " ", value)
		} else {
			text += " " + field + " absent"
		}
	}
	return text
}

func main() {
	want("before", result([]byte(report)), "ruleId CVE-2 ruleIndex absent rank absent")
	read := must(sarif.FromBytes([]byte(report), sarif.WithStrictValidation()))
	var written bytes.Buffer
	must(0, read.Write(&written))
	want("after", result(written.Bytes()), "ruleId CVE-2 ruleIndex 0 rank 0")
	again := must(sarif.FromBytes(written.Bytes()))
	want("written report is valid", again.Validate() == nil, false)
}
EOF
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
./finding
