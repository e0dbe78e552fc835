package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

const authCacheHelp = `The tokens that are cached on this machine.

  ecrkit auth cache ls       list them, without their secrets
  ecrkit auth cache prune    remove those that have expired
  ecrkit auth cache clear    remove them all

The list does not name identities: SOURCE is how the credentials are obtained, such
as assume-role or sso. ecrkit auth explain HOST shows what a host uses.`

const authCacheLsHelp = `List the cached tokens, without their secrets.

  ecrkit auth cache ls
  ecrkit auth cache ls --output json

Prints a table, or with --output json one object: directory, tokens (key, state: fresh, renew,
stale or unreadable, service, region, source, endpoint, expiresAt).`

const authCachePruneHelp = `Remove the cached tokens that have expired.

  ecrkit auth cache prune

Tokens that are still valid stay.`

const authCacheClearHelp = `Remove all cached tokens.

  ecrkit auth cache clear

The next command that needs a token gets a new one. Copies that docker login has stored stay.`

func newAuthCacheCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "List and remove cached tokens",
		Long:  authCacheHelp,
		Args:  arguments(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{Use: "ls", Short: "List the tokens", Long: authCacheLsHelp, Args: arguments(0),
			RunE: func(*cobra.Command, []string) error { return app.listTokens() }},
		&cobra.Command{Use: "prune", Short: "Remove the tokens that have expired", Long: authCachePruneHelp, Args: arguments(0),
			RunE: func(*cobra.Command, []string) error { return app.removeTokens((*tokenstore.Store).Prune) }},
		&cobra.Command{Use: "clear", Short: "Remove all tokens", Long: authCacheClearHelp, Args: arguments(0),
			RunE: func(*cobra.Command, []string) error { return app.removeTokens((*tokenstore.Store).Clear) }},
	)
	return cmd
}

// store is the token store of the settings.
func (app *App) store() (*tokenstore.Store, error) {
	tokens, err := app.tokens()
	if err != nil {
		return nil, err
	}
	if tokens.Store == nil {
		config, _ := app.settings()
		return nil, fmt.Errorf("there is no token cache: %s", config.NoCache)
	}
	return tokens.Store, nil
}

type cachedToken struct {
	Key       string     `json:"key"`
	State     string     `json:"state"` // fresh, renew, stale, unreadable
	Service   string     `json:"service,omitempty"`
	Region    string     `json:"region,omitempty"`
	Source    string     `json:"source,omitempty"`
	Endpoint  string     `json:"endpoint,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

func (app *App) listTokens() error {
	store, err := app.store()
	if err != nil {
		return err
	}
	items, err := store.List()
	if err != nil {
		return err
	}
	list := []cachedToken{}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if len(items) == 0 {
		app.Messagef("no tokens are cached in %s", store.Dir)
	} else {
		fmt.Fprintln(table, "KEY\tSERVICE\tREGION\tSOURCE\tSTATE\tEXPIRES")
	}
	for _, item := range items {
		t := cachedToken{Key: item.Key.String(), State: stateName(item.State), Service: item.Entry.Service, Region: item.Entry.Region,
			Source: item.Entry.Kind, Endpoint: item.Entry.Endpoint}
		expires := "-"
		if item.Err != nil {
			t.State = "unreadable"
		} else {
			utc := item.Entry.ExpiresAt.UTC()
			t.ExpiresAt, expires = &utc, utc.Format(time.RFC3339)
		}
		list = append(list, t)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Key[:12], t.Service, t.Region, t.Source, t.State, expires)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return app.PrintResult(map[string]any{"directory": store.Dir, "tokens": list}, text.String())
}

func stateName(s tokenstore.State) string {
	switch s {
	case tokenstore.Fresh:
		return "fresh"
	case tokenstore.Renew:
		return "renew"
	}
	return "stale"
}

// removeTokens prints how many tokens a way of removing them removed.
func (app *App) removeTokens(remove func(*tokenstore.Store) (int, error)) error {
	store, err := app.store()
	if err != nil {
		return err
	}
	n, err := remove(store)
	if err != nil {
		return err
	}
	return app.PrintResult(map[string]any{"directory": store.Dir, "removed": n}, fmt.Sprintf("%d tokens removed\n", n))
}
