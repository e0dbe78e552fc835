package registry

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
)

// uploadRecord is the acknowledged state of an upload.
type uploadRecord struct {
	ID         string    `json:"id"`
	Account    string    `json:"account"`
	Region     string    `json:"region"`
	Repository string    `json:"repository"`
	TouchedAt  time.Time `json:"touchedAt"`
	Received   int64     `json:"received"` // bytes, which is also the first byte of the next part
	Parts      int       `json:"parts"`
	FirstChunk int64     `json:"firstChunk,omitempty"` // bytes of the first chunk that came over /v2/
	LastSmall  bool      `json:"lastSmall,omitempty"`  // the last part is below the minimum
	TooSmall   bool      `json:"tooSmall,omitempty"`   // an earlier one is: the upload can't be completed
}

// An upload is a layer on its way in. Its bytes are a file that grows at its end; a digest runs
// behind them, in the background, so that no part waits for it.
type upload struct {
	path   string
	sync   bool // as the store's
	digest *runningDigest

	mu     sync.Mutex // held by whoever adds to the file, and by Complete
	record uploadRecord
	done   bool // completed, expired or dropped
}

// InitiateLayerUpload begins an upload, for which a template may make the repository. Errors:
// RepositoryNotFound.
func (r *Registry) InitiateLayerUpload(_ context.Context, in *ecr.InitiateLayerUploadInput) (*ecr.InitiateLayerUploadOutput, error) {
	if err := r.createOnPush(in.RepositoryName); err != nil {
		return nil, err
	}
	id := uuid.NewString()
	if err := r.store.createUpload(id); err != nil {
		return nil, err
	}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		rec := uploadRecord{ID: id, Account: r.account, Region: r.region, Repository: repo.record.Name, TouchedAt: r.now()}
		return putJSON(repo.bucket.Tx().Bucket(bucketUploads), []byte(id), rec)
	})
	if err != nil {
		return nil, errors.Join(err, os.Remove(r.store.uploadPath(id)))
	}
	return &ecr.InitiateLayerUploadOutput{PartSize: aws.Int64(r.store.limits.PartSize), UploadId: aws.String(id)}, nil
}

// createUpload makes the empty file of an upload.
func (s *Store) createUpload(id string) error {
	f, err := os.OpenFile(s.uploadPath(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.syncDir(s.uploadsDir()))
}

func (s *Store) uploadPath(id string) string { return filepath.Join(s.uploadsDir(), id) }

// lockUpload finds an upload of a repository and locks it; the caller unlocks u.mu. Errors:
// RepositoryNotFound, UploadNotFound.
func (r *Registry) lockUpload(name, id *string) (*upload, error) {
	notFound := r.uploadNotFound(aws.ToString(name), aws.ToString(id))
	if err := r.view(name, func(*repository) error { return nil }); err != nil {
		return nil, err
	}
	u, err := r.store.upload(aws.ToString(id))
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, notFound
	}
	u.mu.Lock()
	rec := u.record
	if u.done || rec.Account != r.account || rec.Region != r.region || rec.Repository != *name ||
		r.now().Sub(rec.TouchedAt) > r.store.limits.UploadLifetime {
		u.mu.Unlock()
		return nil, notFound
	}
	return u, nil
}

// upload returns the upload of an ID, from the database if this process has not seen it, or nil.
func (s *Store) upload(id string) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.uploads[id]; u != nil {
		return u, nil
	}
	var rec uploadRecord
	found := false
	err := s.db.View(func(tx *bolt.Tx) (err error) {
		found, err = getJSON(tx.Bucket(bucketUploads), []byte(id), &rec)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	path := s.uploadPath(id)
	u := &upload{path: path, sync: s.sync, digest: newRunningDigest(path), record: rec}
	s.uploads[id] = u
	return u, nil
}

// acknowledge records what the upload now is. From here on the bytes belong to it.
func (r *Registry) acknowledge(u *upload, rec uploadRecord) error {
	rec.TouchedAt = r.now()
	err := r.store.writer.update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketUploads)
		if b.Get([]byte(rec.ID)) == nil { // the store was cleared or restored
			return r.uploadNotFound(rec.Repository, rec.ID)
		}
		return putJSON(b, []byte(rec.ID), rec)
	})
	if err != nil {
		return err
	}
	u.record = rec
	u.digest.advance(rec.Received)
	return nil
}

// write puts what src has behind the acknowledged bytes, over anything that was written there but
// not acknowledged. It tells progress, if given, how many bytes the file then has.
func (u *upload) write(src io.Reader, progress func(size int64)) (n int64, err error) {
	f, err := os.OpenFile(u.path, os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(u.record.Received); err != nil {
		return 0, err
	}
	if _, err := f.Seek(u.record.Received, io.SeekStart); err != nil {
		return 0, err
	}
	if progress == nil {
		n, err = io.Copy(f, src)
	} else {
		n, err = io.CopyBuffer(&progressWriter{w: f, size: u.record.Received, progress: progress}, src, make([]byte, copyBuffer))
	}
	if u.sync { // what came of a broken body may be acknowledged too
		err = errors.Join(err, f.Sync())
	}
	return n, err
}

// copyBuffer is the memory of a body that is streamed to a file, in bytes.
const copyBuffer = 128 << 10

type progressWriter struct {
	w        io.Writer
	size     int64
	progress func(size int64)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.size += int64(n)
	p.progress(p.size)
	return n, err
}
