package ecr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/journal"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// newSmallPartsWorld is a world whose local ECR asks for the smallest parts that Amazon ECR
// takes, which has less to hash and to send than the usual size.
func newSmallPartsWorld(t *testing.T, o localecr.Options) *world {
	t.Helper()
	limits := localecr.DefaultLimits()
	limits.PartSize = minPartSize
	o.Limits = &limits
	return newWorld(t, o)
}

// largeBlob is a blob of three of the smallest parts, and more than [content.DefaultPartSize].
func largeBlob() ([]byte, content.Descriptor) {
	data := randomBytes(2*minPartSize + 5)
	return data, content.Descriptor{MediaType: "x/y", Digest: digest.FromBytes(data), Size: int64(len(data))}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

// how are uploads whose progress is added up.
func (w *world) how(dir string, sent, resumed *atomic.Int64) content.Upload {
	return content.Upload{
		Connections: 8, Slots: semaphore.NewWeighted(16),
		Note: func() (content.UploadNote, error) {
			entry, err := journal.Dir(filepath.Join(dir, "uploads")).Open("layer")
			if entry == nil {
				return nil, err
			}
			return entry, nil
		},
		Sent: func(n int64) { sent.Add(n) }, Resumed: func(n int64) { resumed.Add(n) }, Mounted: func() {},
	}
}

// TestUploadFaults has single requests of an upload fail: the layer gets there, no
// byte is sent twice that Amazon ECR had taken, and what is told of it adds up.
func TestUploadFaults(t *testing.T) {
	t.Parallel()
	none, some := int64(0), int64(4_000_000)
	tests := map[string]struct {
		fault localecr.Fault
		parts int // that are sent at most
	}{
		"clean":                          {localecr.Fault{}, 3},
		"an answer to a part got lost":   {localecr.Fault{Op: "UploadLayerPart", Nth: 2, ResetResponseAfter: &none}, 4},
		"a connection broke":             {localecr.Fault{Op: "UploadLayerPart", Nth: 2, ResetRequestAfter: &some}, 4},
		"two connections broke":          {localecr.Fault{Op: "UploadLayerPart", Count: 2, ResetRequestAfter: &some}, 5},
		"the answer to the end got lost": {localecr.Fault{Op: "CompleteLayerUpload", ResetResponseAfter: &none}, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newSmallPartsWorld(t, localecr.Options{})
			data, d := largeBlob()
			if tt.fault.Op != "" {
				fixture.Check(t, w.Server.SetFaults(tt.fault))
			}
			var sent, resumed atomic.Int64
			dir := t.TempDir()
			file := &countedFile{r: bytes.NewReader(data)}
			fixture.Check(t, w.repository("app").UploadBlob(fixture.Context(t), d, parts.File{File: file}, w.how(dir, &sent, &resumed)))
			// Once for the signature, and once to be sent.
			if most := 2*d.Size + int64(tt.parts-3)*minPartSize; file.read.Load() > most {
				t.Errorf("%d bytes of the file were read, want at most %d", file.read.Load(), most)
			}
			if n := w.Calls.Count("UploadLayerPart"); n > tt.parts {
				t.Errorf("%d parts were sent, want %d", n, tt.parts)
			}
			if n := w.Calls.Count("InitiateLayerUpload"); n != 1 {
				t.Errorf("%d uploads were begun", n)
			}
			if sent.Load() != d.Size || resumed.Load() != 0 {
				t.Errorf("told of %d bytes sent and %d resumed, of %d", sent.Load(), resumed.Load(), d.Size)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "uploads", "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// countedFile counts the bytes that are read from it.
type countedFile struct {
	r    io.ReaderAt
	read atomic.Int64
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.r.ReadAt(p, off)
	f.read.Add(int64(n))
	return n, err
}

// TestUploadKeepsMemory ends an upload while its parts are sent and hashed: none of
// them may be read after its memory was given back.
func TestUploadKeepsMemory(t *testing.T) {
	t.Parallel()
	for _, reads := range []int64{5, 100, 400, 900} {
		w := newSmallPartsWorld(t, localecr.Options{})
		content, d := largeBlob()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &watchedContent{content: content, t: t, left: reads, end: cancel}
		var sent, resumed atomic.Int64
		if err := w.repository("app").UploadBlob(ctx, d, c, w.how(t.TempDir(), &sent, &resumed)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if c.parts.Load() != 0 {
			t.Errorf("%d parts have not given their memory back", c.parts.Load())
		}
	}
}

// watchedContent calls end after some reads, and knows which of its parts are in use.
type watchedContent struct {
	content []byte
	t       *testing.T
	left    int64
	reads   atomic.Int64
	parts   atomic.Int64
	end     func()
}

func (c *watchedContent) Part(_ context.Context, first, n int64) (content.Part, error) {
	c.parts.Add(1)
	p := &watchedPart{c: c, ReaderAt: bytes.NewReader(c.content[first : first+n])}
	return content.Part{
		Load: func(context.Context) (*io.SectionReader, error) { return io.NewSectionReader(p, 0, n), nil },
		Release: func() {
			if p.released.Swap(true) {
				c.t.Error("a part was given back twice")
			}
			c.parts.Add(-1)
		},
	}, nil
}

type watchedPart struct {
	io.ReaderAt
	c        *watchedContent
	released atomic.Bool
}

func (p *watchedPart) ReadAt(b []byte, off int64) (int, error) {
	if p.c.reads.Add(1) == p.c.left {
		p.c.end()
	}
	time.Sleep(time.Millisecond / 4) // so that hashing takes a while
	n, err := p.ReaderAt.ReadAt(b, off)
	if p.released.Load() {
		p.c.t.Error("a part was read after it was given back")
	}
	return n, err
}

// A state directory that cannot be written is no reason not to push.
func TestUploadWithoutNote(t *testing.T) {
	t.Parallel()
	w := newSmallPartsWorld(t, localecr.Options{})
	data, d := largeBlob()
	var sent, resumed atomic.Int64
	file := filepath.Join(t.TempDir(), "file")
	fixture.WriteTestFile(t, file, "")
	fixture.Check(t, w.repository("app").UploadBlob(fixture.Context(t), d, parts.File{File: bytes.NewReader(data)}, w.how(file, &sent, &resumed)))
}

// TestUploadWrongFile sends a file with another digest than its descriptor: Amazon
// ECR refuses it, and the error says that it is the file that is wrong. Another
// upload is not begun, also where an earlier process had begun this one.
func TestUploadWrongFile(t *testing.T) {
	t.Parallel()
	for name, resumed := range map[string]bool{"new": false, "resumed": true} {
		t.Run(name, func(t *testing.T) {
			w := newSmallPartsWorld(t, localecr.Options{})
			data, d := largeBlob()
			data[0] ^= 1
			dir := t.TempDir()
			how := w.how(dir, new(atomic.Int64), new(atomic.Int64))
			e := w.repository("app")
			want := map[string]int{"InitiateLayerUpload": 1, "UploadLayerPart": 3, "CompleteLayerUpload": 1}
			if resumed { // one part more asks what has been received
				beginUpload(t, e, how)
				want = map[string]int{"UploadLayerPart": 4, "CompleteLayerUpload": 1}
			}
			w.Calls.Reset()
			err := e.UploadBlob(fixture.Context(t), d, parts.File{File: bytes.NewReader(data)}, how)
			var wrong *content.SourceError
			if !errors.As(err, &wrong) || !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), "the bytes of blob "+string(d.Digest)+" have another digest") {
				t.Errorf("got %v", err)
			}
			w.ExpectCalls(want)
			if left, err := filepath.Glob(filepath.Join(dir, "uploads", "*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// beginUpload begins an upload as an earlier process may have done.
func beginUpload(t *testing.T, e *Repository, how content.Upload) (id string) {
	t.Helper()
	out, err := e.api.InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: &e.repository})
	fixture.Check(t, err)
	entry, err := how.Note()
	fixture.Check(t, err)
	fixture.Check(t, entry.Begin(*out.UploadId, minPartSize))
	fixture.Check(t, entry.Close())
	return *out.UploadId
}

// TestUploadOtherBeginning resumes an upload whose first bytes, from an earlier
// process, are others than those of the file: the file is right and is sent whole.
func TestUploadOtherBeginning(t *testing.T) {
	t.Parallel()
	w := newSmallPartsWorld(t, localecr.Options{})
	data, d := largeBlob()
	var sent, resumed atomic.Int64
	how := w.how(t.TempDir(), &sent, &resumed)
	e := w.repository("app")
	id := beginUpload(t, e, how)
	_, err := e.api.UploadLayerPart(t.Context(), &ecr.UploadLayerPartInput{
		RepositoryName: &e.repository, UploadId: &id, LayerPartBlob: make([]byte, minPartSize),
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(minPartSize - 1),
	})
	fixture.Check(t, err)
	fixture.Check(t, e.UploadBlob(fixture.Context(t), d, parts.File{File: bytes.NewReader(data)}, how))
	if sent.Load() != d.Size || resumed.Load() != 0 {
		t.Errorf("told of %d bytes sent and %d resumed, of %d", sent.Load(), resumed.Load(), d.Size)
	}
}
