package doctor

import (
	"context"
	"fmt"
	"time"
)

// maxSkew is how far the clock of a signed request may be off:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const maxSkew = 5 * time.Minute

// clock compares this machine's clock with those of the servers.
type clock struct{}

// Run implements [Check].
func (clock) Run(_ context.Context, s *Session) Finding {
	var hosts []reached
	s.know(func(f *facts) { hosts = f.hosts })
	for _, r := range hosts {
		if !r.dated {
			continue
		}
		way, skew := "behind", r.skew
		if skew < 0 {
			way, skew = "ahead of", -skew
		}
		found := fmt.Sprintf("this machine's clock is %s %s that of %s", skew.Round(time.Second), way, hostOf(r.url))
		set := "Set the clock, and have it kept by NTP: `timedatectl set-ntp true`, or restart docker's virtual machine."
		switch {
		case skew > maxSkew:
			return failed(found+": AWS refuses signatures (\"Signature expired\")", set)
		case skew > time.Minute:
			return warning(found, set)
		}
		return ok("within a minute of that of " + hostOf(r.url))
	}
	return skipped("no server has told its time")
}
