package media

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// sequence reads the tar of a set in one file from its first byte to the last, and accepts only what an
// export writes: headers, order and padding too.
type sequence struct {
	Set
	signature string // its file, "" if the set is not signed
	in        *recorder
	tar       *tar.Reader
	next      *tar.Header // that was read already
	headers   hash.Hash
	index     contentSum
	places    archive.Blobs // that were met
	padding   int           // bytes behind the content that is read now
	blobs     int
	size      int64 // of all but the description
	beside    int64 // size of the description
}

// recorder keeps what is read while it is asked to.
type recorder struct {
	r         io.Reader
	recording bool
	kept      bytes.Buffer
	copy      io.Writer // gets all bytes, if not nil
	unkept    error     // of copy
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.recording {
		r.kept.Write(p[:n])
	}
	if r.copy != nil {
		if _, r.unkept = r.copy.Write(p[:n]); r.unkept != nil {
			return n, r.unkept
		}
	}
	return n, err
}

// readSequence reads the description of a set in one file. The error wraps [ErrNoSet] if there is none.
// The bytes up to there are written to spool, too, if it is not nil.
func readSequence(r io.Reader, spool io.Writer, opts ReadOptions) (_ *sequence, err error) {
	q := &sequence{in: &recorder{r: r, copy: spool}, headers: sha256.New()}
	defer func() { err = cmp.Or(q.in.unkept, err) }() // which says nothing of the set
	q.tar = tar.NewReader(q.in)
	err = q.layout()
	var set, sums []byte
	if err == nil {
		set, err = q.file(SetFile, MaxSetFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%w in one file: %w", ErrNoSet, err)
	}
	if sums, err = q.file(sumsFile, MaxSetFile); err != nil {
		return nil, err
	}
	var signature []byte
	if q.next, err = q.header(); err != nil {
		return nil, err
	}
	if q.next != nil && slices.Contains(signatureFiles, q.next.Name) {
		q.signature = q.next.Name
		if signature, err = q.file(q.signature, maxSignature); err != nil {
			return nil, err
		}
		signature = bytes.TrimRight(signature, "\n")
	}
	if opts.Verify != nil {
		if err := opts.Verify(set, signature); err != nil {
			return nil, fmt.Errorf("%s: %w", SetFile, err)
		}
	}
	if digest.FromBytes(set).Encoded() != sumOf(sums, SetFile) {
		return nil, fmt.Errorf("%s: %w: %s lists another sum", SetFile, content.ErrIntegrity, sumsFile)
	}
	if q.Set, err = decodeSet(set, true); err != nil {
		return nil, fmt.Errorf("%s: %w", SetFile, err)
	}
	return q, q.checkIndex()
}

// layout reads what a layout begins with.
func (q *sequence) layout() error {
	layout, err := q.file(ocispec.ImageLayoutFile, int64(len(layoutFile)))
	if err == nil && !bytes.Equal(layout, layoutFile) {
		err = errors.New("its oci-layout is of another version")
	}
	if err == nil {
		q.index, err = q.readIndex()
	}
	return err
}

// checkIndex compares index.json with the description.
func (q *sequence) checkIndex() error {
	sum := newSum()
	err := writeIndex(&sum, q.Images, len(q.Deltas))
	if err == nil && !sum.equal(q.index) {
		err = fmt.Errorf("%s: %w: it does not have the images of the set", ocispec.ImageIndexFile, content.ErrIntegrity)
	}
	return err
}

// isDescription reports whether a member is beside the layout.
func isDescription(name string) bool {
	return name == SetFile || name == sumsFile || slices.Contains(signatureFiles, name)
}

// header reads the next header, nil at the end.
func (q *sequence) header() (*tar.Header, error) {
	if h := q.next; h != nil {
		q.next = nil
		return h, nil
	}
	q.in.kept.Reset()
	q.in.recording = true
	h, err := q.tar.Next()
	q.in.recording = false
	raw := q.in.kept.Bytes()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, damaged("a header cannot be read: %w", err)
	}
	if len(raw) < q.padding || !isZero(raw[:q.padding]) {
		return nil, damaged("the padding of a file is not what was written")
	}
	raw = raw[q.padding:]
	q.padding = 0
	if err != nil {
		if len(raw) != 2*block || !isZero(raw) {
			return nil, damaged("it ends early")
		}
		q.size += 2 * block
		return nil, nil
	}
	want, err := headerOf(h.Name, h.Size)
	if err != nil || !bytes.Equal(want, raw) {
		return nil, damaged("the header of %q is not what was written", h.Name)
	}
	q.padding = int((block - h.Size%block) % block)
	if size := int64(len(raw)) + h.Size + int64(q.padding); isDescription(h.Name) {
		q.beside += size
	} else {
		q.headers.Write(raw)
		q.size += size
	}
	return h, nil
}

