package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/connect"
	"github.com/ecrkit/ecrkit/internal/doctor"
	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const doctorHelp = `Find out why docker or ecrkit fails with a registry or image, and what to do.

  ecrkit doctor 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit doctor HOST --for push
  ecrkit doctor --output json

It checks docker's configuration and credential helper, endpoints, proxies, network, TLS
certificates, the clock, the AWS identity, the token, the permissions to pull, push and
create, the repository and the tag, the download of layers, scans, throttling and free
space. Without an argument it examines $ECRKIT_REGISTRY, or this machine alone. Nothing
is changed in the registry. It takes at most 10 seconds.

Exit code 0 means that nothing is broken: there may be warnings. Missing permissions to
push or create are warnings unless --for names them.`

// doctorPage is the page that explains the checks.
const doctorPage = docsURL + "/troubleshooting.md"

// doctorResult is the result of ecrkit doctor.
type doctorResult struct {
	Subject string        `json:"subject"` // REF or HOST, "" for this machine alone
	Healthy bool          `json:"healthy"` // nothing failed
	Checks  []doctorCheck `json:"checks"`
}

type doctorCheck struct {
	doctor.Result
	Doc string `json:"doc"`
}

func newDoctorCommand(app *App) *cobra.Command {
	purpose := "pull"
	cmd := &cobra.Command{
		Use:   "doctor [REF|HOST]",
		Short: "Find out why docker or ecrkit fails with a registry",
		Long:  doctorHelp,
		Args:  arguments(1, "REF|HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(doctor.Purposes(), purpose) {
				return usagef("--for must be one of %s", strings.Join(doctor.Purposes(), ", "))
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			} else {
				name, _ = app.Env(registryVariable)
			}
			subject, err := app.doctorSubject(name, len(args) > 0)
			if err != nil {
				return err
			}
			options, err := app.doctorOptions()
			if err != nil {
				return err
			}
			options.Purpose = purpose
			return app.examine(cmd.Context(), doctor.New(options, subject), name)
		},
	}
	cmd.Flags().StringVar(&purpose, "for", purpose, "what the identity must be able to do: `pull|push|create`")
	return cmd
}

// doctorSubject reads REF or HOST.
func (app *App) doctorSubject(name string, given bool) (doctor.Subject, error) {
	config, err := app.settings()
	if err != nil || name == "" {
		if given && err == nil {
			err = usagef("the reference is empty")
		}
		return doctor.Subject{}, err
	}
	if err := ref.CheckUser(name); err != nil {
		return doctor.Subject{}, usageError{err}
	}
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://"), "/")
	if !strings.ContainsAny(host, "/@") {
		r, err := config.Registries.Parse(host)
		switch {
		case err == nil:
			return doctor.Subject{Host: r.Host, Registry: r}, nil
		case !errors.Is(err, auth.ErrNotECR):
			return doctor.Subject{}, usageError{err}
		}
		if wrong := ref.CheckHost(host); wrong != nil {
			return doctor.Subject{}, usagef("host %w", wrong)
		}
		parsed, err := ref.Parse(host+"/name", config.Registries, nil)
		if err != nil || !parsed.IsRepository() {
			advice := ""
			if host, _ := app.Env(registryVariable); host != "" && repositoryWord.MatchString(name) {
				advice = fmt.Sprintf("; for the repository of that name write %s/%s", host, name)
			}
			return doctor.Subject{}, usagef("%q is neither a host nor an image in a registry; write HOST or HOST/REPOSITORY:TAG%s", name, advice)
		}
		return doctor.Subject{Host: parsed.Host}, nil
	}
	r, err := app.parseReference(name)
	if err != nil {
		return doctor.Subject{}, err
	}
	switch {
	case r.Kind == ref.KindECR:
		return doctor.Subject{Host: r.Registry.Host, Registry: r.Registry, Reference: r}, nil
	case r.Kind == ref.KindRegistry:
		subject := doctor.Subject{Host: r.Host, Reference: r}
		if public, err := config.Registries.Parse(r.Host); err == nil {
			subject.Registry = public
		}
		return subject, nil
	}
	return doctor.Subject{}, usagef("%s is not in a registry; write HOST or HOST/REPOSITORY:TAG", r)
}

