package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/dockerconfig"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/proxy/setup"
)

const proxySetupHelp = `Write the file by which an engine reads the images of registries through ecrkit proxy. The names
of images stay as they are.

  sudo ecrkit proxy setup podman 123456789012.dkr.ecr.us-east-1.amazonaws.com
  ecrkit proxy setup podman --check           # ends with 1 if something is wrong
  sudo ecrkit proxy setup podman --remove     # restores the files

  docker      /etc/docker/certs.d/HOST/hosts.toml, which Docker reads from 29 on with containerd's
              image store; for a proxy on another machine also insecure-registries in
              /etc/docker/daemon.json. Older engines pull by name:
              127.0.0.1:4511/HOST/REPOSITORY:TAG
  podman      /etc/containers/registries.conf.d/zz-ecrkit-proxy.conf, also for buildah, skopeo
              and CRI-O
  containerd  /etc/containerd/certs.d/HOST/hosts.toml
  buildkit    /etc/buildkit/buildkitd.toml

The proxy becomes the only endpoint for pulls: an engine with a second one would go there for an
image that the proxy refuses. With --fallback the registry itself is the second one, so that
images are pulled without the proxy while it does not run. BuildKit always has it.

Everything else in these files stays byte for byte. Lines that must not count are made comments,
and --remove restores them. Without HOST, --check and --remove are about all registries that were
set up.

--check reports for each registry: "ok", "not configured", "bypassed" (with what leads past the
proxy), "proxy not running", or "refused" (the proxy runs but cannot read from the registry). With
--fallback there is also "helper missing": docker or podman has no credentials of its own for the
registry. The check asks the proxy for an image that does not exist. Of podman it reads the files
that podman reads for the user who runs it: a ~/.config/containers/registries.conf replaces those
in /etc.`

// proxySetupFlags are the flags of `ecrkit proxy setup`.
type proxySetupFlags struct {
	check, remove, fallback bool
	proxy, root             string
}

type proxySetupResult struct {
	Engine  setup.Engine     `json:"engine"`
	Proxy   string           `json:"proxy"`
	Changed bool             `json:"changed"`
	Hosts   []proxySetupHost `json:"hosts"`
}

type proxySetupHost struct {
	Host   string             `json:"host"`
	Files  []setup.FileChange `json:"files,omitempty"`
	State  string             `json:"state"`            // of the files: set up, removed, unchanged; with --check how the engine reads
	Detail string             `json:"detail,omitempty"` // what is wrong
}

func newProxySetupCommand(app *App) *cobra.Command {
	var f proxySetupFlags
	var names []string
	for _, e := range setup.Engines() {
		names = append(names, string(e))
	}
	cmd := &cobra.Command{
		Use:       "setup ENGINE [HOST...]",
		Short:     "Have docker, podman, containerd or BuildKit use the proxy",
		Long:      proxySetupHelp,
		Args:      atLeast("ENGINE"),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setUpProxy(cmd.Context(), f, args[0], args[1:])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.check, "check", false, "change nothing, end with 1 if the engine does not use the proxy")
	flags.BoolVar(&f.remove, "remove", false, "restore the files as they were")
	flags.BoolVar(&f.fallback, "fallback", false, "let the engine pull from the registry itself when the proxy refuses or does not answer")
	flags.StringVar(&f.proxy, "proxy", "http://"+defaultProxyAddr, "`URL` of the proxy")
	flags.StringVar(&f.root, "root", "", "`directory` that has etc (default /)")
	return cmd
}

func (app *App) setUpProxy(ctx context.Context, f proxySetupFlags, engine string, args []string) error {
	if f.check && f.remove {
		return usagef("--check and --remove exclude each other")
	}
	s, err := setup.New(setup.Engine(engine), f.proxy)
	if err != nil {
		return usageError{err}
	}
	s.Root, s.Fallback = f.root, f.fallback
	if env := startup.Environment(app.Env); s.Root == "" {
		s.RegistriesConf = env.Get("CONTAINERS_REGISTRIES_CONF")
		if home := env.Home(); home != "" {
			s.UserDir = filepath.Join(home, ".config", "containers")
		}
	}
	hosts, err := proxySetupHosts(s, f, args)
	if err != nil {
		return err
	}
	result := proxySetupResult{Engine: s.Engine, Proxy: s.Proxy.String(), Hosts: []proxySetupHost{}}
	if f.check {
		return app.checkProxySetup(ctx, s, hosts, result)
	}
	change, done := s.Set, "set up"
	if f.remove {
		change, done = s.Remove, "removed"
	}
	for _, host := range hosts {
		h := proxySetupHost{Host: host, State: "unchanged"}
		if h.Files, err = change(host); err != nil {
			return proxySetupAdvice(s, err)
		}
		for _, c := range h.Files {
			if c.State != setup.Unchanged {
				h.State, result.Changed = done, true
			}
		}
		result.Hosts = append(result.Hosts, h)
	}
	var text strings.Builder
	for _, h := range result.Hosts {
		fmt.Fprintf(&text, "%-9s %s\n", h.State, h.Host)
		for _, c := range h.Files {
			if c.State != setup.Unchanged {
				fmt.Fprintf(&text, "          %s: %s\n", c.State, c.File)
			}
		}
	}
	switch {
	case result.Changed:
		text.WriteString(afterProxySetup(s, f.remove))
	case f.remove && len(hosts) == 0:
		app.Messagef("nothing to remove: in the files of %s, nothing is marked as written by ecrkit proxy setup", s.Engine)
	}
	return app.PrintResult(result, text.String())
}

