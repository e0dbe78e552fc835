package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/eventlog"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const authHelp = `Get, explain and manage authorization tokens of Amazon ECR.

  ecrkit auth explain HOST     which helper answers for HOST, with which identity
  ecrkit auth setup HOST...    have docker get its tokens automatically
  ecrkit auth login HOST...    log docker in where no helper can be installed
  ecrkit auth token HOST       print the token, as aws ecr get-login-password does
  ecrkit auth cache ls         the cached tokens
  ecrkit auth kubelet          the credential provider of the kubelet

docker and other clients then get their tokens from docker-credential-ecrkit.`

func newAuthCommand(app *App) *cobra.Command {
	return newGroup("auth", "Get, explain and manage authorization tokens", authHelp,
		newAuthExplainCommand(app), newAuthTokenCommand(app), newAuthCacheCommand(app), newAuthSetupCommand(app),
		newAuthLoginCommand(app), newAuthKubeletCommand(app),
	)
}

// tokens makes the source of tokens of the settings.
func (app *App) tokens() (*auth.Tokens, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	setting, _ := app.Env(eventlog.Variable)
	asJSON := setting == "" && app.callLog != nil
	if app.Verbose && setting == "" {
		setting = "debug"
	}
	log, _, err := eventlog.Open("ecrkit", setting, app.Stderr)
	if err != nil {
		return nil, usageError{err}
	}
	if asJSON {
		log = app.callLog
	}
	tokens := config.Tokens(app.Env, log)
	if app.Verbose {
		tokens.Minter.AWS.LoadOptions = append(tokens.Minter.AWS.LoadOptions, app.logCalls())
	}
	return tokens, nil
}

// parseHost finds the registry of a host on the command line.
func parseHost(registries auth.Registries, host string) (auth.Registry, error) {
	if err := ref.CheckUser(host); err != nil {
		return auth.Registry{}, usageError{err}
	}
	r, err := registries.Parse(host)
	if errors.Is(err, auth.ErrNotECR) {
		name, _, _ := strings.Cut(strings.TrimPrefix(host, "https://"), "/")
		if wrong := ref.CheckHost(name); wrong != nil {
			return r, usagef("host %w", wrong)
		}
		return r, usagef("%w; a host name of your own needs a rule with registry_id and region in config.yaml, or %s", err, auth.MappingVariable)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", host, err)
	}
	return r, nil
}