// doctorOptions are this process and this machine.
func (app *App) doctorOptions() (doctor.Options, error) {
	config, err := app.settings()
	if err != nil {
		return doctor.Options{}, err
	}
	tokens, err := app.tokens()
	if err != nil {
		return doctor.Options{}, err
	}
	temp := app.tempDir()
	if temp == "" {
		temp = os.TempDir()
	}
	return doctor.Options{
		Env: app.Env, Now: app.Now, Tokens: tokens, Transport: app.doctorTransport,
		LookupHost: connect.Names{}.LookupHost, LookPath: exec.LookPath, Command: runCommand, Free: doctor.Free,
		CacheDir: config.CacheDir, NoCache: config.NoCache, TempDir: temp,
		Engine: func(ctx context.Context) (doctor.Engine, error) {
			info, err := app.dockerDaemon().Info(ctx)
			return doctor.Engine(info), err
		},
		Open: func(ctx context.Context, r ref.Reference) (content.Source, func() error, error) {
			return app.openSource(ctx, r)
		},
		Suggest: existing,
		Waiting: func(check string, left time.Duration) {
			app.Messagef("waiting for %s, for at most %s", check, max(left, 0).Round(time.Second))
		},
	}, nil
}

// doctorTransport is base with the proxies of the environment.
func (app *App) doctorTransport(base *http.Transport) http.RoundTripper {
	if base == nil {
		base = calls.NewTransport()
	}
	base = base.Clone()
	proxies := doctor.Proxies(app.Env).ProxyFunc()
	base.Proxy = func(r *http.Request) (*url.URL, error) { return proxies(r.URL) }
	calls.Keep(base)
	if app.Verbose {
		return app.logRequests(base)
	}
	return base
}

// runCommand runs a program, and ends it with the context.
func runCommand(ctx context.Context, stdin, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 100 * time.Millisecond // for children that keep its output open
	return cmd.Output()
}

// examine runs the checks and prints their results as they come.
func (app *App) examine(ctx context.Context, s *doctor.Session, name string) error {
	result := doctorResult{Subject: name, Healthy: true}
	var broken []string
	var printing error
	s.Run(ctx, func(r doctor.Result) {
		result.Checks = append(result.Checks, doctorCheck{r, doctorPage + "#" + r.ID})
		if r.Status == doctor.Failed {
			broken = append(broken, r.ID)
		}
		if app.Output != outputJSON && printing == nil {
			_, printing = fmt.Fprint(app.Stdout, doctorText(r))
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if printing != nil {
		return printing
	}
	result.Healthy = len(broken) == 0
	if app.Output == outputJSON {
		if err := app.PrintResult(result, ""); err != nil {
			return err
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("failed: %s; see %s", strings.Join(broken, ", "), doctorPage)
	}
	return nil
}

// doctorColumns is the width of the results, whether on a terminal or in a log. A longer word, such as a host or a path,
// has a line of its own.
const doctorColumns = 80

// doctorText is a result for people, in lines of [doctorColumns]. Nothing is left out: in the log of a job there is no
// wider terminal to look at it again.
func doctorText(r doctor.Result) string {
	status := string(r.Status)
	if r.Status == doctor.Failed {
		status = "FAILED"
	}
	head := fmt.Sprintf("%-8s %-13s ", status, r.ID)
	found := printable(r.Found)
	indent := strings.Repeat(" ", len(head))
	var b strings.Builder
	b.WriteString(safetext.Hang(head, found, indent, doctorColumns))
	for _, step := range r.Advice {
		b.WriteString(safetext.Hang(indent+"- ", printable(step), indent+"  ", doctorColumns))
	}
	return b.String()
}
