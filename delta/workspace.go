package delta

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta/internal/deflate"
	"github.com/ecrkit/ecrkit/internal/unpack"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Workspace is a directory for the plaintexts of layers, and what is common to them. Memory does not grow
// with the layers, but for 16 bytes for each 2 KiB of the bases that a delta is made from. The disk needs
// room for the plaintexts and for the layer.
type Workspace struct {
	dir    string
	seed   maphash.Seed
	freely int64 // bytes that a layer may be unpacked to whatever its size
}

// NewWorkspace returns a workspace in dir, where temporary files are made; "" is the system's.
func NewWorkspace(dir string) *Workspace {
	return &Workspace{dir: dir, seed: maphash.MakeSeed(), freely: unpack.Freely}
}

// Layer is a layer that can be read.
type Layer struct {
	Digest digest.Digest
	Size   int64 // in bytes, as it is compressed
	// Open opens the compressed bytes. It is called once. The reader is verified here.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Encodings of a layer.
const (
	encodingNone = "none"
	encodingGzip = "gzip"
	encodingZstd = "zstd"
)

// Plaintext is the plaintext of a layer, in a temporary file.
type Plaintext struct {
	Digest   digest.Digest // of the layer
	Size     int64         // of the layer, compressed
	Plain    int64         // size of the plaintext, in bytes
	encoding string
	survey   deflate.Survey
	file     *os.File
	sample   map[uint64]int64 // sizes of some chunks, by their hash
	// compressed is the layer as it is, which is kept of the layer that a delta is made of, and of zstd layers.
	compressed *os.File
}

// asRanges returns the compressed bytes as a plaintext, and whether they are kept: parts that an encoder has
// compressed independently are equal in two layers where their content is.
func (p *Plaintext) asRanges() (*Plaintext, bool) {
	return &Plaintext{Digest: p.Digest, Size: p.Size, Plain: p.Size, encoding: encodingNone, file: p.compressed}, p.encoding == encodingZstd && p.compressed != nil
}

// sampled reports whether a chunk is in samples.
func sampled(hash uint64) bool { return hash&15 == 0 }

// Close removes the plaintext.
func (p *Plaintext) Close() error {
	err := p.file.Close()
	if p.compressed != nil {
		err = errors.Join(err, p.compressed.Close())
	}
	return err
}

// temporary returns a file that has no name any more where the system can do that, and is gone when it is closed.
func (w *Workspace) temporary() (*os.File, error) {
	f, err := os.CreateTemp(w.dir, ".ecrkit-delta-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrPermission) {
		return f, nil // it stays until the caller removes the directory
	}
	return f, nil
}

// Plaintext reads a layer once and keeps its plaintext. The error wraps [content.ErrIntegrity] if the layer
// is not the one of its digest, [content.ErrUnsupported] if it unpacks to more than layers do, and
// [content.ErrNoRoom] if there is no room for it.
func (w *Workspace) Plaintext(ctx context.Context, l Layer) (*Plaintext, error) {
	return w.read(ctx, l, false)
}

// read reads a layer; with whole it keeps the compressed bytes too.
func (w *Workspace) read(ctx context.Context, l Layer, whole bool) (_ *Plaintext, err error) {
	if err := content.CheckDescriptor(content.Descriptor{Digest: l.Digest, Size: l.Size}); err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	if l.Open == nil {
		return nil, fmt.Errorf("layer %s: it has no Open", l.Digest)
	}
	in, err := l.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	defer in.Close() // what was read is verified
	p := &Plaintext{Digest: l.Digest, Size: l.Size, sample: map[uint64]int64{}}
	if p.file, err = w.temporary(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("layer %s: %w", l.Digest, err)
			p.Close() // it is removed
		}
	}()
	verifier := l.Digest.Verifier()
	source := bufio.NewReader(io.LimitReader(&reader{ctx, in}, l.Size+1))
	p.encoding = encodingOf(source)
	raw := io.TeeReader(source, verifier)
	if whole || p.encoding == encodingZstd {
		if p.compressed, err = w.temporary(); err != nil {
			return nil, err
		}
		raw = io.TeeReader(raw, p.compressed)
	}
	packed := &counter{r: raw}
	buffered := bufio.NewReaderSize(packed, 64<<10)
	bound := unpack.NewWriter(p.file, filepath.Dir(p.file.Name()), nil)
	if p.encoding != encodingNone {
		bound.Packed, bound.Freely = &packed.n, w.freely
	}
	out := bufio.NewWriterSize(bound, 64<<10)
	sampler := &sampler{w: w, sample: p.sample}
	if err := p.expand(buffered, out, sampler); err != nil {
		return nil, err
	}
	sampler.finish()
	if err := out.Flush(); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return nil, err
	}
	if !verifier.Verified() {
		return nil, fmt.Errorf("%w: its bytes have another digest", content.ErrIntegrity)
	}
	info, err := p.file.Stat()
	if err != nil {
		return nil, err
	}
	p.Plain = info.Size()
	return p, nil
}

