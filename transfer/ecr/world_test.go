package ecr

import (
	"maps"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// impatient returns a repository that gives up soon where a fault makes it wait.
func (w *world) impatient(name string, f localecr.Fault) *Repository {
	e := w.repository(name)
	e.policy.Tries = 4
	if f.Stall > 0 {
		e.policy.Answer, e.policy.Bytes = 200*time.Millisecond, 200*time.Millisecond
	}
	return e
}

// expectCounted compares what an endpoint has counted with what the server has.
func (w *world) expectCounted(e *Repository) {
	w.T.Helper()
	calls := map[string]int{}
	for _, c := range w.Calls.Calls() {
		calls[c.Op]++
	}
	if got, _ := e.Requests(); !maps.Equal(got, calls) {
		w.T.Errorf("counted %v, the server %v", got, calls)
	}
}

// world is a local ECR with the repository "app".
type world struct{ *fixture.World }

func newWorld(t *testing.T, options localecr.Options) *world {
	t.Helper()
	return &world{fixture.NewWorld(t, options)}
}

func (w *world) repository(name string) *Repository {
	e := New(w.Config, w.Registry, name)
	// The local ECR has no quotas unless the test sets some.
	e.Limits = &Limits{limits{Clock: &fastclock.Clock{}}}
	return e
}

// v2Repository is a repository whose small blobs go by /v2/.
func (w *world) v2Repository(name string) *Repository {
	w.T.Helper()
	e := w.repository(name)
	e.V2 = w.V2Transport()
	return e
}

const someSHA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
