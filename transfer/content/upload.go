package content

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"
)

// BlobUploader is a [Target] to which a blob is uploaded in parts, and that may read
// the parts more than once.
type BlobUploader interface {
	// UploadBlob stores the blob d. It verifies what it reads against d.
	UploadBlob(ctx context.Context, d Descriptor, parts PartReader, u Upload) error
}

// PartReader reads a blob in parts, which are asked for in their order, or again from an
// earlier one on.
type PartReader interface {
	// Part prepares the n bytes from first on. It waits until there is memory for
	// them. The caller releases the part when it is not needed any more.
	Part(ctx context.Context, first, n int64) (Part, error)
}

// Part is a part of a blob.
type Part struct {
	// Load reads the part.
	Load func(ctx context.Context) (*io.SectionReader, error)
	// Release frees the memory of the part; nil frees none.
	Release func()
}

// Upload describes how one blob is uploaded. The zero value is over one connection, and nobody hears of it.
type Upload struct {
	// From is where the blob comes from: a registry may mount it from a repository of
	// its own.
	From Source
	// Connections is the most that one blob uses; 0 is 1.
	Connections int
	// Slots are the connections of all blobs of the copy; each request takes one. nil bounds nothing else.
	Slots ConnectionSlots
	// Note opens the note of an earlier upload of the blob. It returns nil if another
	// process has it; a nil Note is no note.
	Note func() (UploadNote, error)
	// Sent is called with bytes that were sent, negative if they are to be sent again.
	Sent func(n int64)
	// Resumed is called with bytes that an earlier process sent, negative if they turn
	// out to be wrong.
	Resumed func(n int64)
	// Mounted is called if the blob was mounted and no byte was sent.
	Mounted func()
}

// ConnectionSlots bound how many connections are in use at once. Acquire waits for n of them, and Release frees n.
type ConnectionSlots interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}

// UploadNote is what is remembered of the upload of one blob, for a later process that
// resumes it. No other process has it at the same time. It is a hint: that it cannot be
// written is no failure of the upload.
type UploadNote interface {
	// Upload returns what an earlier process noted: the ID of the upload ("" if there is
	// nothing), the size of its parts and how many bytes were acknowledged.
	Upload() (id string, partSize, acknowledged int64)
	// Begin notes a new upload in the place of an earlier one.
	Begin(id string, partSize int64) error
	// Acknowledge notes how many bytes the target has.
	Acknowledge(n int64) error
	// Close leaves the note for a later process.
	Close() error
	// Remove removes the note.
	Remove() error
}

// BlobStreamer is a [Target] that takes a blob while it arrives, before its size and digest
// are known.
type BlobStreamer interface {
	// StreamBlob begins a blob. ctx is that of the whole upload.
	StreamBlob(ctx context.Context, how StreamOptions) BlobStream
}

// StreamOptions describes how a blob goes to a target while it arrives.
type StreamOptions struct {
	// Connections is the most that one blob uses.
	Connections int
	// Memory returns a buffer of n bytes, and a function that frees it. It waits until there is
	// memory; nil bounds nothing.
	Memory func(ctx context.Context, n int64) (buffer []byte, release func(), err error)
}

// BlobStream is a blob on its way to a target. One goroutine at a time uses it.
type BlobStream interface {
	// Write takes what comes next. It waits while the target is slower than the bytes come.
	io.Writer
	// Commit stores what was written as the blob d. The error wraps [ErrIntegrity], and
	// nothing is stored, if it has another digest. It ends the stream.
	Commit(ctx context.Context, d digest.Digest) error
	// Abort ends the stream, unless it has ended. Nothing is stored.
	Abort()
}

// RegistryRepository is an endpoint that is one of the repositories of a registry.
type RegistryRepository interface {
	// Registry returns a name that the repositories of the same registry have in common: they may take blobs from each
	// other.
	Registry() string
}

// BlobSharer is a [Target] in a registry whose other repositories may take its blobs from it.
type BlobSharer interface {
	// SharesBlob reports whether, as far as that can be known before, other repositories of the registry get the blob d from
	// here, mounted or read, as soon as an image here names it.
	SharesBlob(ctx context.Context, d digest.Digest) bool
}

// BlobMounter is a [Target] that may take a blob from another repository of its registry.
type BlobMounter interface {
	// MountBlob reports whether the target has taken the blob d from another repository. A
	// registry that does not is no error.
	MountBlob(ctx context.Context, d digest.Digest, from Source) (bool, error)
}
