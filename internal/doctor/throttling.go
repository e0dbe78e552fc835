package doctor

import (
	"context"
	"fmt"
	"strings"
)

// throttling reports which operations were refused as too many, in any check.
type throttling struct{}

// Run implements [Check].
func (throttling) Run(_ context.Context, s *Session) Finding {
	var ops []string
	s.know(func(f *facts) { ops = f.throttled })
	switch {
	case s.Subject.Host == "":
		return skipped("no registry was named")
	case len(ops) == 0:
		return ok("no call was throttled")
	case s.Subject.isECR():
		return failed(fmt.Sprintf("throttled: %s (429, ThrottlingException, \"Rate exceeded\")", strings.Join(ops, ", ")),
			"Make fewer calls at once: each account and region has a quota for each operation. ecrkit retries by itself.",
			"See which quota it is, and have it raised, in the console of Service Quotas.")
	}
	return failed(fmt.Sprintf("throttled: %s (429, \"toomanyrequests\")", strings.Join(ops, ", ")),
		fmt.Sprintf("Log in (`docker login %s`): the limit for anonymous pulls is lower.", s.Subject.Host),
		"Pull through Amazon ECR instead: a pull-through cache rule, or `ecrkit copy` once.")
}
