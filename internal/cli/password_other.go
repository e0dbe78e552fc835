//go:build !linux && !darwin && !freebsd

package cli

import (
	"os"

	"golang.org/x/term"
)

// readPassword reads a line from a terminal that does not show it. The end of the input is io.EOF.
func readPassword(terminal *os.File) ([]byte, error) { return term.ReadPassword(int(terminal.Fd())) }
