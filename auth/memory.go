package auth

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// memory holds the tokens of one process while they are valid, and lets one caller
// at a time get the token of a key.
type memory struct {
	mu      sync.Mutex
	entries map[tokenstore.Key]tokenstore.Entry
	turns   map[tokenstore.Key]*turn
}

// turn is held by whoever has put something into its channel.
type turn struct {
	held  chan struct{}
	users int // those who hold it or wait for it
}

func (m *memory) get(key tokenstore.Key, now time.Time) (tokenstore.Entry, tokenstore.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry := m.entries[key]
	return entry, entry.State(now)
}

// put adds a token, and drops those that cannot be used any longer.
func (m *memory) put(key tokenstore.Key, entry tokenstore.Entry, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[tokenstore.Key]tokenstore.Entry{}
	}
	maps.DeleteFunc(m.entries, func(_ tokenstore.Key, old tokenstore.Entry) bool { return old.State(now) == tokenstore.Stale })
	m.entries[key] = entry
}

func (m *memory) remove(key tokenstore.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
}

// removeSource removes every session of a credential source.
func (m *memory) removeSource(source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.entries, func(key tokenstore.Key, _ tokenstore.Entry) bool { return key.Source == source })
}

// lock waits for the key's turn; release ends it.
func (m *memory) lock(ctx context.Context, key tokenstore.Key) (release func(), err error) {
	current := m.join(key)
	select {
	case current.held <- struct{}{}:
		return func() {
			<-current.held
			m.leave(key, current)
		}, nil
	case <-ctx.Done():
		m.leave(key, current)
		return nil, context.Cause(ctx)
	}
}

func (m *memory) join(key tokenstore.Key) *turn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turns == nil {
		m.turns = map[tokenstore.Key]*turn{}
	}
	current, ok := m.turns[key]
	if !ok {
		current = &turn{held: make(chan struct{}, 1)}
		m.turns[key] = current
	}
	current.users++
	return current
}

// leave ends a use of a turn. The last user removes it.
func (m *memory) leave(key tokenstore.Key, current *turn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if current.users--; current.users == 0 {
		delete(m.turns, key)
	}
}

// reject removes a token under whatever key it is held.
func (m *memory) reject(secret string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.entries, func(_ tokenstore.Key, entry tokenstore.Entry) bool { return entry.Secret == secret })
}
