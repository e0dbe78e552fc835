package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestNumberFlags has every flag of every command that takes a number or a time refuse what is none,
// what is negative and what is absurd, with the values that it takes.
func TestNumberFlags(t *testing.T) {
	root := newRootCommand(&App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Now: time.Now}, "")
	seen := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			var bad []string
			says := "must be a whole number"
			switch f.Value.Type() {
			case "int", "int64", "uint", "uint64", "float64", "count":
				bad = []string{"-1", "x", "", "1.5", "1e3", "99999999999", "99999999999999999999"}
				if n, ok := f.Value.(*numberFlag); ok && n.low == 1 {
					bad = append(bad, "0")
				}
			case "duration":
				bad, says = []string{"-1s", "x", "", "10", "99999h", "99999999999999999999h"}, "must be a duration, such as 90s or 5m"
			default:
				return
			}
			seen++
			before := f.Value.String()
			for _, value := range bad {
				if err := f.Value.Set(value); err == nil || !strings.HasPrefix(err.Error(), says) {
					t.Errorf("%s --%s %q: got %v", cmd.CommandPath(), f.Name, value, err)
				}
			}
			if f.Value.String() != before {
				t.Errorf("%s --%s is %s after errors", cmd.CommandPath(), f.Name, f.Value)
			}
		})
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(root)
	if seen < 30 {
		t.Errorf("%d flags were found", seen)
	}
}
