package content

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor names content by media type, digest and size in bytes.
type Descriptor = ocispec.Descriptor

// Manifest is an image manifest or an index: its exact bytes and their descriptor.
type Manifest struct {
	Descriptor Descriptor
	Content    []byte
}

// TaggedManifest is a manifest and one of its tags; Tag is "" if it has none.
type TaggedManifest struct {
	Manifest
	Tag string
}

// Source is an endpoint that can be copied from. Messages call it what String returns.
type Source interface {
	Resolver
	ManifestReader
	BlobReader
	fmt.Stringer
}

// SourceCloser is a [Source] that holds an open file or a temporary one.
type SourceCloser interface {
	Source
	io.Closer
}

// Target is an endpoint that can be copied to. Messages call it what String returns.
type Target interface {
	fmt.Stringer
	BlobChecker
	BlobWriter
	ManifestWriter
	Tagger
}

// Endpoint is an endpoint that can be copied from and to, so that what it holds can
// be edited.
type Endpoint interface {
	Source
	Target
}

// Resolver finds the manifest that a reference names.
type Resolver interface {
	// Resolve returns the manifest that reference, a tag or a digest, names in this
	// endpoint; "" is the only image there. The error wraps [ErrNotFound] if there
	// is none.
	Resolve(ctx context.Context, reference string) (Manifest, error)
}

// BatchResolver is a [Resolver] that resolves several references with fewer requests.
type BatchResolver interface {
	// ResolveAll returns the manifests of all references, none of which is "", in
	// their order.
	ResolveAll(ctx context.Context, references []string) ([]Manifest, error)
}

// ManifestReader reads manifests.
type ManifestReader interface {
	// Manifests returns the manifests of all descriptors, in their order. The caller
	// verifies them. The error wraps [ErrNotFound] if one is missing.
	Manifests(ctx context.Context, descriptors []Descriptor) ([]Manifest, error)
}

// BlobReader reads layers and configs.
type BlobReader interface {
	// Blob opens a blob at its first byte. The caller verifies and closes it. The
	// error wraps [ErrNotFound] if it is missing.
	Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error)
}

// BlobStatter reports the size of a blob.
type BlobStatter interface {
	// StatBlob returns the size of the layer or config with this digest, and its media
	// type where that is known. The error wraps [ErrNotFound] if it is missing.
	StatBlob(ctx context.Context, d digest.Digest) (Descriptor, error)
}

// FileReader is a [Source] that has a blob in a file, which several readers can read
// at once.
type FileReader interface {
	// BlobFile opens a blob for reading at any offset. The caller verifies and closes
	// it. The error wraps [ErrNotFound] if it is missing.
	BlobFile(ctx context.Context, d Descriptor) (BlobFile, error)
}

// PartialSource is a [Source] of images without some of their blobs, which repositories of the destination have.
type PartialSource interface {
	// HasBlob reports whether the blob d can be read here.
	HasBlob(d Descriptor) bool
}

// BlobFile is the content of a blob at any offset.
type BlobFile interface {
	io.ReaderAt
	io.Closer
}

// TagFinder is an endpoint that finds out which of many tags exist with few requests.
type TagFinder interface {
	// FindTags returns the manifests of those tags that exist, by tag. The caller
	// verifies them.
	FindTags(ctx context.Context, tags []string) (map[string]Manifest, error)
}

// DigestFinder is an endpoint that finds out what tags name without their manifests.
type DigestFinder interface {
	// FindDigests returns the digests of those of the tags that exist, by tag.
	FindDigests(ctx context.Context, tags []string) (map[string]digest.Digest, error)
}

// MutabilityReader is a [Target] that may keep tags at the image that they name first.
type MutabilityReader interface {
	// Mutability returns which tags can be moved to another image, with one request.
	Mutability(ctx context.Context) (Mutability, error)
}

// Mutability is which tags can be moved to another image. The zero value is all of them.
type Mutability struct {
	Immutable bool
	// Exclusions are patterns of tags to which the opposite applies; * is any number of characters.
	Exclusions []string
}

// TagReader is a [Target] on this machine that knows what its tags name, without a
// request.
type TagReader interface {
	// TagDigests returns the digest that each of the tags names which exist.
	TagDigests(ctx context.Context, tags []string) (map[string]digest.Digest, error)
}

// TagLister lists tags.
type TagLister interface {
	// Tags returns all tags, sorted.
	Tags(ctx context.Context) ([]string, error)
}

// ReferrerLister finds what was attached to a manifest afterwards: signatures,
// attestations, bills of materials.
type ReferrerLister interface {
	// Referrers returns the descriptors of the manifests whose subject has this
	// digest. No referrer is no error, and neither is a subject that is missing.
	Referrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error)
}

// ReferrerTagger is a [ReferrerLister] whose registry may not list referrers itself.
type ReferrerTagger interface {
	// ReferrersByTag reports whether Referrers found that clients keep the lists, under tags of the kind
	// [DigestTagReferrers]. It is false as long as that is not known.
	ReferrersByTag() bool
}

