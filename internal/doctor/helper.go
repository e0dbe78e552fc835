package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
)

// helper runs the credential helper as docker does.
type helper struct{}

// Run implements [Check].
func (helper) Run(ctx context.Context, s *Session) Finding {
	if s.Subject.Host == "" {
		return findHelper(s)
	}
	var name string
	s.know(func(f *facts) { name = f.docker.helper })
	if name == "" {
		return skipped("docker uses no credential helper for the host")
	}
	program := "docker-credential-" + name
	path, err := s.LookPath(program)
	if err != nil {
		return failed(fmt.Sprintf("%s is not in PATH: docker sends no credentials, or fails", program),
			fmt.Sprintf("Install %s in a directory of docker's PATH, which can be shorter than that of your shell.", program))
	}
	out, err := s.Command(ctx, s.Subject.Host, path, "get")
	if err != nil {
		return s.helperFailed(ctx, program, out, err)
	}
	var answer struct{ ServerURL, Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil || answer.Secret == "" {
		return failed(program+" get: the answer has no credentials", fmt.Sprintf("Run `echo %s | %s get`, and see whether the program is the right one.", s.Subject.Host, program))
	}
	if s.Subject.isECR() && answer.Username != auth.Username {
		return failed(fmt.Sprintf("%s returns the user %q: Amazon ECR has the user AWS alone", program, answer.Username),
			fmt.Sprintf("Run `ecrkit auth setup %s`.", s.Subject.Host))
	}
	return ok(program + " returns credentials")
}

func (s *Session) helperFailed(ctx context.Context, program string, out []byte, err error) Finding {
	// The protocol has the error on stdout.
	said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	run := fmt.Sprintf("Run `echo %s | %s get` to see the whole error.", s.Subject.Host, program)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return failed(program+" does not answer in time", run)
	case strings.Contains(said, "credentials not found"):
		if !s.Subject.isECR() {
			return ok(program + " has no credentials for the host: docker pulls without them")
		}
		return failed(program+" has no credentials for the host: docker reports no basic auth credentials", fmt.Sprintf("Run `ecrkit auth setup %s`.", s.Subject.Host))
	case said != "":
		return failed(program+" fails: "+auth.Redact(said), run)
	case errors.As(err, &exit):
		return failed(fmt.Sprintf("%s ends with exit code %d and says nothing", program, exit.ExitCode()), run)
	}
	return failed(fmt.Sprintf("%s can't be run: %v", program, err), "Install the program for this operating system and architecture, with the permission to execute it.")
}

// findHelper looks for our own helper where no host was named.
func findHelper(s *Session) Finding {
	const program = "docker-credential-ecrkit"
	if _, err := s.LookPath(program); err != nil {
		return warning(program+" is not in PATH", "Install it in a directory of docker's PATH: `sh install.sh` does so.")
	}
	return ok(program + " is in PATH")
}
