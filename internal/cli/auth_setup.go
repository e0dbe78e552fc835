package cli

import (
	"fmt"
	"strings"

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
  ecrkit auth setup --check HOST      ends with 1 if an entry is missing
  ecrkit auth setup --remove HOST

docker-credential-ecrkit has to be in the PATH of docker.`

type setupResult struct {
	File    string      `json:"file"`
	Backup  string      `json:"backup,omitempty"`
	Changed bool        `json:"changed"`
	Hosts   []setupHost `json:"hosts"`
}

type setupHost struct {
	Host   string `json:"host"`
	Helper string `json:"helper"` // as it was before
	State  string `json:"state"`  // added, removed, unchanged, missing
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
			missing := 0
			for _, r := range hosts {
				h, err := setUp(file, r.Host, check, remove)
				if err != nil {
					return err
				}
				if h.State == "missing" {
					missing++
				}
				result.Changed = result.Changed || h.State == "added" || h.State == "removed"
				result.Hosts = append(result.Hosts, h)
			}
			if result.Backup, err = file.Save(); err != nil {
				return err
			}
			var text strings.Builder
			for _, h := range result.Hosts {
				fmt.Fprintf(&text, "%-9s %s\n", h.State, h.Host)
			}
			if err := app.PrintResult(result, text.String()); err != nil {
				return err
			}
			if missing > 0 {
				return fmt.Errorf("%s: %d of %d hosts are without docker-credential-ecrkit; run ecrkit auth setup without --check", file.Path(), missing, len(hosts))
			}
			return nil
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
	case check && before != helperName:
		h.State = "missing"
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
	return h, err
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
