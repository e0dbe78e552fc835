package credhelper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os/exec"

	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// program is one run of the helper.
type program struct {
	action         string
	stdout, stderr io.Writer
	variables      []string
	env            startup.Environment
	log            *slog.Logger
	settings       settings.Settings
}

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

// list prints our hosts and those of the fallback helper. If that one fails, ours
// alone are better than none.
func (p *program) list(ctx context.Context) (int, error) {
	hosts, err := p.helper(ctx).List()
	if err != nil {
		return 1, fmt.Errorf("ecr: %w", err)
	}
	if p.settings.Fallback != "" {
		var answer bytes.Buffer
		code, err := p.fallback(ctx, []byte("unused"), &answer)
		others := map[string]string{}
		switch {
		case err != nil:
			p.log.Warn(err.Error())
		case code != 0:
			p.log.Warn(fmt.Sprintf("docker-credential-%s list ended with exit code %d", p.settings.Fallback, code))
		case json.Unmarshal(answer.Bytes(), &others) != nil:
			p.log.Warn(fmt.Sprintf("docker-credential-%s list did not print a JSON object of strings", p.settings.Fallback))
		}
		maps.Copy(others, hosts)
		hosts = others
	}
	return 0, json.NewEncoder(p.stdout).Encode(hosts)
}
