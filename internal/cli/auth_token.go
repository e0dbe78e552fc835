package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
)

const authTokenHelp = `Print the authorization token of a registry, from the cache if there is one.

  ecrkit auth token 123456789012.dkr.ecr.us-east-1.amazonaws.com |
    docker login --username AWS --password-stdin 123456789012.dkr.ecr.us-east-1.amazonaws.com

The token is a secret: whoever has it is you, for up to 12 hours. With --output
json one object: host, username, password, expiresAt.`

type tokenResult struct {
	Host      string    `json:"host"`
	Username  string    `json:"username"`
	Password  string    `json:"password"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func newAuthTokenCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "token HOST",
		Short: "Print the token of a registry",
		Long:  authTokenHelp,
		Args:  arguments(0, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tokens, err := app.tokens()
			if err != nil {
				return err
			}
			r, err := parseHost(tokens.Minter.AWS.Registries, args[0])
			if err != nil {
				return err
			}
			token, err := tokens.Token(cmd.Context(), r)
			if err != nil {
				return err
			}
			if g := app.gitHub(); g != nil {
				g.Mask(token.Secret)
			}
			return app.PrintResult(tokenResult{r.Host, auth.Username, token.Secret, token.ExpiresAt.UTC()}, token.Secret+"\n")
		},
	}
}
