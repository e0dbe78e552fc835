package ecr

import (
	"maps"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// impatient gives an endpoint that waits shortly.
func (w *world) impatient(name string, count int) *Repository {
	e := w.repository(name)
	e.patience.Throttled = 3 * time.Second // there are answers that want one or two
	if count < 0 {
		e.patience.Throttled = 200 * time.Millisecond
	}
	e.patience.Tries = 4
	e.patience.Answer, e.patience.Bytes = 200*time.Millisecond, 200*time.Millisecond
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
	e.Limits = &Limits{} // the local ECR has no quotas unless the test sets some
	e.patience.Throttled, e.patience.Pause = time.Second, 5*time.Millisecond
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
