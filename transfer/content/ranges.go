package content

import (
	"context"
	"io"
)

// RangeReader is a [Source] that can read one blob over several connections.
type RangeReader interface {
	// Ranges prepares to read ranges of a blob; the opener may be called concurrently.
	// Its error or that of the opener wraps [ErrNotFound] if the blob is missing;
	// that of the opener wraps [ErrNoRanges] if there is only the whole blob.
	Ranges(ctx context.Context, d Descriptor) (RangeOpener, error)
}

// RangeOpener opens the n bytes of a blob from first on. What it returns may end early,
// with or without an error: the rest is then asked for again, unless the error is
// [Permanent].
type RangeOpener func(ctx context.Context, first, n int64) (io.ReadCloser, error)

// Permanent marks an error that a retry cannot fix.
func Permanent(err error) error { return &permanentError{err} }

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// Permanent has the retries of the engine and of the endpoints end.
func (e *permanentError) Permanent() bool { return true }

// FileWriter is a [Target] that has a blob in a file of its own, which can be written at
// any offset and resumed by a later process.
type FileWriter interface {
	// PutBlobFile stores the content of d that fill writes to f. An error of fill
	// means that nothing may be stored. It may be called concurrently.
	PutBlobFile(ctx context.Context, d Descriptor, fill func(f PartialFile) error) error
}

// PartialFile is the file of a blob that is being written, possibly by several
// processes one after the other.
type PartialFile interface {
	io.ReaderAt
	io.WriterAt
	// Done returns what the file has already: spans in their order that do not
	// overlap.
	Done() []Span
	// AddDone notes that the file has a span now. It is called concurrently.
	AddDone(s Span) error
}

// Span is a part of a blob: Length bytes from First on.
type Span struct{ First, Length int64 }

// End is the first byte after the span.
func (s Span) End() int64 { return s.First + s.Length }
