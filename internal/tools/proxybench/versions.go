//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+`)

// versions returns the names of the engines with their versions, "podman 4.3.1, docker 20.10.24".
func versions(ctx context.Context, engines []engine) (string, error) {
	var list []string
	for _, e := range engines {
		program := e.name
		if program == "docker" { // the command can be newer than what pulls
			program = "dockerd"
		}
		text, err := exec.CommandContext(ctx, program, "--version").Output()
		if err != nil {
			return "", fmt.Errorf("%s --version: %w", program, err)
		}
		number := versionNumber.FindString(string(text))
		if number == "" {
			return "", fmt.Errorf("%s --version: there is no version in %q", program, text)
		}
		list = append(list, program+" "+number)
	}
	return strings.Join(list, ", "), nil
}
