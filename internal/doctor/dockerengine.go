package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// dockerEngine asks the docker engine for its version and its proxies: it downloads
// images itself, with settings of its own.
type dockerEngine struct{}

// Run implements [Check].
func (dockerEngine) Run(ctx context.Context, s *Session) Finding {
	if _, err := s.LookPath("docker"); err != nil && s.Env.Get("DOCKER_HOST") == "" {
		return skipped("docker is not installed")
	}
	e, err := s.Engine(ctx)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "; ")
		return warning(reason, "Start docker, name its address in DOCKER_HOST, or add this user to those who may use its socket. ecrkit itself does not need docker.")
	}
	s.know(func(f *facts) { f.engine = e })
	if tooOld(e.Version) {
		return failed(fmt.Sprintf("docker %s has errors with layers (%q) that 1.10 does not have", e.Version, "filesystem layer verification failed"), "Upgrade docker.")
	}
	return ok("docker " + e.Version)
}

// tooOld reports whether an engine is older than 1.10.
func tooOld(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(minor)
	return err == nil && major == "1" && m < 10
}
