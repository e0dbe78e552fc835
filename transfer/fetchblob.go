package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// BlobStatter knows how long a blob is.
type BlobStatter interface {
	// StatBlob gives the size of the layer or config with this digest, and its media
	// type where that is known. The error wraps [ErrNotFound] if it is not there.
	StatBlob(ctx context.Context, d digest.Digest) (Descriptor, error)
}

// StatBlob asks with one BatchCheckLayerAvailability.
func (e *ECR) StatBlob(ctx context.Context, d digest.Digest) (Descriptor, error) {
	out, err := e.api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, LayerDigests: []string{string(d)},
	})
	if err != nil {
		return Descriptor{}, e.fail("layer "+string(d), err)
	}
	for _, layer := range out.Layers {
		if aws.ToString(layer.LayerDigest) == string(d) && layer.LayerAvailability == types.LayerAvailabilityAvailable && layer.LayerSize != nil {
			found := Descriptor{MediaType: aws.ToString(layer.MediaType), Digest: d, Size: *layer.LayerSize}
			return found, checkDescriptor(found)
		}
	}
	return Descriptor{}, fmt.Errorf("%s: blob %s: %w", e, d, ErrNotFound)
}

// StatBlob looks at the file of the blob.
func (l layoutReader) StatBlob(_ context.Context, d digest.Digest) (Descriptor, error) {
	if err := checkDescriptor(Descriptor{Digest: d}); err != nil {
		return Descriptor{}, fmt.Errorf("%s: %w", l.name, err)
	}
	info, err := fs.Stat(l.files, blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return Descriptor{}, fmt.Errorf("%s: blob %s: %w", l.name, d, ErrNotFound)
	}
	if err != nil {
		return Descriptor{}, fmt.Errorf("%s: blob %s: %w", l.name, d, err)
	}
	return Descriptor{Digest: d, Size: info.Size()}, nil
}

// FetchBlob brings one blob of src into the file at path, over opts.Connections
// connections where src can do that, and tells opts.Progress; of opts nothing else
// counts. Until all of it is there and has the digest of d, the content is in
// another file of the same directory, from which a later call goes on. A file at
// path is replaced; if it is the blob already, nothing is done: [OutcomeSkipped].
func FetchBlob(ctx context.Context, src Source, d Descriptor, path string, opts Options) (Outcome, error) {
	f := &blobFetch{src: src, d: d, target: path, connections: cmp.Or(max(opts.Connections, 0), defaultConnections), progress: opts.Progress, outcome: OutcomeSent}
	if err := checkDescriptor(d); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", path)
	case err == nil && info.Size() == d.Size && sameContent(ctx, path, d):
		return OutcomeSkipped, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	f.emit(Event{Kind: EventPlanned, Bytes: d.Size, Blobs: 1})
	f.emit(Event{Kind: EventStarted, Bytes: d.Size})
	p, err := openPartial(ctx, filepath.Join(filepath.Dir(path), partialName(d.Digest)), d.Size)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if err := p.finish(path, f.fill(ctx, p)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	f.emit(Event{Kind: EventDone, Bytes: d.Size, Outcome: f.outcome})
	return f.outcome, nil
}

// sameContent tells whether a file has the digest of d.
func sameContent(ctx context.Context, path string, d Descriptor) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, newVerifier(ctx, f, d))
	return err == nil
}

// blobFetch is one blob on its way to a file.
type blobFetch struct {
	src         Source
	d           Descriptor
	target      string
	connections int
	progress    func(Event)
	outcome     Outcome
}

func (f *blobFetch) emit(e Event) {
	if f.progress != nil {
		e.Target, e.Descriptor = f.target, f.d
		f.progress(e)
	}
}

func (f *blobFetch) moved(n int64) { f.emit(Event{Kind: EventMoved, Bytes: n}) }

// resumed takes a negative number back: what was there was wrong.
func (f *blobFetch) resumed(n int64) {
	if n == 0 {
		return
	}
	f.outcome = OutcomeResumed
	if n < 0 {
		f.outcome = OutcomeSent
	}
	f.emit(Event{Kind: EventResumed, Bytes: n})
}

// fill writes the content of the blob to p.
func (f *blobFetch) fill(ctx context.Context, p *partial) error {
	before := int64(0)
	if src, ok := f.src.(rangeReader); ok {
		open, err := src.Ranges(ctx, f.d)
		if err != nil {
			return err
		}
		err = p.fillAgain(func(file ranges.File) error {
			f.resumed(p.resumed - before)
			before = p.resumed
			return fetchRanges(ctx, file, f.d, open, f.connections, f.moved)
		})
		if !errors.Is(err, errNoRanges) {
			return err
		}
	}
	f.resumed(-before)
	if err := p.restart(); err != nil {
		return err
	}
	content, err := f.src.Blob(ctx, f.d)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(p, &movedReader{newVerifier(ctx, content, f.d), f.moved})
	return err
}
