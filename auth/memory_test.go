package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// A process that lives for months, with a new session every hour, keeps only what
// is valid and waits for nothing that is over.
func TestMemoryDoesNotGrow(t *testing.T) {
	var m memory
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		key := tokenstore.Key{Source: fmt.Sprintf("%064d", i)}
		release, err := m.lock(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		m.put(key, tokenstore.Entry{Secret: "s", IssuedAt: now, RenewAt: now.Add(6 * time.Hour), ExpiresAt: now.Add(12 * time.Hour)}, now)
		release()
		now = now.Add(time.Hour)
	}
	if len(m.entries) > 12 || len(m.turns) != 0 {
		t.Errorf("%d tokens and %d turns", len(m.entries), len(m.turns))
	}
	last := tokenstore.Key{Source: fmt.Sprintf("%064d", 999)}
	if _, state := m.get(last, now); state != tokenstore.Fresh {
		t.Errorf("the last token: state %v", state)
	}
}

// One at a time holds the turn of a key, also when others give up waiting.
func TestMemoryTurns(t *testing.T) {
	var m memory
	key := tokenstore.Key{Source: "k"}
	release, err := m.lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.lock(ctx, key); !errors.Is(err, context.Canceled) {
		t.Errorf("a second turn: %v", err)
	}
	var wg sync.WaitGroup
	holders := 0
	for range 50 {
		wg.Go(func() {
			release, err := m.lock(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			holders++ // the race detector sees two at once
			if holders++; holders%2 != 0 {
				t.Error("two hold the turn")
			}
		})
	}
	release()
	wg.Wait()
	if holders != 100 || len(m.turns) != 0 {
		t.Errorf("%d, %d turns left", holders, len(m.turns))
	}
}
