package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurn has one wait for the turn of another: its watch is called after a second, until the end of what it wanted.
func TestTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watching{waits: map[any]time.Time{}}
		ctx, cancel := context.WithCancel(WithWatch(t.Context(), w))
		turn := make(chan struct{}, 1)
		ended, err := Turn(ctx, turn)
		if ended(); err != nil || w.said > 0 {
			t.Fatalf("%v; the watch was called for what did not wait", err)
		}
		began := time.Now()
		time.AfterFunc(10*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for key := range w.waits {
				if !Since(key).Equal(began) {
					t.Errorf("it waits since %s, want %s", Since(key), began)
				}
			}
			<-turn
		})
		if ended, err = Turn(ctx, turn); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(w.waits) != 1 {
			t.Fatalf("%d wait", len(w.waits))
		}
		if ended(); len(w.waits) > 0 {
			t.Errorf("%d wait", len(w.waits))
		}
		time.AfterFunc(10*time.Second, cancel)
		if ended, err = Turn(ctx, turn); err != context.Canceled || len(w.waits) > 0 {
			t.Errorf("%v; %d wait", err, len(w.waits))
		}
		ended()
	})
}
