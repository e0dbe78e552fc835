package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Expire removes the uploads and the layers without an image whose lifetime is over, ends the signings
// and applies the lifecycle policies that are due.
func (s *Store) Expire() error {
	now := s.clock()
	if err := s.catchUp(); err != nil {
		return err
	}
	err := s.dropUploads(func(u uploadRecord) bool { return now.Sub(u.TouchedAt) > s.limits.UploadLifetime })
	if err != nil {
		return err
	}
	expired := func(tx *bolt.Tx, f func(*repository, []string) error) error {
		return s.forEachRepository(tx, func(repo *repository) error {
			digests, err := repo.expiredLayers(now, s.limits.UnassociatedLifetime)
			if err != nil || len(digests) == 0 {
				return err
			}
			return f(repo, digests)
		})
	}
	// Mostly nothing is: look before taking the lock that every push waits for.
	any := false
	err = s.db.View(func(tx *bolt.Tx) error {
		return expired(tx, func(*repository, []string) error { any = true; return nil })
	})
	if err == nil && any {
		err = s.releasing(func(tx *bolt.Tx) (released []string, err error) {
			err = expired(tx, func(repo *repository, digests []string) error {
				released = append(released, digests...)
				for _, digest := range digests {
					if err := repo.layers().Delete([]byte(digest)); err != nil {
						return err
					}
				}
				return nil
			})
			return released, err
		})
	}
	if err != nil {
		return fmt.Errorf("expire layers: %w", err)
	}
	return nil
}

// catchUp does in all repositories what would have happened by now.
func (s *Store) catchUp() error {
	if err := s.finishDue(); err != nil {
		return err
	}
	var due []*repository
	err := s.db.View(func(tx *bolt.Tx) error {
		return s.forEachRepository(tx, func(repo *repository) error {
			if repo.lifecycleIsDue() {
				due = append(due, repo)
			}
			return nil
		})
	})
	for _, repo := range due {
		err = errors.Join(err, repo.registry.catchUp(repo.record.Name))
	}
	return err
}

// expiredLayers are the layers that no image has named for longer than lifetime.
func (repo *repository) expiredLayers(now time.Time, lifetime time.Duration) ([]string, error) {
	var out []string
	err := repo.layers().ForEach(func(digest, _ []byte) error {
		rec, err := repo.layer(string(digest))
		if err != nil {
			return err
		}
		if now.Sub(rec.UnassociatedSince) > lifetime && !repo.associated(string(digest)) {
			out = append(out, string(digest))
		}
		return nil
	})
	return out, err
}

func (s *Store) forEachRepository(tx *bolt.Tx, f func(*repository) error) error {
	registries := tx.Bucket(bucketRegistries)
	return registries.ForEachBucket(func(key []byte) error {
		account, region, _ := strings.Cut(string(key), "/")
		r := s.Registry(account, region)
		return registries.Bucket(key).Bucket(bucketRepositories).ForEachBucket(func(name []byte) error {
			s.trim(tx)
			repo, err := r.repository(tx, string(name))
			if err != nil {
				return err
			}
			return f(repo)
		})
	})
}

// dropUploads forgets the uploads that f selects. One that is being added to, or completed, at this
// moment is still the other's: it is left for the next time.
func (s *Store) dropUploads(f func(uploadRecord) bool) error {
	var selected []string
	err := s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketUploads)
		return b.ForEach(func(id, _ []byte) error {
			var rec uploadRecord
			if _, err := getJSON(b, id, &rec); err != nil {
				return err
			}
			if f(rec) {
				selected = append(selected, string(id))
			}
			return nil
		})
	})
	for _, id := range selected {
		err = errors.Join(err, s.dropUpload(id))
	}
	if err != nil {
		return fmt.Errorf("drop uploads: %w", err)
	}
	return nil
}

func (s *Store) dropUpload(id string) error {
	u, err := s.upload(id)
	if err != nil || u == nil || !u.mu.TryLock() {
		return err
	}
	defer u.mu.Unlock()
	err = s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketUploads).Delete([]byte(id)) })
	if err != nil {
		return err
	}
	u.done = true
	s.forgetUpload(u)
	return nil
}
