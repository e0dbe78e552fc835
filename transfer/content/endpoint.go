package content

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// slots bound how many connections are in use at once.
type slots interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}

// tagFinder is an endpoint that finds out at once which of many tags are there.
type TagFinder interface {
	// findTags gives what those of the tags name that are there, by tag. The caller
	// verifies it.
	FindTags(ctx context.Context, tags []string) (map[string]Manifest, error)
}

// taggedManifest is a manifest and the tag by which it was asked for, or "".
type TaggedManifest struct {
	Manifest
	Tag string
}

// uploads say how layers are uploaded in one copy.
type Upload struct {
	From        Source                     // where the content comes from: a blob can be mounted from a neighbour
	Connections int                        // for one layer
	Slots       slots                      // the connections of all layers
	Note        func() (UploadNote, error) // opens the note of an earlier upload of the blob, nil if another process has it; nil is none
	Sent        func(n int64)              // is told of bytes sent, and of bytes to be sent again
	Resumed     func(n int64)              // is told of bytes that an earlier process sent
	Mounted     func()                     // is told that the blob was mounted and no byte was sent
}

// Descriptor names content by media type, digest and size in bytes.
type Descriptor = ocispec.Descriptor

// Manifest is an image manifest or an index, as its exact bytes and the
// descriptor of them.
type Manifest struct {
	Descriptor Descriptor
	Content    []byte
}

// Resolver finds what a reference names.
type Resolver interface {
	// Resolve gives the manifest that reference, a tag or a digest, names in
	// this endpoint; "" is the only image there. The error wraps [ErrNotFound]
	// if there is none.
	Resolve(ctx context.Context, reference string) (Manifest, error)
}

// ManifestReader reads manifests.
type ManifestReader interface {
	// Manifests gives the manifests of all descriptors, in their order. The
	// caller verifies them. The error wraps [ErrNotFound] if one is not there.
	Manifests(ctx context.Context, descriptors []Descriptor) ([]Manifest, error)
}

// BlobReader reads layers and configs.
type BlobReader interface {
	// Blob opens a blob from its first byte on. The caller verifies and closes
	// it. The error wraps [ErrNotFound] if it is not there.
	Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error)
}

// rangeReader is a [Source] that can read one blob over several connections.
type RangeReader interface {
	// Ranges prepares reading ranges of a blob; what it returns may be called
	// concurrently. Its error or that of the opener wraps [ErrNotFound] if the blob is
	// not there; that of the opener wraps [errNoRanges] if there is only the whole blob.
	Ranges(ctx context.Context, d Descriptor) (ranges.Opener, error)
}

// fileReader is a [Source] that has a blob in a file, of which several readers
// read at once.
type FileReader interface {
	// BlobFile opens a blob for reading anywhere. The caller verifies and closes it.
	// The error wraps [ErrNotFound] if it is not there.
	BlobFile(ctx context.Context, d Descriptor) (BlobFile, error)
}

// BlobFile is the content of a blob at any offset.
type BlobFile interface {
	io.ReaderAt
	io.Closer
}

// ReferrerLister finds what was attached to a manifest afterwards: signatures,
// attestations, bills of materials.
type ReferrerLister interface {
	// Referrers gives the manifests whose subject is the one with this digest;
	// none is no error, also in an endpoint without that manifest.
	Referrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error)
}

// TagLister lists tags.
type TagLister interface {
	// Tags gives all tags, sorted.
	Tags(ctx context.Context) ([]string, error)
}

// Source is what can be copied from. Its String names it in messages.
type Source interface {
	Resolver
	ManifestReader
	BlobReader
	fmt.Stringer
}

// BlobChecker knows which blobs are there.
type BlobChecker interface {
	// MissingBlobs gives those of blobs that this endpoint does not have.
	MissingBlobs(ctx context.Context, blobs []Descriptor) ([]Descriptor, error)
}

// BlobWriter takes layers and configs.
type BlobWriter interface {
	// PutBlob stores the content of d. It reads r to its end; an error from r,
	// such as [ErrIntegrity] at the end, means that nothing may be stored. A
	// blob that is there already is no error. It may be called concurrently.
	PutBlob(ctx context.Context, d Descriptor, r io.Reader) error
}

