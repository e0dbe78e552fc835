package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
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
	digest *runningDigest

	mu     sync.Mutex // held by whoever adds to the file, and by Complete
	record uploadRecord
	done   bool // completed, expired or dropped
}

// InitiateLayerUpload begins an upload. Errors: RepositoryNotFound.
func (r *Registry) InitiateLayerUpload(_ context.Context, in *ecr.InitiateLayerUploadInput) (*ecr.InitiateLayerUploadOutput, error) {
	id := uuid.NewString()
	err := r.update(in.RepositoryName, func(repo *repository) error {
		rec := uploadRecord{ID: id, Account: r.account, Region: r.region, Repository: repo.record.Name, TouchedAt: r.now()}
		f, err := os.OpenFile(r.store.uploadPath(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), putJSON(repo.bucket.Tx().Bucket(bucketUploads), []byte(id), rec))
	})
	if err != nil {
		return nil, err
	}
	return &ecr.InitiateLayerUploadOutput{PartSize: aws.Int64(r.store.limits.PartSize), UploadId: aws.String(id)}, nil
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
	u := &upload{path: path, digest: newRunningDigest(path), record: rec}
	s.uploads[id] = u
	return u, nil
}

// acknowledge records what the upload now is. From here on the bytes belong to it.
func (r *Registry) acknowledge(u *upload, rec uploadRecord) error {
	rec.TouchedAt = r.now()
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		return putJSON(tx.Bucket(bucketUploads), []byte(rec.ID), rec)
	})
	if err != nil {
		return err
	}
	u.record = rec
	u.digest.advance(rec.Received)
	return nil
}

// A Part is the body of a layer part that was received but not yet taken: several parts of one layer
// may be on their way at once.
type Part struct {
	file *os.File
	size int64
}

// NewPart makes room for a part. The caller writes to it, and discards it in any case.
func (s *Store) NewPart() (*Part, error) {
	f, err := os.CreateTemp(s.uploadsDir(), "part-*")
	if err != nil {
		return nil, fmt.Errorf("layer part: %w", err)
	}
	return &Part{file: f}, nil
}

func (p *Part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.size += int64(n)
	return n, err
}

// Discard removes the part's own copy of its bytes.
func (p *Part) Discard() error {
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}

