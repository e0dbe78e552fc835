package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

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