// afterProxySetup is what makes a change count.
func afterProxySetup(s *setup.Setup, removed bool) string {
	switch {
	case s.Engine == setup.BuildKit:
		return "Restart buildkitd, which reads its configuration when it starts.\n"
	case s.Engine != setup.Docker:
		return ""
	case removed:
		return "A changed daemon.json needs `systemctl reload docker`.\n"
	}
	return "Docker before 29 does not read hosts.toml: name images " + s.Proxy.Host + "/HOST/REPOSITORY. A changed daemon.json needs `systemctl reload docker`.\n"
}

// proxySetupAdvice adds what to do about an error.
func proxySetupAdvice(s *setup.Setup, err error) error {
	switch {
	case errors.Is(err, setup.ErrFallback):
		return usageError{fmt.Errorf("%w; add --fallback, or write %s/HOST/REPOSITORY in FROM", err, s.Proxy.Host)}
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("%w; run it as root", err)
	}
	return err
}

// proxySetupHosts returns the registries of the command line, or those that were set up.
func proxySetupHosts(s *setup.Setup, f proxySetupFlags, args []string) ([]string, error) {
	if len(args) == 0 {
		hosts, err := s.Hosts()
		switch {
		case err != nil:
			return nil, proxySetupAdvice(s, err)
		case !f.check && !f.remove:
			return nil, usagef("HOST is missing: name the registries to read through the proxy")
		case f.check && len(hosts) == 0:
			return nil, fmt.Errorf("not configured: %s reads no registry through the proxy; run ecrkit proxy setup %s HOST", s.Engine, s.Engine)
		}
		return hosts, nil
	}
	var hosts []string
	for _, arg := range args {
		host, err := registryname.Host(strings.TrimSuffix(strings.TrimPrefix(arg, "https://"), "/"))
		if err != nil {
			return nil, usagef("%s: %w", arg, err)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// proxyCheckTime is how long the proxy has to answer.
const proxyCheckTime = 30 * time.Second

func (app *App) checkProxySetup(ctx context.Context, s *setup.Setup, hosts []string, result proxySetupResult) error {
	ctx, cancel := context.WithTimeout(ctx, proxyCheckTime)
	defer cancel()
	client := &http.Client{Transport: loopback.NewTransport()}
	running := s.Running(ctx, client)
	wrong := 0
	var text strings.Builder
	for _, host := range hosts {
		reading, detail, err := s.Check(host)
		if err != nil {
			return proxySetupAdvice(s, err)
		}
		h := proxySetupHost{Host: host, State: string(reading), Detail: detail}
		if reading == setup.ThroughProxy {
			if running != nil {
				h.State, h.Detail = "proxy not running", notRunning(s, running)
			} else if err := s.Serves(ctx, client, host); err != nil {
				h.State, h.Detail = "refused", err.Error()
			} else if missing, err := app.fallbackHelper(s, host); err != nil {
				return err
			} else if missing != "" {
				h.State, h.Detail = "helper missing", missing
			}
		}
		if h.State != string(setup.ThroughProxy) {
			wrong++
		}
		result.Hosts = append(result.Hosts, h)
		fmt.Fprintf(&text, "%-17s %s", h.State, h.Host)
		if h.Detail != "" {
			fmt.Fprintf(&text, "\n                  %s", h.Detail)
		}
		text.WriteByte('\n')
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%s does not read %d of %d registries through the proxy at %s as it should", s.Engine, wrong, len(hosts), s.Proxy)
	}
	return nil
}

// notRunning says why the proxy does not answer, and what to do.
func notRunning(s *setup.Setup, err error) string {
	if refused(err) {
		return fmt.Sprintf("nothing listens at %s; start it with `ecrkit proxy`", s.Proxy)
	}
	return err.Error() + "; name the URL of the proxy with --proxy, or start it with `ecrkit proxy`"
}

// fallbackHelper returns why an engine that falls back to the registry has no credentials for it, or "".
// The credentials of containerd and BuildKit are those of their clients, which are not known here.
func (app *App) fallbackHelper(s *setup.Setup, host string) (string, error) {
	if !s.Fallback || s.Engine != setup.Docker && s.Engine != setup.Podman {
		return "", nil
	}
	var d dockerAnswer
	for _, podman := range []bool{true, false} { // podman also reads docker's file
		if podman && s.Engine != setup.Podman {
			continue
		}
		path, err := configPath(app.Env, podman)
		if err != nil {
			return "", err
		}
		file, err := dockerconfig.Load(path)
		if err != nil {
			return "", err
		}
		if d, err = newDockerAnswer(file, host); err != nil {
			return "", err
		}
		if d.SetBy != "" {
			break
		}
	}
	switch {
	case d.SetBy == "":
		return fmt.Sprintf("the fallback has no credentials: %s names no helper for it; run ecrkit auth setup %s", d.File, host), nil
	case d.Helper != "" && d.Program == "":
		return fmt.Sprintf("the fallback has no credentials: %s of %s is not in PATH", d.program(), d.File), nil
	}
	return "", nil
}
