package cli

import (
	"encoding/json"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/localecr"
)

const localEnvHelp = `Print the environment of a client of the local ECR, for the shell:

  eval "$(ecrkit local env)"
  ecrkit local env --shell fish | source
  ecrkit local env --shell powershell | Out-String | Invoke-Expression
  ecrkit local env --shell json

With --tls the endpoints are https URLs, and AWS_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE,
CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS name the certificates of the machine and of the local ECR.

The keys are those of the default account 000000000000, or of the first account in --accounts.
The default keys are not secret: they work only with a local ECR.`

func newLocalEnvCommand(app *App) *cobra.Command {
	var addr, accountsFile, shell, tlsDir string
	var withTLS bool
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
			entries := localecr.Env(addr, accounts)
			if withTLS {
				dir, err := app.localTLSDir(tlsDir)
				if err != nil {
					return err
				}
				entries = localecr.EnvTLS(addr, accounts, dir)
			} else if tlsDir != "" {
				return usagef("--tls-dir needs --tls")
			}
			for _, entry := range entries {
				name, value, _ := strings.Cut(entry, "=")
				values[name] = value
				lines += syntax.set(name, value)
			}
			if shell == shellJSON {
				data, err := json.MarshalIndent(values, "", "  ")
				if err != nil {
					return err
				}
				lines = string(data) + "\n"
			}
			return app.PrintResult(values, lines)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultLocalAddr, "`host:port` that the local ECR listens on")
	cmd.Flags().StringVar(&accountsFile, "accounts", "", "`file` of accounts that it was given; the keys are those of the first user in it")
	cmd.Flags().BoolVar(&withTLS, "tls", false, "for a server with --tls")
	cmd.Flags().StringVar(&tlsDir, "tls-dir", "", "`directory` of its authority (default $XDG_DATA_HOME/ecrkit/local-tls)")
	cmd.Flags().StringVar(&shell, "shell", "sh", "`shell` that reads it: "+or(shellNames))
	_ = cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(shellNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// shellNames are the values of --shell.
var shellNames = []string{"sh", "fish", "powershell", shellJSON}

// shellJSON is one JSON object for programs that are no shell.
const shellJSON = "json"

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
	case shellJSON:
		none := func(string) string { return "" }
		return shellSyntax{func(string, string) string { return "" }, none}, nil
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
