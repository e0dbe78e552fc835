// Package memory is an endpoint in memory, written as anybody outside of package
// transfer would write one: it proves that the contract in transfer/content is enough
// for ranged reads, resume and estimates.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Store is a repository in memory.
type Store struct {
	name string
	// Cut, if not nil, is asked for each range how many of its n bytes arrive; fewer end in
	// an error that no retry fixes.
	Cut func(first, n int64) int64

	mu        sync.Mutex
	manifests map[digest.Digest]content.Manifest
	tags      map[string]digest.Digest
	blobs     map[digest.Digest][]byte
	partial   map[digest.Digest]*file
	calls     map[string]int
	sent      int64
}

var (
	_ content.Endpoint       = (*Store)(nil)
	_ content.RangeReader    = (*Store)(nil)
	_ content.FileWriter     = (*Store)(nil)
	_ content.ReadEstimator  = (*Store)(nil)
	_ content.WriteEstimator = (*Store)(nil)
	_ content.RequestCounter = (*Store)(nil)
)

// New returns an empty store; messages call it name.
func New(name string) *Store {
	return &Store{
		name: name, manifests: map[digest.Digest]content.Manifest{}, tags: map[string]digest.Digest{},
		blobs: map[digest.Digest][]byte{}, partial: map[digest.Digest]*file{}, calls: map[string]int{},
	}
}

// String is the name.
func (s *Store) String() string { return s.name }

// Sent is how many bytes of blobs were read.
func (s *Store) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (s *Store) count(op string) { s.calls[op]++ }

// Requests implements [content.RequestCounter].
func (s *Store) Requests() (map[string]int, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls), 0
}

// Resolve implements [content.Resolver].
func (s *Store) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count("Resolve")
	name := digest.Digest(reference)
	if d, ok := s.tags[reference]; ok {
		name = d
	}
	m, ok := s.manifests[name]
	if !ok {
		return m, fmt.Errorf("%s: image %s: %w", s, reference, content.ErrNotFound)
	}
	return m, nil
}

// Manifests implements [content.ManifestReader].
func (s *Store) Manifests(_ context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count("Manifests")
	found := make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		m, ok := s.manifests[d.Digest]
		if !ok {
			return nil, fmt.Errorf("%s: manifest %s: %w", s, d.Digest, content.ErrNotFound)
		}
		found[i] = m
	}
	return found, nil
}

func (s *Store) blob(d digest.Digest) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.blobs[d]
	if !ok {
		return nil, fmt.Errorf("%s: blob %s: %w", s, d, content.ErrNotFound)
	}
	return data, nil
}

// Blob implements [content.BlobReader].
func (s *Store) Blob(_ context.Context, d content.Descriptor) (io.ReadCloser, error) {
	data, err := s.blob(d.Digest)
	return io.NopCloser(bytes.NewReader(data)), err
}

// errCut ends a range before its time.
var errCut = errors.New("the line was cut")

// Ranges implements [content.RangeReader].
func (s *Store) Ranges(_ context.Context, d content.Descriptor) (content.RangeOpener, error) {
	data, err := s.blob(d.Digest)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) {
		arrives := n
		if s.Cut != nil {
			arrives = s.Cut(first, n)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count("GetRange")
		s.sent += arrives
		var body io.Reader = bytes.NewReader(data[first : first+arrives])
		if arrives < n {
			body = io.MultiReader(body, failing{content.Permanent(errCut)})
		}
		return io.NopCloser(body), nil
	}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// MissingBlobs implements [content.BlobChecker].
func (s *Store) MissingBlobs(_ context.Context, blobs []content.Descriptor) (missing []content.Descriptor, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count("MissingBlobs")
	for _, d := range blobs {
		if _, ok := s.blobs[d.Digest]; !ok {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// PutBlob implements [content.BlobWriter].
func (s *Store) PutBlob(_ context.Context, d content.Descriptor, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count("PutBlob")
	s.blobs[d.Digest] = data
	return nil
}

// PutBlobFile implements [content.FileWriter]: what an attempt has written stays for the
// next one.
func (s *Store) PutBlobFile(_ context.Context, d content.Descriptor, fill func(f content.PartialFile) error) error {
	s.mu.Lock()
	s.count("PutBlob")
	f := s.partial[d.Digest]
	if f == nil {
		f = &file{data: make([]byte, d.Size)}
		s.partial[d.Digest] = f
	}
	s.mu.Unlock()
	err := fill(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.blobs[d.Digest] = f.data
	}
	if err == nil || errors.Is(err, content.ErrIntegrity) {
		delete(s.partial, d.Digest)
	}
	return err
}

// PutManifest implements [content.ManifestWriter].
func (s *Store) PutManifest(ctx context.Context, m content.Manifest) error {
	return s.PutTagged(ctx, m, "")
}

// PutTagged implements [content.Tagger].
func (s *Store) PutTagged(_ context.Context, m content.Manifest, tag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count("PutManifest")
	s.manifests[m.Descriptor.Digest] = m
	if tag != "" {
		s.tags[tag] = m.Descriptor.Digest
	}
	return nil
}

// EstimateReads implements [content.ReadEstimator].
func (s *Store) EstimateReads(missing []content.Descriptor, connections int) map[string]int {
	return map[string]int{"GetRange": len(missing) * connections}
}

// EstimateWrites implements [content.WriteEstimator].
func (s *Store) EstimateWrites(missing []content.Descriptor, manifests int) map[string]int {
	return map[string]int{"PutBlob": len(missing), "PutManifest": manifests}
}

// file is the file of a blob that is being written.
type file struct {
	mu   sync.Mutex
	data []byte
	done []content.Span
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(p, f.data[min(off, int64(len(f.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(f.data[off:], p), nil
}

func (f *file) Done() []content.Span {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(slices.Values(f.done), func(a, b content.Span) int { return cmp.Compare(a.First, b.First) })
}

func (f *file) AddDone(s content.Span) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, s)
	return nil
}
