package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/dockerconfig"
)

// dockerFacts are what docker's configuration says of the subject's host.
type dockerFacts struct {
	helper string // the credential helper that docker runs, or ""
	logins []storedLogin
}

// storedLogin is a password in a configuration file.
type storedLogin struct {
	file string
	dockerconfig.Login
}

// dockerPrograms read docker's configuration; podmanPrograms have a file of their own, and read docker's after it.
var (
	dockerPrograms = []string{"docker", "nerdctl", "crane"}
	podmanPrograms = []string{"podman", "buildah", "skopeo"}
)

// dockerConfig looks for the credential helper or the password that docker uses for the
// host.
type dockerConfig struct{}

// Run implements [Check].
func (dockerConfig) Run(_ context.Context, s *Session) Finding {
	path, err := dockerconfig.DockerPath(s.Env)
	if err != nil && !s.hasAny(slices.Concat(dockerPrograms, podmanPrograms)) {
		return skipped("no docker configuration and no program that needs one; ecrkit itself does not")
	}
	if err != nil {
		return failed(err.Error())
	}
	program := "docker"
	if !s.hasAny(dockerPrograms) && s.hasAny(podmanPrograms) {
		program, path = "podman", cmp.Or(s.podmanConfig(), path)
	}
	file, err := dockerconfig.Load(path)
	if err != nil {
		return failed(err.Error(), "Correct the file: docker ignores it, or fails, until then.")
	}
	if s.Subject.Host == "" {
		return ok(file.Path() + " can be read")
	}
	helpers, err := file.Helpers()
	if err != nil {
		return failed(err.Error(), "Correct the file: docker ignores it, or fails, until then.")
	}
	store, err := file.CredsStore()
	if err != nil {
		return failed(err.Error())
	}
	logins, err := s.storedLogins(file)
	if err != nil {
		return failed(err.Error())
	}
	name := helpers[s.Subject.Host]
	if name == "" {
		name = store
	}
	s.know(func(f *facts) { f.docker = dockerFacts{helper: name, logins: logins} })
	return s.judgeDockerConfig(program, file, helpers, store, logins)
}

// podmanConfig returns the path of the file of podman if it has an entry for the host, else "": then podman
// reads docker's file.
func (s *Session) podmanConfig() string {
	path, err := dockerconfig.PodmanPath(s.Env)
	if err != nil {
		return ""
	}
	file, err := dockerconfig.Load(path)
	if err != nil {
		return ""
	}
	helpers, err := file.Helpers()
	logins, loginErr := file.Logins(s.Subject.Host)
	if err != nil || loginErr != nil || helpers[s.Subject.Host] == "" && len(logins) == 0 {
		return ""
	}
	return path
}

// hasAny reports whether one of the programs is installed.
func (s *Session) hasAny(programs []string) bool {
	return slices.ContainsFunc(programs, func(p string) bool { _, err := s.LookPath(p); return err == nil })
}

// judgeDockerConfig judges the file of a program, docker or podman.
func (s *Session) judgeDockerConfig(program string, file *dockerconfig.File, helpers map[string]string, store string, logins []storedLogin) Finding {
	host := s.Subject.Host
	setup := fmt.Sprintf("Run `ecrkit auth setup %s`.", host)
	if program == "podman" {
		setup = fmt.Sprintf("Run `ecrkit auth setup --podman %s`.", host)
	}
	ours := s.Subject.Registry.Host != ""
	name := helpers[host]
	var misspelled []string
	for key := range helpers {
		if key != host && dockerconfig.HostOf(key) == host {
			misspelled = append(misspelled, key)
		}
	}
	slices.Sort(misspelled)
	switch {
	case name == "" && len(misspelled) > 0:
		return failed(fmt.Sprintf("%s ignores the credHelpers entry %q: it must be %q", program, misspelled[0], host), fmt.Sprintf("Rename the entry in %s.", file.Path()))
	case name != "" && len(logins) > 0:
		return warning(fmt.Sprintf("%s has a credential helper and a stored password for %s", file.Path(), host),
			fmt.Sprintf("Remove the entry from auths (`%s logout %s`): programs without credential helpers use the old password.", program, host))
	case name != "":
		return ok(fmt.Sprintf("%s asks docker-credential-%s", program, name))
	case store != "" && ours:
		f := warning(fmt.Sprintf("%s asks docker-credential-%s, as for all hosts: it returns what %s login stored", program, store, program), setup)
		if store == "wincred" {
			f.Advice = append(f.Advice, "With wincred, docker login needs the host without https://.")
		}
		return f
	case store != "":
		return ok(fmt.Sprintf("%s asks docker-credential-%s, as for all hosts", program, store))
	case len(logins) > 0 && ours:
		return warning(fmt.Sprintf("%s has a password for %s, which is valid for 12 hours", file.Path(), host), setup)
	case len(logins) > 0:
		return ok(program + " uses a stored password")
	case !ours || s.Subject.Registry.Public:
		return ok(program + " pulls without credentials")
	}
	if _, err := os.Stat(file.Path()); err != nil && !s.hasAny(slices.Concat(dockerPrograms, podmanPrograms)) {
		return skipped("no docker configuration and no program that needs one; ecrkit itself does not")
	}
	return failed(fmt.Sprintf("%s has no credentials for %s: %q", program, host, "no basic auth credentials"), setup)
}

// storedLogins returns the passwords for the host in docker's and podman's files.
func (s *Session) storedLogins(docker *dockerconfig.File) ([]storedLogin, error) {
	logins, err := docker.Logins(s.Subject.Host)
	if err != nil {
		return nil, err
	}
	var all []storedLogin
	for _, l := range logins {
		all = append(all, storedLogin{docker.Path(), l})
	}
	path, err := dockerconfig.PodmanPath(s.Env)
	if err != nil {
		return all, nil
	}
	podman, err := dockerconfig.Load(path)
	if err != nil {
		return nil, err
	}
	if podman.Path() == docker.Path() {
		return all, nil
	}
	if logins, err = podman.Logins(s.Subject.Host); err != nil {
		return nil, err
	}
	for _, l := range logins {
		all = append(all, storedLogin{podman.Path(), l})
	}
	return all, nil
}

// place names a stored password without its secret.
func (l storedLogin) place() string {
	return fmt.Sprintf("auths[%q] in %s", strings.TrimSpace(l.Key), l.file)
}
