//go:build unix

package stack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr/testcontainers"
)

// TestProgramThatDoesNotStart has programs that never are ready: one writes much and ends, one waits.
func TestProgramThatDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"messages": "i=0; while [ $i -lt 5000 ]; do echo 'more and more of the same message' >&2; i=$((i+1)); done; echo 'the last one' >&2; exit 1",
		"silence":  "exec sleep 600",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			want := "the last one"
			if name == "silence" {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
				want = context.DeadlineExceeded.Error()
			}
			_, err := testcontainers.RunProgram(ctx, program)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("want an error with %q, got %.1000v", want, err)
			}
			if n := len(err.Error()); n > 32<<10 {
				t.Errorf("the error has %d bytes", n)
			}
		})
	}
}
