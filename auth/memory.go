package auth

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// memory keeps the tokens of one process, and lets one caller at a time get the
// token of a key.
type memory struct {
	mu      sync.Mutex
	entries map[tokenstore.Key]tokenstore.Entry
	turns   map[tokenstore.Key]chan struct{}
}

func (m *memory) get(key tokenstore.Key, now time.Time) (tokenstore.Entry, tokenstore.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry := m.entries[key]
	return entry, entry.State(now)
}

func (m *memory) put(key tokenstore.Key, entry tokenstore.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[tokenstore.Key]tokenstore.Entry{}
	}
	m.entries[key] = entry
}

func (m *memory) remove(key tokenstore.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
}

// removeRecipe removes every session of a recipe.
func (m *memory) removeRecipe(recipe string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.entries {
		if key.Recipe == recipe {
			delete(m.entries, key)
		}
	}
}

// lock waits for the key's turn; release ends it.
func (m *memory) lock(ctx context.Context, key tokenstore.Key) (release func(), err error) {
	m.mu.Lock()
	if m.turns == nil {
		m.turns = map[tokenstore.Key]chan struct{}{}
	}
	turn, ok := m.turns[key]
	if !ok {
		turn = make(chan struct{}, 1)
		m.turns[key] = turn
	}
	m.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// reject removes a token wherever it is kept.
func (m *memory) reject(secret string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, entry := range m.entries {
		if entry.Secret == secret {
			delete(m.entries, key)
		}
	}
}
