// Helperbench puts credential helpers for Amazon ECR side by side through
// the same trials, against the same fake AWS, and prints a table in Markdown.
//
//	go run ./internal/tools/helperbench NAME=PROGRAM NAME=PROGRAM
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
	"github.com/ecrkit/ecrkit/internal/test/helpertrial"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// helper is one of those that are compared.
type helper struct{ name, program string }

func run(args []string, out io.Writer) error {
	var helpers []helper
	for _, arg := range args {
		name, program, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=PROGRAM", arg)
		}
		helpers = append(helpers, helper{name, program})
	}
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	fmt.Fprint(out, "| Trial |")
	for _, h := range helpers {
		fmt.Fprintf(out, " %s |", h.name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(helpers)))
	for _, t := range trials {
		fmt.Fprintf(out, "| %s |", t.name)
		for _, h := range helpers {
			result, err := one(h, dir, t.run)
			if err != nil {
				result = "failed: " + firstLine(err)
			}
			fmt.Fprintf(out, " %s |", result)
		}
		fmt.Fprintln(out)
	}
	return speed(helpers, dir, out)
}

// one runs a trial in a world and a home directory of its own.
func one(h helper, dir string, run func(*helpertrial.Trial) (string, error)) (string, error) {
	world := fakeaws.New(fakeaws.Options{})
	if err := world.Listen(); err != nil {
		return "", err
	}
	defer world.Close()
	trial, err := helpertrial.New(h.program, dir, world)
	if err != nil {
		return "", err
	}
	return run(trial)
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return strings.ReplaceAll(text, "|", "/")
}
