package registry

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// dueFormat has the same length for each time, in the order of time.
const dueFormat = "2006-01-02T15:04:05.000Z"

// addJob keeps what is to be done at a time, in a bucket of the database.
func addJob(tx *bolt.Tx, bucket []byte, due time.Time, job any) error {
	jobs := tx.Bucket(bucket)
	n, err := jobs.NextSequence()
	if err != nil {
		return err
	}
	return putJSON(jobs, fmt.Appendf(nil, "%s %020d", due.UTC().Format(dueFormat), n), job)
}

// isDue returns a function that reports whether the job of a key, nil for none, is due by now.
func (s *Store) isDue() func(key []byte) bool {
	now := []byte(s.clock().UTC().Format(dueFormat))
	return func(key []byte) bool { return key != nil && bytes.Compare(key[:len(now)], now) <= 0 }
}

// hasDue reports whether a job of a bucket is due.
func hasDue(tx *bolt.Tx, bucket []byte, isDue func(key []byte) bool) bool {
	key, _ := tx.Bucket(bucket).Cursor().First()
	return isDue(key)
}

// anyDue reports whether any job is due by now.
func (s *Store) anyDue(tx *bolt.Tx) bool {
	isDue := s.isDue()
	return hasDue(tx, bucketSignings, isDue) || hasDue(tx, bucketReplications, isDue) || hasDue(tx, bucketBackfillSteps, isDue)
}

// finishJobs calls finish for each job that is due, in the order of time, and forgets it. finish has
// store.blobs.
func finishJobs[T any](s *Store, bucket []byte, finish func(tx *bolt.Tx, job T, due time.Time) error) error {
	isDue := s.isDue()
	any := false
	err := s.db.View(func(tx *bolt.Tx) error {
		any = hasDue(tx, bucket, isDue)
		return nil
	})
	if err != nil || !any {
		return err
	}
	s.blobs.Lock()
	defer s.blobs.Unlock()
	for more := true; more && err == nil; {
		more, err = finishJob(s, bucket, isDue, finish)
	}
	return err
}

// refusal ends a job that cannot be done: what finish has written is undone, and note is written.
type refusal struct{ note func(tx *bolt.Tx) error }

func (*refusal) Error() string { return "refused" }

// finishJob does the first job that is due, and reports whether there was one.
func finishJob[T any](s *Store, bucket []byte, isDue func(key []byte) bool, finish func(tx *bolt.Tx, job T, due time.Time) error) (more bool, err error) {
	first := func(tx *bolt.Tx, do func(job T, due time.Time) error) error {
		jobs := tx.Bucket(bucket)
		key, _ := jobs.Cursor().First()
		if more = isDue(key); !more {
			return nil
		}
		var job T
		if _, err := getJSON(jobs, key, &job); err != nil {
			return err
		}
		due, err := time.Parse(dueFormat, string(key[:len(dueFormat)]))
		if err == nil {
			err = do(job, due)
		}
		if err != nil {
			return err
		}
		return jobs.Delete(key)
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		return first(tx, func(job T, due time.Time) error { return finish(tx, job, due) })
	})
	var refused *refusal
	if errors.As(err, &refused) {
		err = s.db.Update(func(tx *bolt.Tx) error {
			return first(tx, func(T, time.Time) error { return refused.note(tx) })
		})
	}
	return more, err
}

// finishDue does what is due by now, in all registries.
func (s *Store) finishDue() error {
	err := finishJobs(s, bucketSignings, s.finishSigning)
	if err == nil {
		err = finishJobs(s, bucketReplications, s.finishReplication)
	}
	if err == nil {
		err = finishJobs(s, bucketBackfillSteps, s.stepBackfill)
	}
	return err
}