func isZero(p []byte) bool { return len(bytes.Trim(p, "\x00")) == 0 }

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{content.ErrIntegrity}, args...)...)
}

// open returns the size of the next file, which is to have this name.
func (q *sequence) open(name string, limit int64) (int64, error) {
	h, err := q.header()
	if err != nil {
		return 0, err
	}
	if h == nil || h.Name != name || h.Size > limit {
		return 0, damaged("%s is not where it should be", name)
	}
	return h.Size, nil
}

// readIndex reads index.json. Of many images it is too large to be kept, and what it has to be follows from the description.
func (q *sequence) readIndex() (contentSum, error) {
	sum := newSum()
	if _, err := q.open(ocispec.ImageIndexFile, MaxSetFile); err != nil {
		return sum, err
	}
	if _, err := io.Copy(&sum, q.tar); err != nil {
		return sum, damaged("%s: %w", ocispec.ImageIndexFile, err)
	}
	return sum, nil
}

// file reads a file of the description.
func (q *sequence) file(name string, limit int64) ([]byte, error) {
	size, err := q.open(name, limit)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, min(size+bytes.MinRead, 32*pieceSize))
	buffer := bytes.NewBuffer(data)
	if _, err := io.Copy(buffer, q.tar); err != nil {
		return nil, damaged("%s: %w", name, err)
	}
	return buffer.Bytes(), nil
}

// blob returns the next blob, whose bytes are to be read from q.tar, and false at the end, where all must
// have been what the ID of the set is of.
func (q *sequence) blob() (content.Descriptor, bool, error) {
	h, err := q.header()
	if err != nil {
		return content.Descriptor{}, false, err
	}
	if h == nil {
		return content.Descriptor{}, false, q.end()
	}
	algorithm, hex, ok := strings.Cut(strings.TrimPrefix(h.Name, ocispec.ImageBlobsDir+"/"), "/")
	d := digest.NewDigestFromEncoded(digest.Algorithm(algorithm), hex)
	if !ok || d.Validate() != nil || blobName(d) != h.Name {
		return content.Descriptor{}, false, damaged("there is a file %q", h.Name)
	}
	q.blobs++
	q.places.Add(d, q.size+q.beside-int64(q.padding)-h.Size, h.Size)
	return content.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: h.Size}, true, nil
}

// end checks what is known when all was read.
func (q *sequence) end() error {
	var one [1]byte
	if n, err := io.ReadFull(q.in, one[:]); n > 0 {
		return damaged("more bytes follow its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if err := writeIdentity(q.headers, q.Images, len(q.Deltas)); err != nil { // its index.json is equal to that of the tar
		return err
	}
	if id := digest.NewDigest(digest.SHA256, q.headers); id != q.ID || q.blobs != q.Blobs || q.size != q.Size {
		return damaged("its files are not those of the set")
	}
	return nil
}

// content reads a blob, verified at its end.
func (q *sequence) content(ctx context.Context, d content.Descriptor) io.Reader {
	return content.NewVerifyingReader(ctx, whole{q.tar}, d)
}

// whole reports a tar that ends inside of a file as damaged.
type whole struct{ r io.Reader }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = damaged("it ends early: %w", err)
	}
	return n, err
}

// skip reads a blob and compares it with its digest.
func (q *sequence) skip(ctx context.Context, d content.Descriptor) error {
	_, err := io.Copy(io.Discard, q.content(ctx, d))
	return err
}

// VerifyStream reads a set in one file once, to its end, and compares every byte with what an export writes. The error
// has a line for each blob that is damaged, and wraps [content.ErrIntegrity], or [ErrNoSet], or what
// opts.Verify returned.
func VerifyStream(ctx context.Context, r io.Reader, opts ReadOptions) (Set, error) {
	q, err := readSequence(r, nil, opts)
	if err != nil {
		return Set{}, err
	}
	var errs []error
	for {
		d, more, err := q.blob()
		if err != nil {
			return q.Set, errors.Join(append(errs, err)...)
		}
		if !more {
			return q.Set, errors.Join(errs...)
		}
		if err := q.skip(ctx, d); err != nil {
			errs = append(errs, err)
			if !errors.Is(err, content.ErrIntegrity) || errors.Is(err, io.ErrUnexpectedEOF) { // no more can be read
				return q.Set, errors.Join(errs...)
			}
		}
	}
}
