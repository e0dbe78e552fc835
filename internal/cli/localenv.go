package cli

import (
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/localecr"
)

const localEnvHelp = `Print the environment of a client of the local ECR, for the shell:

  eval "$(ecrkit local env)"

The keys are those of the default account 000000000000, or of the first account in --accounts.
The default keys are not secret: they work only with a local ECR.`

func newLocalEnvCommand(app *App) *cobra.Command {
	var addr, accountsFile string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment of a client of the local ECR",
		Long:  localEnvHelp,
		Args:  arguments(0),
		RunE: func(*cobra.Command, []string) error {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return usagef("--addr %s: write HOST:PORT, as `ecrkit local` printed it", addr)
			}
			accounts, err := readAccountsFile(accountsFile)
			if err != nil {
				return err
			}
			values := map[string]string{}
			// A session token of other keys would make these ones invalid.
			lines := "unset AWS_SESSION_TOKEN\n"
			for _, entry := range localecr.Env(addr, accounts) {
				name, value, _ := strings.Cut(entry, "=")
				values[name] = value
				lines += "export " + name + "=" + shellQuote(value) + "\n"
			}
			return app.PrintResult(values, lines)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultLocalAddr, "`host:port` that the local ECR listens on")
	cmd.Flags().StringVar(&accountsFile, "accounts", "", "`file` of accounts that it was given; the keys are those of the first user in it")
	return cmd
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
