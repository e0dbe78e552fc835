//go:build linux

package transfertrial

import (
	"bytes"
	"os/exec"
)

// newOutput collects what a command writes.
func newOutput(cmd *exec.Cmd) *bytes.Buffer {
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	return output
}