// encodingOf returns how a layer is compressed.
func encodingOf(in *bufio.Reader) string {
	magic, _ := in.Peek(4) // a short layer is not one of the compressed ones
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		return encodingGzip
	case len(magic) == 4 && (string(magic) == "\x28\xb5\x2f\xfd" || magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18"):
		return encodingZstd
	default:
		return encodingNone
	}
}

// expand writes the plaintext of a layer.
func (p *Plaintext) expand(in *bufio.Reader, file *bufio.Writer, sampler io.Writer) error {
	out := io.MultiWriter(file, sampler)
	switch p.encoding {
	case encodingGzip:
		survey, err := deflate.Inspect(in, out)
		if errors.Is(err, deflate.ErrFormat) {
			err = fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		p.survey = survey
		return err
	case encodingZstd:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return err
		}
		defer z.Close()
		if _, err := io.Copy(out, z); err != nil {
			if file.Flush() != nil { // the error is that of the file
				return err
			}
			return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
		}
		return nil
	default:
		_, err := io.Copy(out, in)
		return err
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// reader ends with the context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// sampler notes the sizes of some chunks of what is written to it.
type sampler struct {
	w      *Workspace
	sample map[uint64]int64
	cut    chunker
	buf    []byte
}

func (s *sampler) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	done := 0
	for len(s.buf)-done >= maxChunk {
		done += s.note(s.buf[done:])
	}
	s.buf = append(s.buf[:0], s.buf[done:]...)
	return len(p), nil
}

func (s *sampler) finish() {
	for len(s.buf) > 0 {
		s.buf = s.buf[s.note(s.buf):]
	}
}

func (s *sampler) note(p []byte) int {
	n := s.cut.next(p)
	if h := maphash.Bytes(s.w.seed, p[:n]); sampled(h) {
		s.sample[h] = int64(n)
	}
	return n
}

// MaxBases is how many bases a delta has at most.
const MaxBases = 4

// choose returns the bases that have most of a layer's content, best first: each is worth what those before
// it do not have.
func choose(target *Plaintext, bases []*Plaintext) (chosen []*Plaintext) {
	left := map[uint64]int64{}
	for h, n := range target.sample {
		left[h] = n
	}
	for len(chosen) < MaxBases {
		var best *Plaintext
		var most int64
		for _, b := range bases {
			shared := int64(0)
			for h, n := range left {
				if _, ok := b.sample[h]; ok {
					shared += n
				}
			}
			if shared > most {
				best, most = b, shared
			}
		}
		if best == nil {
			break
		}
		chosen = append(chosen, best)
		for h := range best.sample {
			delete(left, h)
		}
	}
	if len(chosen) == 0 && len(bases) > 0 { // small layers have no sample: the one of the nearest size
		nearest := slices.MinFunc(bases, func(a, b *Plaintext) int {
			return cmp.Compare(max(a.Plain, target.Plain)-min(a.Plain, target.Plain), max(b.Plain, target.Plain)-min(b.Plain, target.Plain))
		})
		chosen = append(chosen, nearest)
	}
	return chosen
}
