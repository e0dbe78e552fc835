package registry

import (
	"bytes"
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

// finishJobs calls finish for each job that is due, in the order of time, and forgets it. finish has
// store.blobs.
func finishJobs[T any](s *Store, bucket []byte, finish func(tx *bolt.Tx, job T, due time.Time) error) error {
	now := []byte(s.clock().UTC().Format(dueFormat))
	isDue := func(key []byte) bool { return key != nil && bytes.Compare(key[:len(now)], now) <= 0 }
	any := false
	err := s.db.View(func(tx *bolt.Tx) error {
		key, _ := tx.Bucket(bucket).Cursor().First()
		any = isDue(key)
		return nil
	})
	if err != nil || !any {
		return err
	}
	s.blobs.Lock()
	defer s.blobs.Unlock()
	return s.db.Update(func(tx *bolt.Tx) error {
		jobs := tx.Bucket(bucket)
		for {
			key, _ := jobs.Cursor().First()
			if !isDue(key) {
				return nil
			}
			var job T
			if _, err := getJSON(jobs, key, &job); err != nil {
				return err
			}
			due, err := time.Parse(dueFormat, string(key[:len(now)]))
			if err != nil {
				return err
			}
			if err := finish(tx, job, due); err != nil {
				return err
			}
			if err := jobs.Delete(key); err != nil {
				return err
			}
		}
	})
}

// finishDue does what is due by now, in all registries.
func (s *Store) finishDue() error {
	err := finishJobs(s, bucketSignings, s.finishSigning)
	if err == nil {
		err = finishJobs(s, bucketReplications, s.finishReplication)
	}
	return err
}
