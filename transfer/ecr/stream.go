package ecr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// smallStream is how many bytes of a stream are kept before it takes the memory of a part.
const smallStream = 256 << 10

// streamPartSize returns the size of a part of a layer whose size is not known. Parts grow,
// so that the largest layer of Amazon ECR, 52 GB, has no more parts than it allows, and small
// ones need little memory.
func streamPartSize(number int) int64 {
	switch {
	case number < 1000:
		return minPartSize
	case number < 2600:
		return 2 * minPartSize
	}
	return maxPartSize
}

// stream is a layer that is uploaded in parts while it arrives.
type stream struct {
	e       *Repository
	how     content.StreamOptions
	ctx     context.Context
	cancel  context.CancelCauseFunc
	group   *errgroup.Group
	sending context.Context // of the group
	lanes   chan struct{}

	hash hash.Hash
	size int64
	err  error // once it has failed or ended

	small   []byte // what there is while no part is begun
	part    []byte // the part that is being filled
	filled  int64
	release func()

	id     string
	number int   // of parts that are sent
	first  int64 // byte of the part that is being filled
	before chan struct{}
}

var _ content.BlobStreamer = (*Repository)(nil)

// errEnded is the error of a stream that has ended.
var errEnded = errors.New("the upload has ended")

// StreamBlob uploads a layer by its parts, several at once, while it arrives. One of less than
// a part is uploaded when it is complete, as [Repository.UploadBlob] does.
func (e *Repository) StreamBlob(ctx context.Context, how content.StreamOptions) content.BlobStream {
	if how.Memory == nil {
		how.Memory = func(_ context.Context, n int64) ([]byte, func(), error) { return make([]byte, n), func() {}, nil }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	group, sending := errgroup.WithContext(ctx)
	ready := make(chan struct{})
	close(ready)
	return &stream{
		e: e, how: how, ctx: ctx, cancel: cancel, group: group, sending: sending,
		lanes: make(chan struct{}, max(how.Connections, 1)), hash: sha256.New(), before: ready,
	}
}

// Write takes what comes next of the layer.
func (s *stream) Write(p []byte) (written int, err error) {
	for len(p) > 0 && s.err == nil {
		n, err := s.take(p)
		s.hash.Write(p[:n])
		s.size += int64(n)
		written, p = written+n, p[n:]
		if err == nil && s.part != nil && s.filled == int64(len(s.part)) {
			err = s.send()
		}
		if err != nil {
			s.fail(err)
		}
	}
	return written, s.err
}

// take keeps some of p.
func (s *stream) take(p []byte) (int, error) {
	if s.part == nil {
		if s.number == 0 && len(s.small)+len(p) <= smallStream {
			s.small = append(s.small, p...)
			return len(p), nil
		}
		part, release, err := s.how.Memory(s.sending, streamPartSize(s.number))
		if err != nil {
			return 0, err
		}
		s.part, s.release = part, release
		s.filled = int64(copy(part, s.small))
		s.small = nil
	}
	n := copy(s.part[s.filled:], p)
	s.filled += int64(n)
	return n, nil
}

// send sends the part that was filled.
func (s *stream) send() error {
	if s.id == "" {
		if err := s.begin(); err != nil {
			return err
		}
	}
	select {
	case s.lanes <- struct{}{}:
	case <-s.sending.Done():
		return context.Cause(s.sending)
	}
	p := &sentPart{first: s.first, n: s.filled, section: io.NewSectionReader(bytes.NewReader(s.part[:s.filled]), 0, s.filled)}
	before, acknowledged, release := s.before, make(chan struct{}), s.release
	s.before = acknowledged
	s.first += s.filled
	s.number++
	s.part, s.release, s.filled = nil, nil, 0
	s.group.Go(func() error {
		defer func() {
			<-s.lanes
			release()
		}()
		if err := s.e.uploadPart(s.sending, s.id, p, before, func(int64) {}); err != nil {
			return err
		}
		close(acknowledged)
		return nil
	})
	return nil
}

// begin begins the upload.
func (s *stream) begin() error {
	if err := s.e.createAbsent(s.sending); err != nil {
		return err
	}
	out, err := creating(s.sending, s.e, s.e.api.InitiateLayerUpload, &ecr.InitiateLayerUploadInput{
		RegistryId: &s.e.registry.Account, RepositoryName: &s.e.repository,
	})
	if err != nil {
		return err
	}
	s.id = aws.ToString(out.UploadId)
	return nil
}

// fail ends the stream because of err, or of what ended the sending.
func (s *stream) fail(err error) {
	s.cancel(err)
	if cause := s.group.Wait(); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	s.err = s.e.fail("layer", err)
	s.end()
}

// end gives back what the stream has.
func (s *stream) end() {
	s.cancel(errEnded)
	_ = s.group.Wait() // what is sent is in the memory that is given back
	if s.release != nil {
		s.release()
	}
	s.part, s.release, s.small = nil, nil, nil
}

// Abort ends the stream. Amazon ECR drops the parts that it has after a while.
func (s *stream) Abort() {
	if s.err == nil {
		s.err = errEnded
		s.end()
	}
}

// Commit makes what was written the layer d.
func (s *stream) Commit(ctx context.Context, d digest.Digest) error {
	if s.err != nil {
		return s.err
	}
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	defer stop()
	defer s.Abort()
	if got := digest.NewDigest(digest.SHA256, s.hash); got != d {
		return fmt.Errorf("%s: %w: the bytes of layer %s have the digest %s", s.e, content.ErrIntegrity, d, got)
	}
	layer := content.Descriptor{Digest: d, Size: s.size}
	if s.number == 0 {
		data := s.small
		if s.part != nil {
			data = s.part[:s.filled]
		}
		return s.e.UploadBlob(ctx, layer, parts.File{File: bytes.NewReader(data)}, parts.Single())
	}
	if s.filled > 0 {
		if err := s.send(); err != nil {
			s.fail(err)
			return s.err
		}
	}
	if err := s.group.Wait(); err != nil {
		return s.e.fail("layer "+string(d), err)
	}
	u := &upload{Upload: parts.Single(), e: s.e, d: layer, id: s.id}
	if err := u.complete(ctx); err != nil {
		if errors.Is(err, content.ErrIntegrity) {
			return err
		}
		return s.e.fail("layer "+string(d), err)
	}
	return nil
}
