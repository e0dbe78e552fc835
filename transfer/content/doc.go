// Package content is the contract between the engine of package transfer and the
// endpoints that it copies between: a [Source] is read, a [Target] is written, an
// [Endpoint] is both.
//
// A source needs three methods: resolve a reference, read manifests, read a blob from
// its beginning. A target needs four: report which blobs are missing, take a blob,
// take a manifest, take a manifest with a tag. Everything else is an interface of one
// method, which makes an endpoint faster or safer when it has it:
//
//   - [RangeReader] reads one blob over several connections, [FileReader] at any offset.
//   - [FileWriter] writes a blob at any offset, and resumes one that an earlier process
//     left; [BlobUploader] takes a blob in parts, and resumes with an [UploadNote].
//   - [BatchResolver], [BatchBlobChecker], [TagFinder] and [ImageChecker] save requests.
//   - [ReadEstimator] and [WriteEstimator] let a preview report requests;
//     [RequestCounter] lets a result do so.
//   - [ReferrerLister] finds signatures and attestations, [TagLister] and
//     [ImageLister] list, [Deleter] deletes.
//   - [SingleImageTarget] and [Committer] are for targets that are one file.
//
// The package also decodes and verifies what every endpoint has: one manifest or index, a
// platform, a list of referrers. It makes no network requests and opens no files.
//
// Errors wrap [ErrNotFound], [ErrIntegrity], [ErrConflict] or [ErrUnsupported] where one of them
// applies.
package content
