package localecr

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDocsNameEveryOperation compares the table of operations in the documentation with the SDK's operations and the
// server's.
func TestDocsNameEveryOperation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/local-ecr.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Operations\n")
	table, _, _ := strings.Cut(rest, "**STS**")
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\| .*\((\d+)\) \| (.*) \|$`).FindAllStringSubmatch(table, -1) {
		operations := strings.Split(row[2], ", ")
		if n, err := strconv.Atoi(row[1]); err != nil || n != len(operations) {
			t.Errorf("%s has %d operations", row[0], len(operations))
		}
		named = append(named, operations...)
	}
	slices.Sort(named)
	var served, known []string
	for op := range operations {
		served = append(served, op)
	}
	for op := range snapshots(t, "request_snapshot", ".request.snap", 62) {
		known = append(known, op)
	}
	slices.Sort(served)
	slices.Sort(known)
	if !slices.Equal(named, known) || !slices.Equal(served, known) {
		t.Errorf("the documentation has %d operations, the server %d, the SDK %d:\n%v\n%v\n%v", len(named), len(served), len(known), named, served, known)
	}
}
