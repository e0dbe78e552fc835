// Package credhelper is the program docker-credential-ecrkit: the credential helper
// protocol, its settings, and the helper for the hosts that are not ECR.
package credhelper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/eventlog"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/internal/version"
)

const usage = `docker-credential-ecrkit gets the password for Amazon ECR by itself: no docker
login, no 12-hour token to think about. It is run by docker, podman, buildx,
skopeo, crane and others for the hosts that ~/.docker/config.json names:

  {
    "credHelpers": {
      "123456789012.dkr.ecr.us-east-1.amazonaws.com": "ecrkit",
      "public.ecr.aws": "ecrkit"
    }
  }

(ecrkit auth setup HOST... writes them), or for all hosts: "credsStore": "ecrkit".

usage: docker-credential-ecrkit get|store|erase|list|version

  get      read a registry host from stdin, print its credentials as JSON
  store    accept the credentials of an ECR host and store nothing
  erase    forget the token of the AWS identity that is used for a host
  list     print the hosts for which there is a token now
  version  print the version

AWS credentials are found as the AWS SDK for Go finds them (AWS_PROFILE, ...). A token is
kept for half of its 12 hours, once for each AWS identity and region, in
~/.cache/ecrkit (ECRKIT_CACHE_DIR, AWS_ECR_CACHE_DIR; none with
AWS_ECR_DISABLE_CACHE). ~/.config/ecrkit/config.yaml (ECRKIT_CONFIG) says which
identity is used for which host, and what to do with hosts that are not ECR.
ECRKIT_LOG=debug or debug:FILE tells each decision.
`

// Main answers one command and returns the exit code. By the protocol an error
// is reported on stdout, with exit code 1.
// The environment is a list of KEY=VALUE.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, variables []string) int {
	env := settings.WithHome(startup.EnvironmentOf(variables))
	if len(args) != 1 {
		fmt.Fprint(stdout, usage)
		return 1
	}
	switch args[0] {
	case "--help", "-h", "help":
		fmt.Fprint(stdout, usage)
		return 0
	case credentials.ActionVersion, "--version", "-v":
		fmt.Fprintf(stdout, "docker-credential-ecrkit (github.com/ecrkit/ecrkit) %s\n", version.String())
		return 0
	case credentials.ActionGet, credentials.ActionStore, credentials.ActionErase, credentials.ActionList:
	default:
		fmt.Fprintf(stdout, "docker-credential-ecrkit: unknown action: %s; see docker-credential-ecrkit --help\n", safetext.Line(args[0]))
		return 1
	}
	log, closeLog, err := eventlog.Open("docker-credential-ecrkit", env.Get(eventlog.Variable), stderr)
	if err != nil {
		log.Warn(err.Error())
	}
	defer closeLog()

	p := program{action: args[0], stdout: stdout, stderr: stderr, variables: variables, env: env, log: log}
	code, err := p.run(retry.WithReached(ctx, nil), stdin)
	if err != nil {
		line := safetext.Line(safetext.MaskUsers(err.Error()))
		fmt.Fprintln(stdout, line)
		// Older dockers (20.10) drop what is on stdout and report "no basic auth
		// credentials"; stderr is the user's terminal.
		if !credentials.IsErrCredentialsNotFound(err) {
			log.Error(line)
		}
		return 1
	}
	return code
}

// program is one run of the helper.
type program struct {
	action         string
	stdout, stderr io.Writer
	variables      []string
	env            startup.Environment
	log            *slog.Logger
	settings       settings.Settings
}

// run answers the command. The exit code matters if there is no error.
func (p *program) run(ctx context.Context, stdin io.Reader) (code int, err error) {
	// list gets a word of no meaning, or nothing, or a terminal.
	var input []byte
	if p.action != credentials.ActionList {
		if input, err = io.ReadAll(io.LimitReader(stdin, startup.MaxInput+1)); err != nil {
			return 1, err
		}
		if len(input) > startup.MaxInput {
			return 1, fmt.Errorf("more than %d bytes on stdin", startup.MaxInput)
		}
	}
	host := hostOf(p.action, input)
	if p.action == credentials.ActionGet {
		if code, ok := startup.Answer(host, p.variables, p.stdout); ok {
			return code, nil
		}
	}
	s, err := settings.Load(p.env)
	if err != nil {
		return 1, fmt.Errorf("ecr: %w", err)
	}
	p.settings = s
	if p.action == credentials.ActionList {
		return p.list(ctx)
	}
	if p.action == credentials.ActionStore && s.IgnoreStore {
		return 0, nil
	}
	if _, err := s.Registries.Parse(host); err != nil && host != "" && s.Fallback != "" {
		return p.fallback(ctx, input, p.stdout)
	}
	err = credentials.HandleCommand(p.helper(ctx), p.action, bytes.NewReader(input), p.stdout)
	if err == nil && p.action == credentials.ActionGet {
		p.shorten(ctx, host)
	}
	return 0, err
}

func (p *program) helper(ctx context.Context) *auth.CredentialHelper {
	return &auth.CredentialHelper{Context: ctx, Tokens: p.settings.Tokens(p.env, p.log), Registries: p.settings.Registries, Logger: p.log}
}

// hostOf finds the host in the input of an action; "" if there is none.
func hostOf(action string, input []byte) string {
	if action != credentials.ActionStore {
		return string(bytes.TrimSpace(input))
	}
	var c struct{ ServerURL string }
	// A malformed object is reported by the protocol's own reader.
	_ = json.Unmarshal(input, &c)
	return c.ServerURL
}
