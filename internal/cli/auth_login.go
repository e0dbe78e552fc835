package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/dockerconfig"
)

const authLoginHelp = `Log docker in to registries for 12 hours, on machines where no credential helper
can be installed. The token is stored as docker login stores it: in the credential
store that docker's config.json names, or else in config.json itself, in plain text.

  ecrkit auth login 123456789012.dkr.ecr.us-east-1.amazonaws.com

Where docker-credential-ecrkit can be installed use ecrkit auth setup: it needs no
login and no second one tomorrow.`

// loginResults is the JSON form of what `auth login` prints.
type loginResults struct {
	Logins []loginResult `json:"logins"`
}

type loginResult struct {
	Host      string    `json:"host"`
	Store     string    `json:"store"` // the file, or the credential helper
	ExpiresAt time.Time `json:"expiresAt"`
}

func newAuthLoginCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "login HOST...",
		Short: "Log docker in for 12 hours",
		Long:  authLoginHelp,
		Args:  atLeast("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tokens, err := app.tokens()
			if err != nil {
				return err
			}
			hosts, err := app.hosts(args)
			if err != nil {
				return err
			}
			path, err := configPath(app.Env, false)
			if err != nil {
				return err
			}
			file, err := dockerconfig.Load(path)
			if err != nil {
				return err
			}
			var results []loginResult
			var text strings.Builder
			for _, r := range hosts {
				token, err := tokens.Token(cmd.Context(), r)
				if err != nil {
					return err
				}
				store, err := app.logIn(file, r.Host, token)
				if err != nil {
					return err
				}
				results = append(results, loginResult{r.Host, store, token.ExpiresAt.UTC()})
				fmt.Fprintf(&text, "%s until %s\n", r.Host, token.ExpiresAt.UTC().Format(time.RFC3339))
			}
			if _, err := file.Save(); err != nil {
				return err
			}
			return app.PrintResult(loginResults{results}, text.String())
		},
	}
}

// logIn stores a token where docker looks for it, and says where that is.
func (app *App) logIn(file *dockerconfig.File, host string, token auth.Token) (store string, err error) {
	helper, err := file.Helper(host)
	if err == nil && helper == "" {
		helper, err = file.CredsStore()
	}
	switch {
	case err != nil:
		return "", err
	case helper == helperName:
		app.Messagef("%s needs no login: docker-credential-ecrkit is set up for it", host)
		return "docker-credential-" + helper, nil
	case helper != "":
		err := client.Store(client.NewShellProgramFunc("docker-credential-"+helper),
			&credentials.Credentials{ServerURL: host, Username: auth.Username, Secret: token.Secret})
		if err != nil {
			return "", fmt.Errorf("docker-credential-%s (of %s): %w", helper, file.Path(), err)
		}
		return "docker-credential-" + helper, nil
	}
	app.Messagef("the token of %s is stored in plain text in %s; ecrkit auth setup stores no token", host, file.Path())
	return file.Path(), file.SetAuth(host, auth.Username, token.Secret)
}