// fileWriter is a [Target] that has a blob in a file of its own, which can be
// written at any offset and gone on with by a later process.
type FileWriter interface {
	// PutBlobFile stores the content of d that fill writes to f. An error from
	// fill means that nothing may be stored. It may be called concurrently.
	PutBlobFile(ctx context.Context, d Descriptor, fill func(f ranges.File) error) error
}

// layerWriter is a [Target] to which a blob is uploaded, and that may read its
// content in parts and more than once.
type BlobUploader interface {
	// PutLayer stores the blob. It verifies what it reads against d.
	UploadBlob(ctx context.Context, d Descriptor, content PartReader, u Upload) error
}

// UploadNote is what is remembered of the upload of one blob, for a later process
// that resumes it. No other process has it at the same time. It is a hint: that it
// cannot be written is no failure of the upload.
type UploadNote interface {
	// Upload returns what an earlier process noted: the ID of the upload ("" if
	// there is nothing), the size of its parts and how many bytes were acknowledged.
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

// imageChecker is a [Target] that can tell with one request whether there is
// nothing to do.
type ImageChecker interface {
	// HasImage tells whether the manifest is there and has all the tags.
	HasImage(ctx context.Context, d Descriptor, tags []string) (bool, error)
}

// batchResolver is a [Resolver] that finds several images at once.
type BatchResolver interface {
	// resolveAll is Resolve for all references, none of which is "", in their order.
	ResolveAll(ctx context.Context, references []string) ([]Manifest, error)
}

// tagSetter is a [Tagger] that can tell whether there was anything to do.
type TagSetter interface {
	SetTag(ctx context.Context, m Manifest, tag string) (changed bool, err error)
}

// committer is a [Target] that writes its file when all of an image is there.
type Committer interface {
	Commit(ctx context.Context) error
}

// requestCounter is an endpoint that counts its requests.
type RequestCounter interface {
	// Requests gives what was sent so far: by operation, as the audit log of the
	// local ECR names them, and how many of all were sent again after a failure.
	Requests() (calls map[string]int, retries int)
}

// ManifestWriter takes manifests that an index names.
type ManifestWriter interface {
	// PutManifest stores m under its digest. All that m names is there before.
	PutManifest(ctx context.Context, m Manifest) error
}

// Tagger takes the manifest that was asked for.
type Tagger interface {
	// PutTagged stores m under its digest and gives it the tag; with "" it is
	// stored as an image without a tag. The error wraps [ErrConflict] if the
	// tag exists, names another image and may not be moved.
	PutTagged(ctx context.Context, m Manifest, tag string) error
}

// Target is what can be copied to. Its String names it in messages.
type Target interface {
	fmt.Stringer
	BlobChecker
	BlobWriter
	ManifestWriter
	Tagger
}

// Endpoint is what can be copied from and to, so that what is there can be edited.
type Endpoint interface {
	Source
	Target
}

// layerContent is the content of a blob by parts, which are asked for in their
// order, also from an earlier one on again.
type PartReader interface {
	// Part prepares the n bytes from first on. It waits until there is memory
	// for them. The part is released once it is not needed any more.
	Part(ctx context.Context, first, n int64) (Part, error)
}

// layerPart is a part of a blob.
type Part struct {
	// load reads the part, if it is not in a file.
	Load    func(ctx context.Context) (*io.SectionReader, error)
	Release func()
}

// defaultPartSize is how a blob is cut where nobody proposes a size, in bytes.
const DefaultPartSize = 10 << 20

// imageTarget is a [Target] that takes one image, and no index.
type SingleImageTarget interface {
	// CheckImage tells why the target cannot take what was asked for, before
	// anything is copied. The error wraps [ErrUnsupported] or [ErrConflict].
	CheckImage(ctx context.Context, m Manifest) error
}

// writeEstimator is a [Target] that knows which requests it would send.
type WriteEstimator interface {
	// EstimateWrites gives them for these blobs and so many manifests, by operation.
	EstimateWrites(missing []Descriptor, manifests int) map[string]int
}

// readEstimator is a [Source] that knows which requests it would send.
type ReadEstimator interface {
	// EstimateReads gives them for these blobs, by operation.
	EstimateReads(missing []Descriptor, connections int) map[string]int
}

// repositoryChecker is a [Target] that can tell, after it was asked what is there,
// that it is not there itself.
type RepositoryChecker interface {
	CheckRepository() error
}

// SourceCloser is a [Source] that holds something.
type SourceCloser interface {
	Source
	io.Closer
}
