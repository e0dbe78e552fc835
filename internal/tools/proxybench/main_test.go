//go:build linux

package main

import (
	"strings"
	"testing"
)

// TestWritePushes shows what an engine itself takes apart from what the proxy makes faster.
func TestWritePushes(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	writePushes(&out, []measured{{"push by a", 50, 20, 10}, {"push by b", 50, 10, 10}, {"push by c", 9, 20, 10}})
	for _, want := range []string{
		"| push by a | 50.0 s | 20.0 s | 2.5 × | 10.0 s | 5.0 × | 4.0 × |\n",
		"| push by b | 50.0 s | 10.0 s | 5.0 × | 10.0 s | 5.0 × | no time beyond the floor |\n",
		"| push by c | 9.0 s | 20.0 s | 0.5 × | 10.0 s | 0.9 × | 0.0 × |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in:\n%s", want, out.String())
		}
	}
}
