package registry

import (
	"context"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

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

// CancelUpload ends an upload and drops its bytes. Errors: RepositoryNotFound, UploadNotFound.
func (r *Registry) CancelUpload(_ context.Context, name, id string) error {
	u, err := r.lockUpload(&name, &id)
	if err != nil {
		return err
	}
	defer u.mu.Unlock()
	err = r.store.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketUploads).Delete([]byte(id)) })
	if err != nil {
		return fmt.Errorf("upload %s: %w", id, err)
	}
	u.done = true
	r.store.forgetUpload(u)
	return nil
}

// UploadStatus reports how much of an upload was received. Errors: RepositoryNotFound, UploadNotFound.
func (r *Registry) UploadStatus(_ context.Context, name, id string) (Chunk, error) {
	u, err := r.lockUpload(&name, &id)
	if err != nil {
		return Chunk{}, err
	}
	defer u.mu.Unlock()
	return Chunk{Received: u.record.Received, FirstChunk: u.record.FirstChunk}, nil
}