// TagAwareReferrerLister is a [ReferrerLister] that makes use of known tags.
type TagAwareReferrerLister interface {
	// ReferrersAmong is Referrers where all tags of the repository are known: a list that has no tag is not
	// requested. nil means that they are not known.
	ReferrersAmong(ctx context.Context, subject digest.Digest, tags map[string]bool) ([]Descriptor, error)
}

// ReferrersAmong asks lister with the tags of its repository, if it makes use of them; see [TagAwareReferrerLister].
func ReferrersAmong(ctx context.Context, lister ReferrerLister, subject digest.Digest, tags map[string]bool) ([]Descriptor, error) {
	if aware, ok := lister.(TagAwareReferrerLister); ok {
		return aware.ReferrersAmong(ctx, subject, tags)
	}
	return lister.Referrers(ctx, subject)
}

// BlobChecker reports which blobs are missing.
type BlobChecker interface {
	// MissingBlobs returns those of blobs that this endpoint does not have.
	MissingBlobs(ctx context.Context, blobs []Descriptor) ([]Descriptor, error)
}

// BatchBlobChecker is a [BlobChecker] that asks about many blobs with one request.
type BatchBlobChecker interface {
	BlobChecker
	// BlobsAtOnce returns about how many blobs MissingBlobs asks with one request.
	BlobsAtOnce() int
}

// BlobWriter stores layers and configs.
type BlobWriter interface {
	// PutBlob stores the content of d. It reads r to its end; an error of r, such as
	// [ErrIntegrity] at the end, means that nothing may be stored. A blob that is
	// already present is no error. It may be called concurrently.
	PutBlob(ctx context.Context, d Descriptor, r io.Reader) error
}

// ManifestWriter stores manifests.
type ManifestWriter interface {
	// PutManifest stores m under its digest. Everything that m names is already
	// present.
	PutManifest(ctx context.Context, m Manifest) error
}

// Tagger stores a manifest under a tag.
type Tagger interface {
	// PutTagged stores m under its digest, and then under the tag; "" stores it as an
	// image without a tag. The error wraps [ErrConflict] if the tag exists, names
	// another image and may not be moved.
	PutTagged(ctx context.Context, m Manifest, tag string) error
}

// TagSetter is a [Tagger] that knows whether a tag has changed.
type TagSetter interface {
	// SetTag is PutTagged, and reports whether the tag did not name m before.
	SetTag(ctx context.Context, m Manifest, tag string) (changed bool, err error)
}

// ImageChecker is a [Target] that can find out with one request that nothing is to be
// done.
type ImageChecker interface {
	// HasImage reports whether the manifest is present and has all the tags.
	HasImage(ctx context.Context, d Descriptor, tags []string) (bool, error)
}

// SingleImageTarget is a [Target] that takes one image, and no index.
type SingleImageTarget interface {
	// CheckImage returns why the target cannot take m, before anything is copied. The
	// error wraps [ErrUnsupported] or [ErrConflict].
	CheckImage(ctx context.Context, m Manifest) error
}

// LockedFileTarget is a [Target] that locks its file from the first call on until it is
// closed: two destinations of one copy must not have the same file.
type LockedFileTarget interface {
	// Path returns the path of the file; "" if there is none.
	Path() string
}

// Committer is a [Target] that writes its file when an image is complete.
type Committer interface {
	// Commit writes the file. It is the last call of a copy that succeeds.
	Commit(ctx context.Context) error
}

// RequestCounter is an endpoint that counts its requests.
type RequestCounter interface {
	// Requests returns how many requests were sent so far, by operation, and how many
	// of them were retries. Operations have the names of the local ECR's audit log:
	// that of the ECR API, or method and route such as
	// "PUT /v2/{name}/blobs/uploads/{uuid}".
	Requests() (calls map[string]int, retries int)
}

// WriteEstimator is a [Target] that knows which requests it would send.
type WriteEstimator interface {
	// EstimateWrites returns the number of requests, by operation, to store these
	// blobs and so many manifests. If it is decided during an upload how a blob is sent,
	// the estimate has the most requests.
	EstimateWrites(missing []Descriptor, manifests int) map[string]int
}

// WriteExpecter is a [WriteEstimator] that paces its requests. When many are to come, it finds out sooner whether the
// service allows more than usual.
type WriteExpecter interface {
	// ExpectWrites is called before the first of many images is written, with the number of requests for all of
	// them, by operation as EstimateWrites returns it.
	ExpectWrites(calls map[string]int)
}

// ReadEstimator is a [Source] that knows which requests it would send.
type ReadEstimator interface {
	// EstimateReads returns the number of requests, by operation, to read these blobs
	// over so many connections each.
	EstimateReads(missing []Descriptor, connections int) map[string]int
}

// RepositoryChecker is a [Target] that may find out, while blobs are checked, that it
// does not exist itself.
type RepositoryChecker interface {
	// CheckRepository returns why nothing can be written, without a request. The error
	// wraps [ErrNotFound].
	CheckRepository() error
}
