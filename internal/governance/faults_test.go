package governance

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestRegistrySettingsWithFaults applies settings of a registry while each of the calls is refused, or throttled once. A
// refused read changes nothing. A refused change is said of its step, and the others are done.
func TestRegistrySettingsWithFaults(t *testing.T) {
	t.Parallel()
	const wanted = "registryPolicyFile: registry.json\npullThrough: [{prefix: quay, upstream: quay.io}]\nreplication: {rules: [{destinations: [{region: eu-west-1}]}]}"
	for op, object := range map[string]string{
		"GetRegistryPolicy": "registry policy", "DescribePullThroughCacheRules": "pull-through cache rule", "DescribeRegistry": "replication configuration",
		"PutRegistryPolicy": "registry policy", "CreatePullThroughCacheRule": "pull-through cache rule quay", "PutReplicationConfiguration": "replication configuration",
	} {
		for name, fault := range map[string]localecr.Fault{
			"denied":    {Op: op, Count: -1, Status: 400, Code: "AccessDeniedException", Message: "not authorized to perform: ecr:" + op},
			"throttled": {Op: op, Status: 400, Code: "ThrottlingException"},
		} {
			t.Run(op+" "+name, func(t *testing.T) {
				t.Parallel()
				ctx := fastclock.Context(t.Context())
				calls := &localecr.Recorder{}
				r, server := openServer(t, localecr.Options{Audit: calls, Faults: []localecr.Fault{fault}}, "000000000000")
				r.cfg.RetryMaxAttempts = 0 // as it is for users
				r = New(r.cfg, r.Registry)
				d, err := desired(t, wanted).For(r)
				if err != nil {
					t.Fatal(err)
				}
				apply := func() (steps []Step, done int, failures []error, err error) {
					s, err := r.ReadState(ctx, d)
					if err != nil {
						return nil, 0, nil, err
					}
					steps = NewPlan(r, d, s)
					done, failures = r.Do(ctx, steps)
					return steps, done, failures, nil
				}
				steps, done, failures, err := apply()
				changes := calls.Count("PutRegistryPolicy") + calls.Count("CreatePullThroughCacheRule") + calls.Count("PutReplicationConfiguration")
				clear := func(err error) bool {
					return err != nil && strings.Contains(err.Error(), object) && strings.Contains(err.Error(), "ecr:"+op)
				}
				reads := strings.HasPrefix(op, "Get") || strings.HasPrefix(op, "Describe")
				switch {
				case name == "throttled":
					if err != nil || done != 3 || failures != nil {
						t.Errorf("%v, %d done, %v", err, done, failures)
					}
				case reads:
					if !clear(err) || changes != 0 {
						t.Errorf("%v, %d changes", err, changes)
					}
				default:
					if err != nil || done != 2 || len(failures) != 1 || !clear(failures[0]) {
						t.Errorf("%v, %d done, %v", err, done, failures)
					}
					for _, step := range steps {
						if failed := step.Err != nil; failed != strings.HasPrefix(step.To, map[string]string{
							"PutRegistryPolicy": `{"Statement`, "CreatePullThroughCacheRule": `{"ecrRepositoryPrefix`, "PutReplicationConfiguration": `{"rules`,
						}[op]) {
							t.Errorf("%s: %v", step.Setting, step.Err)
						}
					}
				}
				// The next run does what is left.
				if err := server.SetFaults(); err != nil {
					t.Fatal(err)
				}
				if _, _, failures, err := apply(); err != nil || failures != nil {
					t.Fatal(err, failures)
				}
				if steps, _, _, err := apply(); err != nil || len(steps) != 0 {
					t.Errorf("%v, %d steps", err, len(steps))
				}
			})
		}
	}
}