// UploadLayerPart takes a part if it is the next one of its layer. in.LayerPartBlob is not used: the
// bytes are in part. Errors: RepositoryNotFound, UploadNotFound, InvalidLayerPart (with the last
// byte that the layer has), LimitExceeded, InvalidParameter.
func (r *Registry) UploadLayerPart(_ context.Context, in *ecr.UploadLayerPartInput, part *Part) (*ecr.UploadLayerPartOutput, error) {
	limits := r.store.limits
	if in.PartFirstByte == nil || in.PartLastByte == nil || *in.PartFirstByte < 0 || *in.PartLastByte < 0 {
		return nil, invalidParameter("partFirstByte", "partFirstByte and partLastByte must be given, and not negative")
	}
	if part.size > limits.MaxPart {
		return nil, invalidParameter("layerPartBlob", "must have a length between 0 and %d", limits.MaxPart)
	}
	u, err := r.lockUpload(in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	defer u.mu.Unlock()
	rec := u.record
	first, last := *in.PartFirstByte, *in.PartLastByte
	if first != rec.Received {
		return nil, r.invalidLayerPart(rec, "First byte of the layer part is %d instead of %d", first, rec.Received)
	}
	if part.size == 0 || last-first+1 != part.size {
		return nil, r.invalidLayerPart(rec, "The size of the layer part is %d bytes, but its range %d-%d is %d bytes", part.size, first, last, last-first+1)
	}
	if rec.Parts >= limits.MaxParts {
		return nil, limitExceeded("The layer already has the maximum allowed number of parts, %d", limits.MaxParts)
	}
	if _, err := part.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := u.write(part.file, nil); err != nil {
		return nil, fmt.Errorf("upload %s: %w", rec.ID, err)
	}
	rec.TooSmall = rec.TooSmall || rec.LastSmall
	rec.LastSmall = part.size < limits.MinPart
	rec.Received += part.size
	rec.Parts++
	if err := r.acknowledge(u, rec); err != nil {
		return nil, err
	}
	return &ecr.UploadLayerPartOutput{
		LastByteReceived: aws.Int64(rec.Received - 1),
		RegistryId:       aws.String(r.account),
		RepositoryName:   in.RepositoryName,
		UploadId:         in.UploadId,
	}, nil
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
		return io.Copy(f, src)
	}
	return io.CopyBuffer(&progressWriter{w: f, size: u.record.Received, progress: progress}, src, make([]byte, copyBuffer))
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

// A Chunk is what came of an upload's body over /v2/.
type Chunk struct {
	Received   int64 // bytes of the layer up to now
	FirstChunk int64 // bytes of its first chunk
}

// AppendUpload takes a chunk of any length, which begins at the byte first, or at the end of what was
// received if first is negative. ECR cuts a chunk into parts of the usual size, so that a chunk whose
// rest is below the minimum can only be the last. When the body breaks off, what came of it stays if
// keepBroken is set. Errors: as UploadLayerPart, and the body's own.
func (r *Registry) AppendUpload(_ context.Context, name, id string, first int64, body io.Reader, keepBroken bool) (Chunk, error) {
	u, err := r.lockUpload(&name, &id)
	if err != nil {
		return Chunk{}, err
	}
	defer u.mu.Unlock()
	rec := u.record
	limits := r.store.limits
	if first >= 0 && first != rec.Received {
		return Chunk{}, r.invalidLayerPart(rec, "First byte of the layer part is %d instead of %d", first, rec.Received)
	}
	room := int64(limits.MaxParts-rec.Parts) * limits.PartSize
	tooMany := limitExceeded("The layer already has the maximum allowed number of parts, %d", limits.MaxParts)
	n, bodyErr := u.write(&limitedBody{r: body, left: room, err: tooMany}, u.digest.advance)
	if bodyErr != nil && !keepBroken {
		u.digest = newRunningDigest(u.path) // the old one has seen what is taken back
		return Chunk{}, bodyErr
	}
	if n > 0 {
		rec.TooSmall = rec.TooSmall || rec.LastSmall
		rec.LastSmall = n%limits.PartSize != 0 && n%limits.PartSize < limits.MinPart
		if rec.Received == 0 {
			rec.FirstChunk = n
		}
		rec.Received += n
		rec.Parts += int((n + limits.PartSize - 1) / limits.PartSize)
		if err := r.acknowledge(u, rec); err != nil {
			return Chunk{}, err
		}
	}
	return Chunk{Received: rec.Received, FirstChunk: rec.FirstChunk}, bodyErr
}

// limitedBody fails with err when there is more than left bytes to read.
type limitedBody struct {
	r    io.Reader
	left int64
	err  error
}

func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		n, err := io.ReadFull(l.r, one[:])
		if n > 0 {
			return 0, l.err
		}
		return 0, err
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// CompleteLayerUpload checks the bytes against the digests and makes them a layer of the repository.
// Errors: RepositoryNotFound, UploadNotFound, EmptyUpload, LayerPartTooSmall, InvalidLayer,
// LayerAlreadyExists, InvalidParameter.
func (r *Registry) CompleteLayerUpload(_ context.Context, in *ecr.CompleteLayerUploadInput) (*ecr.CompleteLayerUploadOutput, error) {
	if err := checkBatch("layerDigests", len(in.LayerDigests)); err != nil {
		return nil, err
	}
	for _, d := range in.LayerDigests {
		if algorithm, hex, ok := strings.Cut(d, ":"); !ok || algorithm == "" || hex == "" {
			return nil, invalidParameter("layerDigests", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
		}
	}
	u, err := r.lockUpload(in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	defer u.mu.Unlock()
	rec := u.record
	switch {
	case rec.Received == 0:
		return nil, &types.EmptyUploadException{Message: aws.String(fmt.Sprintf("The upload with id '%s' does not contain any layer parts", rec.ID))}
	case rec.TooSmall:
		return nil, &types.LayerPartTooSmallException{Message: aws.String(fmt.Sprintf(
			"Layer parts must be at least %d MiB in size; only the last part of the upload with id '%s' may be smaller", r.store.limits.MinPart>>20, rec.ID))}
	}
	digest, err := u.digest.sum(rec.Received)
	if err != nil {
		return nil, fmt.Errorf("upload %s: %w", rec.ID, err)
	}
	if !slices.Contains(in.LayerDigests, digest) {
		return nil, &types.InvalidLayerException{Message: aws.String(fmt.Sprintf(
			"None of the provided layer digests match the calculated layer digest '%s'", digest))}
	}
	exists, err := r.takeLayer(u, digest)
	if err != nil {
		return nil, err
	}
	u.done = true
	r.store.forgetUpload(u)
	if exists {
		return nil, &types.LayerAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"The layer with digest '%s' already exists in the repository with name '%s' in the registry with id '%s'", digest, rec.Repository, r.account))}
	}
	return &ecr.CompleteLayerUploadOutput{
		LayerDigest:    aws.String(digest),
		RegistryId:     aws.String(r.account),
		RepositoryName: in.RepositoryName,
		UploadId:       in.UploadId,
	}, nil
}

// takeLayer makes the bytes of a finished upload a layer of its repository, and says whether it had
// the layer before. Either way the upload is gone from the database.
func (r *Registry) takeLayer(u *upload, digest string) (exists bool, err error) {
	r.store.blobs.Lock()
	defer r.store.blobs.Unlock()
	if err := r.store.placeBlob(u.path, digest); err != nil {
		return false, fmt.Errorf("layer %s: %w", digest, err)
	}
	err = r.update(&u.record.Repository, func(repo *repository) error {
		have, err := repo.layer(digest)
		if err != nil {
			return err
		}
		exists = have != nil
		if !exists {
			if err := repo.addLayer(digest, u.record.Received); err != nil {
				return err
			}
		}
		return repo.bucket.Tx().Bucket(bucketUploads).Delete([]byte(u.record.ID))
	})
	return exists, err
}

// forgetUpload removes what this process keeps of an upload that the database no longer has.
func (s *Store) forgetUpload(u *upload) {
	s.mu.Lock()
	delete(s.uploads, u.record.ID)
	s.mu.Unlock()
	if err := os.Remove(u.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // Open removes it: nothing names it any more
	}
}

// UploadStatus says how much of an upload was received. Errors: RepositoryNotFound, UploadNotFound.
func (r *Registry) UploadStatus(_ context.Context, name, id string) (Chunk, error) {
	u, err := r.lockUpload(&name, &id)
	if err != nil {
		return Chunk{}, err
	}
	defer u.mu.Unlock()
	return Chunk{Received: u.record.Received, FirstChunk: u.record.FirstChunk}, nil
}
