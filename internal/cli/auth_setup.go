package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/dockerconfig"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// helperName is docker-credential-ecrkit in credHelpers.
const helperName = "ecrkit"

const authSetupHelp = `Have docker get the tokens of registries automatically: write credHelpers entries into
~/.docker/config.json ($DOCKER_CONFIG), or with --podman into podman's auth.json
($REGISTRY_AUTH_FILE). Everything else in the file stays byte for byte, and a copy
of it is kept next to it as config.json.ecrkit-backup. Again it changes nothing.

  ecrkit auth setup 123456789012.dkr.ecr.us-east-1.amazonaws.com public.ecr.aws
  ecrkit auth setup --check HOST
  ecrkit auth setup --remove HOST

--check changes nothing. It shows for each host from where docker takes its credentials:
credHelpers, else credsStore (a helper for all hosts), else a password in auths. It ends
with 1 unless that is docker-credential-ecrkit and it is in PATH. The PATH of docker can be
shorter than that of your shell.

Prints the file and a line for each host, or with --output json one object: file, backup, changed,
hosts (host, helper: the entry as it was, state: added, removed, unchanged, missing or no-program,
docker: setBy, helper, program, stored, problem).`

type setupResult struct {
	File    string      `json:"file"`
	Backup  string      `json:"backup,omitempty"`
	Changed bool        `json:"changed"`
	Hosts   []setupHost `json:"hosts"`
}

type setupHost struct {
	Host   string `json:"host"`
	Helper string `json:"helper"` // as it was before
	State  string `json:"state"`  // added, removed, unchanged, missing, no-program
	// Docker is what docker does with the file as it is now.
	Docker dockerAnswer `json:"docker"`
}

func newAuthSetupCommand(app *App) *cobra.Command {
	var check, remove, podman bool
	cmd := &cobra.Command{
		Use:   "setup HOST...",
		Short: "Have docker or podman get tokens automatically",
		Long:  authSetupHelp,
		Args:  atLeast("HOST"),
		RunE: func(_ *cobra.Command, args []string) error {
			if check && remove {
				return usagef("--check and --remove exclude each other")
			}
			hosts, err := app.hosts(args)
			if err != nil {
				return err
			}
			path, err := configPath(app.Env, podman)
			if err != nil {
				return err
			}
			file, err := dockerconfig.Load(path)
			if err != nil {
				return err
			}
			result := setupResult{File: file.Path()}
			missing := []setupHost{}
			for _, r := range hosts {
				h, err := setUp(file, r.Host, check, remove)
				if err != nil {
					return err
				}
				if check && h.State != "unchanged" {
					missing = append(missing, h)
				}
				result.Changed = result.Changed || h.State == "added" || h.State == "removed"
				result.Hosts = append(result.Hosts, h)
			}
			if result.Backup, err = file.Save(); err != nil {
				return err
			}
			var text strings.Builder
			for _, h := range result.Hosts {
				fmt.Fprintf(&text, "%-9s %s", h.State, h.Host)
				if check {
					fmt.Fprintf(&text, ": %s", h.Docker)
				}
				text.WriteByte('\n')
			}
			if err := app.PrintResult(result, text.String()); err != nil {
				return err
			}
			if !check && !remove {
				app.warnAboutDocker(result.Hosts)
			}
			return notSetUp(file.Path(), missing, len(hosts))
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing, end with 1 if an entry is missing")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove our entries")
	cmd.Flags().BoolVar(&podman, "podman", false, "podman's auth.json instead of docker's config.json")
	return cmd
}

// configPath returns the path of docker's or podman's configuration file.
func configPath(env startup.Environment, podman bool) (string, error) {
	find, variable := dockerconfig.DockerPath, "DOCKER_CONFIG"
	if podman {
		find, variable = dockerconfig.PodmanPath, "REGISTRY_AUTH_FILE"
	}
	path, err := find(env)
	if err != nil {
		return "", usageError{fmt.Errorf("%w or %s", err, variable)}
	}
	return path, nil
}

// setUp does what is asked for one host.
func setUp(file *dockerconfig.File, host string, check, remove bool) (setupHost, error) {
	before, err := file.Helper(host)
	if err != nil {
		return setupHost{}, err
	}
	h := setupHost{Host: host, Helper: before, State: "unchanged"}
	changed := false
	switch {
	case check:
	case remove:
		if changed, err = file.RemoveHelper(host, helperName); changed {
			h.State = "removed"
		}
	default:
		if changed, err = file.SetHelper(host, helperName); changed {
			h.State = "added"
		}
	}
	if err != nil {
		return h, err
	}
	h.Docker, err = newDockerAnswer(file, host)
	switch {
	case !check:
	case h.Docker.Helper != helperName:
		h.State = "missing"
	case h.Docker.Program == "":
		h.State = "no-program"
	}
	return h, err
}

// warnAboutDocker says what stands in the way of entries that are there.
func (app *App) warnAboutDocker(hosts []setupHost) {
	program := false
	for _, h := range hosts {
		if h.Docker.Program == "" && !program {
			program = true
			app.Messagef("warning: docker-credential-ecrkit is not in PATH; docker fails until it is")
		}
		if h.Docker.Stored {
			app.Messagef("warning: %s: programs without helpers use the password in auths, which expires; remove it with `docker logout %s`", h.Docker.File, h.Host)
		}
	}
}

// notSetUp is the error of --check.
func notSetUp(file string, missing []setupHost, of int) error {
	if len(missing) == 0 {
		return nil
	}
	advice := installHelper
	for _, h := range missing {
		if h.State == "missing" {
			advice = "run ecrkit auth setup without --check"
		}
	}
	return fmt.Errorf("%s: %d of %s without docker-credential-ecrkit; %s", file, len(missing), english.Plural(of, "host", ""), advice)
}

// hosts finds the registries of the hosts on the command line.
func (app *App) hosts(args []string) ([]auth.Registry, error) {
	config, err := app.settings()
	if err != nil {
		return nil, err
	}
	var list []auth.Registry
	for _, arg := range args {
		r, err := parseHost(config.Registries, arg)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
