package v2

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// State is what an endpoint has learned of a registry's /v2/.
type State struct {
	mu       sync.Mutex
	unusable time.Time               // until when
	mounts   map[string]*mountSource // by repository
}

// mountSource is a repository from which blobs may be mounted: whether the registry
// does that is known only from an answer.
type mountSource struct {
	turn chan struct{} // is held by who asks while it is not known

	mu      sync.Mutex
	known   bool
	refused bool
}

// unusableTime is how long /v2/ is not asked again after it could not be used.
const unusableTime = time.Minute

// IsUnusable reports whether /v2/ could not be used a short time ago.
func (s *State) IsUnusable(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return retry.ClockOf(ctx).Now().Before(s.unusable)
}

// SetUnusable notes that /v2/ could not be used. The reason may pass, so it is noted for a minute.
func (s *State) SetUnusable(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unusable = retry.ClockOf(ctx).Now().Add(unusableTime)
}

// Mount calls ask, which asks the registry for a mount from a repository, unless
// that is "" or one was refused before.
func (s *State) Mount(ctx context.Context, repository string, ask func() (mounted bool, err error)) (mounted bool, err error) {
	if repository == "" {
		return false, nil
	}
	source := s.source(repository)
	release, ok, err := source.wait(ctx)
	if err != nil || !ok {
		return false, err
	}
	defer release()
	mounted, err = ask()
	if err == nil {
		source.answered(mounted)
	}
	return mounted, err
}

func (s *State) source(repository string) *mountSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mounts == nil {
		s.mounts = map[string]*mountSource{}
	}
	if s.mounts[repository] == nil {
		s.mounts[repository] = &mountSource{turn: make(chan struct{}, 1)}
	}
	return s.mounts[repository]
}

// wait reports whether to ask for a mount. As long as no answer is known, one asks
// and the others wait for what it hears.
func (m *mountSource) wait(ctx context.Context) (release func(), ok bool, err error) {
	if known, refused := m.state(); known {
		return func() {}, !refused, nil
	}
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	release = func() { <-m.turn }
	if known, refused := m.state(); known {
		release()
		return func() {}, !refused, nil
	}
	return release, true, nil
}

func (m *mountSource) state() (known, refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known, m.refused
}

// answered notes an answer; one refusal is enough.
func (m *mountSource) answered(mounted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.refused = true, m.refused || !mounted
}
