package cli

import (
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/localecr"
)

const localEnvHelp = `Print the environment of a client of the local ECR, for the shell:

  eval "$(ecrkit local env)"
  ecrkit local env --shell fish | source
  ecrkit local env --shell powershell | Out-String | Invoke-Expression

The keys are those of the default account 000000000000, or of the first account in --accounts.
The default keys are not secret: they work only with a local ECR.`

func newLocalEnvCommand(app *App) *cobra.Command {
	var addr, accountsFile, shell string
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
			syntax, err := shellSyntaxOf(shell)
			if err != nil {
				return err
			}
			lines := syntax.unset("AWS_SESSION_TOKEN")
			for _, entry := range localecr.Env(addr, accounts) {
				name, value, _ := strings.Cut(entry, "=")
				values[name] = value
				lines += syntax.set(name, value)
			}
			return app.PrintResult(values, lines)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultLocalAddr, "`host:port` that the local ECR listens on")
	cmd.Flags().StringVar(&accountsFile, "accounts", "", "`file` of accounts that it was given; the keys are those of the first user in it")
	cmd.Flags().StringVar(&shell, "shell", "sh", "`shell` that reads it: "+or(shellNames))
	_ = cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(shellNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// shellNames are the values of --shell.
var shellNames = []string{"sh", "fish", "powershell"}

// shellSyntax is how a shell sets and removes a variable of its environment.
type shellSyntax struct {
	set   func(name, value string) string
	unset func(name string) string
}

func shellSyntaxOf(name string) (shellSyntax, error) {
	switch name {
	case "sh", "bash", "zsh":
		return shellSyntax{
			func(name, value string) string { return "export " + name + "=" + shellQuote(value) + "\n" },
			func(name string) string { return "unset " + name + "\n" },
		}, nil
	case "fish":
		quote := strings.NewReplacer(`\`, `\\`, "'", `\'`)
		return shellSyntax{
			func(name, value string) string { return "set -gx " + name + " '" + quote.Replace(value) + "'\n" },
			func(name string) string { return "set -e " + name + "\n" },
		}, nil
	case "powershell", "pwsh":
		return shellSyntax{
			func(name, value string) string {
				return "$Env:" + name + " = '" + strings.ReplaceAll(value, "'", "''") + "'\n"
			},
			func(name string) string { return "Remove-Item -ErrorAction Ignore Env:" + name + "\n" },
		}, nil
	}
	return shellSyntax{}, usagef("--shell %s: must be %s", name, or(shellNames))
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
