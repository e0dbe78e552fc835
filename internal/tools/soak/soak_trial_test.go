//go:build linux && trial

package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
)

// TestTrialSoak runs a little of the sections that do not take minutes.
func TestTrialSoak(t *testing.T) {
	dir := t.TempDir()
	if err := binaries.Build(dir, "internal/tools/soak"); err != nil {
		t.Fatal(err)
	}
	programs := filepath.Join(dir, "programs")
	if err := build(t.Context(), programs); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"disk", "-sizes", "3"},
		{"directories", "-vanish", "1"},
		{"kill", "-count", "12"},
		{"together", "-only", "gets", "-rounds", "1"},
	} {
		t.Run(args[0], func(t *testing.T) {
			args = append([]string{"-section"}, args...)
			args = append(args, "-seed", "1", "-nice", "0", "-dir", dir, "-bin", programs)
			out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "soak"), args...).CombinedOutput()
			if err != nil {
				t.Errorf("soak %v: %v", args, err)
			}
			t.Logf("%s", out)
		})
	}
}
