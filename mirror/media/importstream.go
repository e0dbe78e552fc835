package media

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// stream is the rest of a set in one file that is read once, from its beginning on.
type stream struct {
	*sequence
	name  string
	spool *os.File

	mu     sync.Mutex
	rest   bool                    // it was read
	failed map[digest.Digest]error // blobs that were not stored
}

// ErrNotInStream reports a blob that a set read from a stream does not have when it is asked for.
var ErrNotInStream = errors.New("the set is read from a stream, and does not have it now")

// OpenStream opens a set in one file that can be read only once. Its manifests, deltas and blobs of up to
// 64 KiB, which come first, are kept in a temporary file in tempDir, "" is the system's directory. The
// caller has [Reader.Store] read the rest before images are copied, and closes the set. name is for
// messages. Errors are those of [Open].
func OpenStream(ctx context.Context, in io.Reader, name, tempDir string, opts ReadOptions) (_ *Reader, err error) {
	spool, err := os.CreateTemp(tempDir, ".ecrkit-set-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(spool.Name()) // where that cannot be done, close does it
	s := &stream{name: name, spool: spool, failed: map[digest.Digest]error{}}
	defer func() {
		if err != nil {
			_ = spool.Close() // which may be closed already
			_ = s.close()     // the first error counts
			err = fmt.Errorf("%s: %w", name, temporaryRoom(err))
		}
	}()
	if s.sequence, err = readSequence(in, spool, opts); err != nil {
		return nil, err
	}
	if err := s.readHead(ctx); err != nil {
		return nil, cmp.Or(s.in.unkept, err)
	}
	return &Reader{Set: s.Set, dir: name, signature: s.signature, stream: s, archive: s.places.Archive(spool, spool, name)}, nil
}

// readHead reads the head of the set into the temporary file.
func (s *stream) readHead(ctx context.Context) error {
	for range s.Head {
		d, more, err := s.blob()
		if err != nil {
			return err
		}
		if !more {
			return damaged("it ends early")
		}
		if err := s.skip(ctx, d); err != nil {
			return err
		}
	}
	s.in.copy = nil
	return nil
}

// check returns why a blob cannot be read any more, nil if it may be in the temporary file.
func (s *stream) check(d content.Descriptor) error {
	if s == nil || d.Size <= smallBlob {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failed[d.Digest]; err != nil {
		return fmt.Errorf("blob %s was not stored: %w", d.Digest, err)
	}
	return fmt.Errorf("blob %s of %s: %w", d.Digest, s.name, ErrNotInStream)
}

// close removes the temporary file where it could not be removed while it was open.
func (s *stream) close() error {
	if s == nil {
		return nil
	}
	return removed(s.spool)
}

// Placement is an image of a set and a repository that it is copied to.
type Placement struct {
	Repository string // HOST/REPOSITORY at the source
	Image      digest.Digest
	Target     content.Target
}

// Store reads the rest of a set from its stream, once, and stores each blob where one of the placements lacks
// it. Then the images are to be copied in the order of the placements, by copies with the same opts.Shared: a blob that several
// repositories of a registry lack is stored in the first of them, if the registry mounts it in the others. It does nothing if the set can be read at any offset. A blob that a
// repository does not take is no error of Store, but of copying the image, and so is what is wrong with one image. With opts.JournalDir, the upload of a large blob
// that was interrupted is resumed; of opts nothing else counts. The error wraps
// [content.ErrIntegrity] if the stream is damaged or ends early; what was stored before is used when the import
// is repeated.
func (r *Reader) Store(ctx context.Context, placements []Placement, opts transfer.Options) error {
	s := r.stream
	if s == nil || s.rest {
		return nil
	}
	s.rest = true
	wanted, err := r.wanted(ctx, placements)
	if err != nil {
		return err
	}
	shareStream(ctx, wanted, opts.Shared)
	if err := s.store(ctx, wanted, opts); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// shareStream has a blob that several repositories of a registry lack sent to the first of them only, if the registry then mounts
// it in the others.
func shareStream(ctx context.Context, wanted map[digest.Digest][]content.Target, shared *transfer.SharedBlobs) {
	if shared == nil {
		return
	}
	shares := map[sharingTarget]bool{}
	expected := map[sharingTarget][]digest.Digest{}
	for d, targets := range wanted {
		first := map[string]sharingTarget{}
		wanted[d] = slices.DeleteFunc(targets, func(target content.Target) bool {
			sharing, ok := target.(sharingTarget)
			if !ok {
				return false
			}
			owner := first[sharing.Registry()]
			if owner == nil {
				first[sharing.Registry()] = sharing
				return false
			}
			if _, asked := shares[owner]; !asked {
				shares[owner] = owner.SharesBlob(ctx, d)
			}
			if shares[owner] {
				expected[owner] = append(expected[owner], d)
			}
			return shares[owner]
		})
	}
	for owner, digests := range expected {
		shared.Expect(owner, digests)
	}
}

// sharingTarget is a repository of a registry that may mount its blobs in others.
type sharingTarget interface {
	content.Target
	content.RegistryRepository
	content.BlobSharer
}

// wanted returns the repositories that lack a blob, by its digest, in the order of the placements.
func (r *Reader) wanted(ctx context.Context, placements []Placement) (map[digest.Digest][]content.Target, error) {
	blobs := map[content.Target]map[digest.Digest]content.Descriptor{}
	var order []content.Target
	for _, p := range placements {
		src, err := r.Repository(p.Repository)
		if err != nil {
			return nil, err
		}
		contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: string(p.Image), Referrers: true})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err != nil {
			continue // it is the error of copying this image
		}
		if blobs[p.Target] == nil {
			blobs[p.Target] = map[digest.Digest]content.Descriptor{}
			order = append(order, p.Target)
		}
		for _, d := range contents.Blobs {
			if d.Size > smallBlob && !r.rebuilder.has(d) {
				blobs[p.Target][d.Digest] = d
			}
		}
	}
	wanted := map[digest.Digest][]content.Target{}
	for _, target := range order {
		var list []content.Descriptor
		for _, d := range blobs[target] {
			list = append(list, d)
		}
		missing, err := target.MissingBlobs(ctx, list)
		if errors.Is(err, content.ErrNotFound) {
			missing, err = list, nil // the repository is created with the first blob
		}
		if err != nil {
			return nil, err
		}
		for _, d := range missing {
			wanted[d.Digest] = append(wanted[d.Digest], target)
		}
	}
	return wanted, nil
}

// store reads the blobs of the stream. Small ones are stored some at once.
func (s *stream) store(ctx context.Context, wanted map[digest.Digest][]content.Target, opts transfer.Options) error {
	var group errgroup.Group
	group.SetLimit(ahead)
	defer func() { _ = group.Wait() }() // it returns no error
	for {
		d, more, err := s.blob()
		if err != nil || !more {
			return err
		}
		in := s.content(ctx, d)
		switch targets := wanted[d.Digest]; {
		case len(targets) == 0:
			_, err = io.Copy(io.Discard, in)
		case d.Size > maxAhead:
			err = s.put(ctx, d, in, targets, opts)
		default:
			var data bytes.Buffer
			if _, err = io.Copy(&data, in); err == nil {
				group.Go(func() error { return s.put(ctx, d, &data, targets, opts) })
			}
		}
		if err != nil {
			return err
		}
	}
}

// put stores a blob in several repositories at once, and notes those that fail. The error is that of the
// stream.
func (s *stream) put(ctx context.Context, d content.Descriptor, in io.Reader, targets []content.Target, opts transfer.Options) error {
	var running sync.WaitGroup
	writers := make([]*follower, len(targets))
	for i, target := range targets {
		r, w := io.Pipe()
		writers[i] = &follower{w: w}
		running.Go(func() {
			err := transfer.PutBlob(ctx, target, d, r, opts)
			if err != nil {
				s.mu.Lock()
				s.failed[d.Digest] = cmp.Or(s.failed[d.Digest], err)
				s.mu.Unlock()
			}
			r.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		})
	}
	_, err := io.Copy(writerTo(writers), in)
	for _, w := range writers {
		w.w.CloseWithError(cmp.Or(err, io.EOF))
	}
	running.Wait()
	return err
}

// follower is a repository that reads a blob from a pipe, until it fails.
type follower struct {
	w      *io.PipeWriter
	failed bool
}

// writerTo writes to all that have not failed.
type writerTo []*follower

func (all writerTo) Write(p []byte) (int, error) {
	for _, f := range all {
		if !f.failed {
			_, err := f.w.Write(p)
			f.failed = err != nil
		}
	}
	return len(p), nil
}
