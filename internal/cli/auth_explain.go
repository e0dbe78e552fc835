package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/dockerconfig"
	"github.com/ecrkit/ecrkit/internal/doctor"
)

const authExplainHelp = `Explain where the token of a registry comes from: which rule of config.yaml counts, which
AWS profile, what kind of credentials, which endpoint is called, and whether a
token is kept and until when; and from where docker takes its credentials for the host: its file,
and there credHelpers, credsStore or auths. Nothing is sent without --try, which gets a token
and sends it to the registry.

  ecrkit auth explain 123456789012.dkr.ecr.us-east-1.amazonaws.com
  ecrkit auth explain HOST --try --output json

Ends with 1 if no token could be got with this configuration, as far as that can be known; ecrkit
auth setup --check ends with 1 if docker does not ask ecrkit.`

// explanation is the result of ecrkit auth explain.
type explanation struct {
	Host       string     `json:"host"`
	Account    string     `json:"account,omitempty"`
	Region     string     `json:"region"`
	Public     bool       `json:"public,omitempty"`
	Rule       string     `json:"rule,omitempty"`       // its pattern
	Overridden string     `json:"overridden,omitempty"` // the variable that wins over the rule
	Profile    string     `json:"profile,omitempty"`
	Source     string     `json:"source,omitempty"`
	Steps      []string   `json:"steps,omitempty"`
	Stable     bool       `json:"stable"` // the cache is used without obtaining credentials
	Endpoint   string     `json:"endpoint"`
	EndpointBy string     `json:"endpointSetBy,omitempty"`
	Key        string     `json:"key,omitempty"`
	Cache      string     `json:"cache"` // its directory, or why there is none
	Cached     bool       `json:"cached"`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty"`
	Calls      []string   `json:"calls"` // that a get would make
	Problem    string     `json:"problem,omitempty"`
	// Docker is from where docker takes the credentials; nil if its file cannot be found.
	Docker *dockerAnswer `json:"docker,omitempty"`
	Tried  string        `json:"tried,omitempty"` // what the registry said
}

func newAuthExplainCommand(app *App) *cobra.Command {
	var try bool
	cmd := &cobra.Command{
		Use:   "explain HOST",
		Short: "Explain where the token of a registry comes from",
		Long:  authExplainHelp,
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
			e, problem := app.explain(cmd.Context(), tokens, r)
			e.Docker = app.dockerAnswer(r.Host)
			if try && problem == nil {
				e.Tried, problem = tryToken(cmd.Context(), tokens, r)
			}
			if problem != nil {
				e.Problem = problem.Error()
			}
			if err := app.PrintResult(e, e.text()); err != nil {
				return err
			}
			return problem
		},
	}
	cmd.Flags().BoolVar(&try, "try", false, "get the token and show it to the registry")
	return cmd
}

// dockerAnswer returns from where docker takes the credentials of a host; nil, with a message, if its
// file cannot be read.
func (app *App) dockerAnswer(host string) *dockerAnswer {
	path, err := configPath(app.Env, false)
	if err != nil {
		return nil // docker has no file without a home directory either
	}
	file, err := dockerconfig.Load(path)
	if err == nil {
		var d dockerAnswer
		if d, err = newDockerAnswer(file, host); err == nil {
			return &d
		}
	}
	app.Messagef("docker's configuration: %v", err)
	return nil
}

// explain makes the explanation; the error is why a get would fail.
func (app *App) explain(ctx context.Context, tokens *auth.Tokens, r auth.Registry) (explanation, error) {
	plan, problem := tokens.Minter.AWS.Plan(ctx, r)
	e := explanation{Host: r.Host, Account: r.Account, Region: r.Region, Public: r.Public, Rule: plan.Rule.Host, Overridden: plan.Overridden,
		Profile: plan.Source.Profile, Source: string(plan.Source.Kind), Steps: plan.Source.Steps, Stable: plan.Source.Stable,
		Endpoint: plan.Endpoint.URL, EndpointBy: plan.Endpoint.SetBy, Calls: []string{}}
	if tokens.Store != nil {
		e.Cache = tokens.Store.Dir
	} else if config, err := app.settings(); err == nil {
		e.Cache = "none: " + config.NoCache
	}
	if problem != nil {
		return e, problem
	}
	e.Key = plan.Key().String()
	token, cached, err := tokens.Cached(ctx, r)
	if err != nil {
		app.Messagef("the cache can't be read: %v", err)
	}
	if e.Cached = cached; cached {
		utc := token.ExpiresAt.UTC()
		e.ExpiresAt = &utc
	}
	e.Calls = plan.Calls(cached)
	return e, nil
}

func (e explanation) text() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, value)
		}
	}
	line("host", e.Host)
	registry := e.Account + " in " + e.Region
	if e.Public {
		registry = "ECR Public"
	}
	line("registry", registry)
	rule := e.Rule
	if rule == "" {
		rule = "none of config.yaml matches"
	} else if e.Overridden != "" {
		rule += ", but " + e.Overridden + " wins over its profile"
	}
	line("rule", rule)
	line("profile", e.Profile)
	if e.Source != "" {
		line("identity", e.Source+": "+strings.Join(e.Steps, ", then "))
	}
	endpoint := e.Endpoint
	if e.EndpointBy != "" {
		endpoint += " (" + e.EndpointBy + ")"
	}
	line("endpoint", endpoint)
	line("cache", e.Cache)
	token := "none"
	if e.ExpiresAt != nil {
		token = "kept, expires " + e.ExpiresAt.Format(time.RFC3339)
	}
	line("token", token)
	calls := "none"
	if len(e.Calls) > 0 {
		calls = strings.Join(e.Calls, ", ")
	}
	if e.Problem == "" {
		line("calls", calls)
	}
	if e.Docker != nil {
		line("docker", e.Docker.String())
		if e.Docker.Problem != "" {
			line("", e.Docker.Problem+"; "+e.Docker.advice(e.Host))
		}
	}
	line("problem", e.Problem)
	line("tried", e.Tried)
	return b.String()
}

// tryToken gets a token and shows it to the registry.
func tryToken(ctx context.Context, tokens *auth.Tokens, r auth.Registry) (string, error) {
	token, err := tokens.Token(ctx, r)
	if err != nil {
		return "", err
	}
	url := r.Scheme() + "://" + r.Host + "/v2/"
	status, err := doctor.Present(ctx, &http.Client{
		Transport:     calls.NewTransport(),
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, r, token.Secret)
	if err != nil {
		return "", fmt.Errorf("the token was got, and the registry can't be reached: %w", err)
	}
	answer := fmt.Sprintf("%s answers %d %s", url, status, http.StatusText(status))
	switch status {
	case http.StatusOK:
		return "the registry accepts the token", nil
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		err = errors.Join(tokens.Reject(ctx, r, token))
		return "", errors.Join(fmt.Errorf("%s to the token, which is now forgotten; run this again for a new one", answer), err)
	}
	return "", errors.New(answer)
}
