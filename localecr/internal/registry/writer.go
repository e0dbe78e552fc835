package registry

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// A writer commits changes of several callers in one transaction: most of a transaction's cost, and all of its wait for the
// disk, is the same for one change as for many.
//
// A caller adds its change to those that wait, and then waits for its turn to write. Who has the turn commits all that wait
// by then, in their order, and the others find theirs done. So nobody waits for company: a change that comes alone is
// committed alone, and a group is what came during the transaction before.
type writer struct {
	db *bolt.DB

	mu      sync.Mutex
	waiting []*change

	turn sync.Mutex
}

// A change is a caller's part of a transaction. The holder of the turn sets its result.
type change struct {
	do    func(*bolt.Tx) error
	state changeState
	err   error // of a committed group
}

type changeState int

const (
	changeWaits  changeState = iota
	changeDone               // it is in the database, or its group could not be committed
	changeFailed             // it failed in a group, or because of one, and is undone
)

// update is db.Update for a change that can share its transaction with others: do may run more than once, so it sets
// what it returns, and adds nothing to it; and it does nothing but read and write the database. The result is that of the
// run that is kept, on top of changes that are committed.
func (w *writer) update(do func(*bolt.Tx) error) error {
	c := &change{do: do}
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	w.mu.Unlock()

	runtime.Gosched() // calls that are about to come here join the group

	w.turn.Lock()
	defer w.turn.Unlock()
	if c.state == changeWaits {
		w.mu.Lock()
		group := w.waiting
		w.waiting = nil
		w.mu.Unlock()
		if len(group) == 1 {
			return w.db.Update(do)
		}
		w.commit(group)
	}
	if c.state == changeFailed {
		return w.db.Update(do)
	}
	return c.err
}

// commit writes a group. A change that fails is undone with the whole transaction, which is then begun again without it. Its
// own caller runs it again, alone: the error, or panic, is then not due to a change that was undone.
func (w *writer) commit(group []*change) {
	defer func() {
		for _, c := range group { // if the database panics
			if c.state == changeWaits {
				c.state = changeFailed
			}
		}
	}()
	for len(group) > 0 {
		failed := -1
		err := w.db.Update(func(tx *bolt.Tx) error {
			for i, c := range group {
				if err := safely(c.do, tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed >= 0 {
			group[failed].state = changeFailed
			group = slices.Delete(group, failed, failed+1)
			continue
		}
		for _, c := range group {
			c.state, c.err = changeDone, err
		}
		return
	}
}

// safely returns a panic of do as an error.
func safely(do func(*bolt.Tx) error, tx *bolt.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do(tx)
}
