package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const localEnvHelp = `Print commands that set the environment of the clients of a local ECR in this shell.

  eval "$(ecrkit local env)"
  ecrkit local env --shell fish | source
  ecrkit local env --shell powershell | Out-String | Invoke-Expression
  ecrkit local env --shell cmd > env.cmd && call env.cmd
  ecrkit local env --shell json

With --tls the endpoints are https URLs, and AWS_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE,
CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS name the certificates of the machine and of the local ECR.

The keys are those of the default account 000000000000, or of the first account in --accounts.
The default keys are not secret: they work only with a local ECR.

With --credentials, clients get temporary keys of a role of that account, as on AWS:

  eval "$(ecrkit local env --credentials ecs)"           # in a container of Amazon ECS or EKS
  eval "$(ecrkit local env --credentials imds)"          # on an EC2 instance
  eval "$(ecrkit local env --credentials web-identity)"  # with an ID token, as in EKS and CI

The last one asks the running server for a token of its own issuer and stores it in --token-file.`

func newLocalEnvCommand(app *App) *cobra.Command {
	var addr, accountsFile, shell, tlsDir, credentials, tokenFile string
	var withTLS bool
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment of a client of the local ECR",
		Long:  localEnvHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return usagef("--addr %s: write HOST:PORT, as `ecrkit local` printed it", addr)
			}
			accounts, err := app.readAccountsFile(accountsFile)
			if err != nil {
				return err
			}
			syntax, err := shellSyntaxOf(shell)
			if err != nil {
				return err
			}
			source := localecr.CredentialSource(credentials)
			if !slices.Contains(localecr.CredentialSources(), source) {
				return usagef("--credentials %s: must be %s", credentials, or(credentialSources()))
			}
			if source == localecr.IDToken {
				if tokenFile, err = app.storeWebIdentity(cmd.Context(), addr, accounts, tokenFile); err != nil {
					return err
				}
			} else if tokenFile != "" {
				return usagef("--token-file needs --credentials %s", localecr.IDToken)
			}
			// A session token of other keys would make these ones invalid.
			entries, unset, err := localecr.CredentialsEnv(addr, accounts, source, tokenFile)
			if err != nil {
				return err
			}
			if withTLS {
				dir, err := app.localTLSDir(tlsDir)
				if err != nil {
					return err
				}
				ca := filepath.Join(dir, localecr.CAFile)
				if _, err := os.Stat(ca); errors.Is(err, fs.ErrNotExist) {
					app.Messagef("ecrkit local env: %s does not exist; `ecrkit local --tls` creates it at its first start", ca)
				}
				entries = localecr.WithTLS(entries, dir)
			} else if tlsDir != "" {
				return usagef("--tls-dir needs --tls")
			}
			values, lines := map[string]string{}, ""
			for _, name := range unset {
				lines += syntax.unset(name)
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
	cmd.Flags().StringVar(&accountsFile, "accounts", "", "`file` of the accounts that the local ECR has; the keys are those of the first user in it")
	cmd.Flags().BoolVar(&withTLS, "tls", false, "for a server with --tls")
	cmd.Flags().StringVar(&tlsDir, "tls-dir", "", "`directory` of its authority (default $XDG_DATA_HOME/ecrkit/local-tls)")
	cmd.Flags().StringVar(&credentials, "credentials", string(localecr.Keys), "`where` clients get their credentials: "+or(credentialSources()))
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` for the token of --credentials web-identity (default $XDG_DATA_HOME/ecrkit/local-web-identity-token)")
	_ = cmd.RegisterFlagCompletionFunc("credentials", cobra.FixedCompletions(credentialSources(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&shell, "shell", "sh", "`shell` that reads it: "+or(shellNames))
	_ = cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(shellNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func credentialSources() (names []string) {
	for _, source := range localecr.CredentialSources() {
		names = append(names, string(source))
	}
	return names
}

// storeWebIdentity asks the local ECR at addr for a token and stores it in a file, whose path it returns.
func (app *App) storeWebIdentity(ctx context.Context, addr string, accounts []localecr.Account, path string) (string, error) {
	if path == "" {
		dir := startup.Environment(app.Env).DataDir()
		if dir == "" {
			return "", usagef("neither XDG_DATA_HOME nor %s is set to an absolute path: use --token-file FILE", startup.HomeVariable)
		}
		path = filepath.Join(dir, "local-web-identity-token")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	request, err := localecr.WebIdentityRequest(addr, accounts)
	if err != nil {
		return "", err
	}
	client := &http.Client{Timeout: healthTime, Transport: loopback.NewTransport()}
	defer client.CloseIdleConnections()
	response, err := client.Do(request.WithContext(ctx))
	if refused(err) {
		return "", fmt.Errorf("nothing listens at %s; is `ecrkit local` running?", addr)
	}
	if err != nil {
		return "", fmt.Errorf("local ECR at %s: %w", addr, err)
	}
	defer response.Body.Close()
	data, err := content.ReadLimited(response.Body, maxHealth)
	if err != nil {
		return "", fmt.Errorf("local ECR at %s: %w", addr, err)
	}
	var token localecr.WebIdentityToken
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("the local ECR at %s has other accounts: pass the --accounts that it was given", addr)
	case response.StatusCode != http.StatusOK || json.Unmarshal(data, &token) != nil || token.Token == "":
		return "", fmt.Errorf("what listens at %s issues no tokens: it answered %s", addr, response.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, files.WriteFile(path, []byte(token.Token), 0o600)
}

// shellNames are the values of --shell.
var shellNames = []string{"sh", "fish", "powershell", "cmd", shellJSON}

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
	case "cmd":
		return shellSyntax{
			func(name, value string) string { return `@set "` + name + "=" + value + "\"\n" },
			func(name string) string { return `@set "` + name + "=\"\n" },
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
