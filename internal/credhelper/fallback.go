package credhelper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// fallback lets the configured helper answer: byte for byte, with its exit code.
func (p *program) fallback(ctx context.Context, input []byte, stdout io.Writer) (int, error) {
	name := "docker-credential-" + p.settings.Fallback
	p.log.Debug("asking the fallback helper", "program", name, "action", p.action)
	command := exec.CommandContext(ctx, name, p.action)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), stdout, p.stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	}
	return 1, fmt.Errorf("the fallback helper %s (fallback: %s in %s): %w", name, p.settings.Fallback, p.settings.File, err)
}
