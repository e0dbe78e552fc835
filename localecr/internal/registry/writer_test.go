package registry

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

var bucketTest = []byte("test")

func newWriter(t *testing.T) *writer {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucketTest); return err }); err != nil {
		t.Fatal(err)
	}
	return &writer{db: db}
}

// together makes the calls share a transaction: it has the turn until all of them wait, in their order.
func (w *writer) together(calls ...func()) {
	w.turn.Lock()
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(call)
		for {
			w.mu.Lock()
			n := len(w.waiting)
			w.mu.Unlock()
			if n > i {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	w.turn.Unlock()
	running.Wait()
}

// keys are those in the database.
func (w *writer) keys(t *testing.T) (keys []string) {
	t.Helper()
	err := w.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketTest).ForEach(func(k, _ []byte) error { keys = append(keys, string(k)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func put(tx *bolt.Tx, key string) error { return tx.Bucket(bucketTest).Put([]byte(key), nil) }

func TestWriterSharesTransactions(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	before := w.db.Stats()
	ids := make([]int, 8) // of the transactions
	var calls []func()
	for i := range ids {
		calls = append(calls, func() {
			err := w.update(func(tx *bolt.Tx) error {
				ids[i] = tx.ID()
				return put(tx, fmt.Sprint(i))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	w.together(calls...)
	if slices.Min(ids) != slices.Max(ids) {
		t.Errorf("transactions %v", ids)
	}
	if got := w.keys(t); len(got) != 8 {
		t.Errorf("keys %v", got)
	}
	if now := w.db.Stats(); now.TxStats.GetWrite() == before.TxStats.GetWrite() {
		t.Error("nothing was written")
	}
}

// A change that fails leaves nothing, even if it has written before, and has no part in the result of the others.
func TestWriterUndoesFailedChanges(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	refused := errors.New("refused")
	errs := make([]error, 6)
	runs := make([]int, 6)
	var panicked any
	call := func(i int, end func() error) func() {
		return func() {
			defer func() {
				if p := recover(); p != nil {
					panicked = p
				}
			}()
			errs[i] = w.update(func(tx *bolt.Tx) error {
				runs[i]++
				return errors.Join(put(tx, fmt.Sprint(i)), end())
			})
		}
	}
	fine := func() error { return nil }
	fails := func() error { return refused }
	w.together(call(0, fine), call(1, fails), call(2, fine), call(3, func() error { panic("bug") }), call(4, fails), call(5, fine))
	for i, want := range []error{nil, refused, nil, nil, refused, nil} {
		if !errors.Is(errs[i], want) || want == nil && errs[i] != nil {
			t.Errorf("change %d: %v", i, errs[i])
		}
	}
	if panicked != "bug" {
		t.Errorf("the caller saw the panic %v", panicked)
	}
	if got := w.keys(t); !slices.Equal(got, []string{"0", "2", "5"}) {
		t.Errorf("keys %v", got)
	}
	if runs[1] != 2 || runs[4] != 2 {
		t.Errorf("runs %v: a change that failed in company runs again, alone", runs)
	}
}

// The error of a change that runs again is that of its second run, on what was committed.
func TestWriterReportsTheRunThatCounts(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	exists := errors.New("exists")
	create := func(key string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			if b := tx.Bucket(bucketTest); b.Get([]byte(key)) != nil {
				return exists
			}
			return tx.Bucket(bucketTest).Put([]byte(key), []byte("x"))
		}
	}
	var first, second, third error
	w.together(
		func() { first = w.update(create("a")) },
		func() { second = w.update(create("a")) },
		func() { third = w.update(create("b")) },
	)
	if first != nil || !errors.Is(second, exists) || third != nil {
		t.Errorf("%v, %v, %v", first, second, third)
	}
	if got := w.keys(t); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("keys %v", got)
	}
}

func TestWriterFailsAllOfAGroupThatCannotBeCommitted(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 3)
	var calls []func()
	for i := range errs {
		calls = append(calls, func() { errs[i] = w.update(func(*bolt.Tx) error { return nil }) })
	}
	w.together(calls...)
	for _, err := range errs {
		if err == nil {
			t.Error("a change to a closed database was acknowledged")
		}
	}
}
