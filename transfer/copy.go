package transfer

import (
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Options describe what is copied and how. The zero value copies the only image of
// the source and sets no tag.
type Options struct {
	// Reference is the tag or digest of the image in the source; "" is the
	// only image there.
	Reference string
	// Tags are the names that the image gets in the target of [Copy].
	Tags []string
	// Digest is what the image must have, if not "".
	Digest digest.Digest
	// Platforms are those of which the images are copied; none is all. One
	// platform of an index is its image, with its digest; several are an index of
	// only these, with another digest than that of the source unless it has no others.
	Platforms []content.Platform
	// KeepDigest makes it an error, which wraps [content.ErrUnsupported], if Platforms ask
	// for an index with another digest.
	KeepDigest bool
	// KeepTags makes it an error, which wraps [content.ErrTagKept], if a tag of a
	// destination that is a [content.TagReader] names another image. Nothing is copied
	// to that destination then.
	KeepTags bool
	// Referrers copies what is attached to the image and its parts too: signatures,
	// attestations, bills of materials, which have it as their subject or a tag made
	// of its digest, see [content.ParseDigestTag]. They arrive after their subject and before
	// the tags. To signatures that a destination has by such a tag those of the
	// source are added; what is no list of signatures there is [content.ErrConflict].
	Referrers bool
	// ReferrerFilter, if not nil, is asked of which types a referrer must be to be copied, and with it what refers
	// to that. The type of what has a subject is its artifact type, or else the media type of its config; what
	// belongs to an image by a tag and is an image itself, as signatures of cosign are, has the media types
	// of its layers.
	ReferrerFilter func(types []string) bool
	// Verify, if not nil, is asked when it is known which image is copied, before
	// anything is written anywhere, and by [Preview] too; an error of it is that of
	// every destination. resolved is what Reference names; chosen is what is copied:
	// another manifest if a platform was chosen. Both have the digests that their
	// descriptors say.
	Verify func(ctx context.Context, resolved, chosen content.Manifest) error
	// BeforeTags, if not nil, is called once for each destination, at the same time
	// for several, when the image and all that it names and that refers to it is
	// stored there by digest and before it gets a tag; also if all was there before,
	// its tags too, and if no tag is asked for. dst is its Target: a repository or a
	// layout is an [content.Endpoint], a file that is written at the end is not, and
	// a docker engine is not. After an error the destination gets no tag, and a
	// file or an engine nothing.
	BeforeTags func(ctx context.Context, dst content.Target, image content.Manifest) error
	// Foreign lets non-distributable layers be copied. It reads those that the source
	// does not have, from the URLs of their descriptors. nil leaves them out
	// ([Result.Foreign]); if one has no URL, the error wraps [content.ErrForeign].
	Foreign content.BlobReader
	// Local, if not nil, has blobs on this machine. One whose file has the right bytes is read there instead of from the
	// source.
	Local content.FileReader
	// Layers is how many blobs of more than one part move at once; 0 means 4.
	Layers int
	// Connections is over how many connections one blob moves where the
	// endpoint can do that; 0 means 8, or four for each processor if that is less.
	Connections int
	// AllConnections is over how many connections all blobs move; 0 means 16. There
	// are fewer for a while after requests had to be retried.
	AllConnections int
	// Memory is for parts of blobs that are in no file. Copies at the same time can share it; nil is 80 MiB
	// for this copy.
	Memory *PartMemory
	// Shared, if not nil, has a blob that several of the copies with the same value need in one registry sent there once.
	// Destinations of [CopyAll] in the same registry are served one after the other then.
	Shared *SharedBlobs
	// JournalDir is the directory where uploads that have begun and images that
	// have been pushed are noted, so that a later copy resumes the ones and
	// asks first for the others; "" means none.
	JournalDir string
	// TempDir is the directory for blobs that go to several destinations and are in
	// no file of the source; "" is os.TempDir.
	TempDir string
	// Manifests, if not nil, is asked for manifests, tags and referrers instead of the source: it is the same repository,
	// with a memory say. Blobs come from the source.
	Manifests content.Source
	// Progress receives the events of the copy, concurrently; nil: nobody.
	Progress func(content.Event)
	// Now is the clock for Result.Seconds; nil is time.Now.
	Now func() time.Time

	root     *content.Manifest // copied instead of what Reference names
	unlisted bool              // an index names the image, which is not to be found by itself
}

// Destination is where an image is to go and what it is to be called there.
type Destination struct {
	Target content.Target
	Tags   []string      // none stores the image without a tag
	Digest digest.Digest // what the image must have, if not ""
	// Checks, if not nil, is shared by copies to the same repository, one after the other: it asks for blobs of several of
	// them at once.
	Checks *BlobChecks
}

// Result is what a copy to one destination did. Its JSON form is stable: fields
// are only added. Config and layers count as blobs, each once however often it
// is named; manifests are counted nowhere.
type Result struct {
	Digest    digest.Digest `json:"digest"`    // of the image or index
	MediaType string        `json:"mediaType"` // of the image or index
	// ManifestSize is that of the image or index itself, in bytes.
	ManifestSize int64 `json:"manifestSize"`
	// Config is the digest of the config of an image, which docker calls its ID; "" of an index.
	Config digest.Digest `json:"config,omitempty"`
	Tags   []string      `json:"tags"` // it has in the target now; [] if none was asked for
	// SubsetOf is the index of which the copied one has some of the images, or is one. What refers to
	// that index, its signatures say, is not copied.
	SubsetOf digest.Digest `json:"subsetOf,omitempty"`
	// Moved is what tags named before in a destination that is a [content.TagReader].
	Moved        map[string]digest.Digest `json:"moved,omitempty"`
	BlobsSent    int                      `json:"blobsSent"`    // copied
	BlobsSkipped int                      `json:"blobsSkipped"` // there before
	BlobsMounted int                      `json:"blobsMounted"` // taken from another repository of the registry
	BytesSent    int64                    `json:"bytesSent"`    // in the blobs copied
	BytesResumed int64                    `json:"bytesResumed"` // in the blobs copied, sent by an earlier copy
	BytesSkipped int64                    `json:"bytesSkipped"` // in the blobs there before
	BytesMounted int64                    `json:"bytesMounted"` // in the blobs mounted
	// Foreign are the non-distributable layers that were left out: they are only at their URLs.
	Foreign []digest.Digest `json:"foreignLayersLeftOut,omitempty"`
	// Calls are the requests to both sides by operation: the name of an operation
	// of the ECR API, or method and route such as "PUT /v2/{name}/blobs/uploads/{uuid}".
	// Those to the source of several destinations are in the first result.
	Calls   map[string]int `json:"calls"`
	Retries int            `json:"retries"` // requests among them that were retried
	Seconds float64        `json:"seconds"` // the whole copy took
}

// DestinationResult is what became of one destination of [CopyAll].
type DestinationResult struct {
	// Result is what was done. Beside an error it is empty, unless that is a [TagsError]:
	// then its Tags are those that were set.
	Result
	Err error // why the image did not arrive or some of its tags are missing, or nil
}

// TagsError reports which of several tags of a destination were not set. The others
// were: [DestinationResult].Tags.
type TagsError struct {
	Failed []TagFailure // in the order of Destination.Tags
}

// TagFailure is a tag that was not set.
type TagFailure struct {
	Tag string
	Err error
}

func (e *TagsError) Error() string { return errors.Join(e.Unwrap()...).Error() }

// Unwrap returns the error of each tag.
func (e *TagsError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// Copy copies an image or index from src to dst with everything that it names:
// blobs before the manifests that name them, children before their index, the
// tags last. What dst has already is not sent again. After an error dst has
// no part of the image under its tags.
//
// The error wraps [content.ErrNotFound], [content.ErrIntegrity], [content.ErrConflict] or
// [content.ErrUnsupported] where one of them applies.
func Copy(ctx context.Context, src content.Source, dst content.Target, opts Options) (Result, error) {
	copied := CopyAll(ctx, src, []Destination{{Target: dst, Tags: opts.Tags, Digest: opts.Digest}}, opts)
	return copied[0].Result, copied[0].Err
}

// CopyEntry is [Copy] of a manifest that an index in dst is to name: it is stored by
// its digest and gets no tag. Of opts what says how blobs move counts.
func CopyEntry(ctx context.Context, src content.Source, dst content.Target, entry content.Manifest, opts Options) (Result, error) {
	opts.Reference, opts.Tags, opts.Digest, opts.Platforms, opts.Referrers = "", nil, "", nil, false
	opts.BeforeTags = nil // an entry gets no tag
	opts.root, opts.unlisted = &entry, true
	return Copy(ctx, src, dst, opts)
}

// CopyAll is [Copy] to several destinations at once; Tags and Digest of opts do
// not count. Every byte of the source is read once. A destination that fails
// does not keep the others from getting the image. The results are in the order
// of dsts.
func CopyAll(ctx context.Context, src content.Source, dsts []Destination, opts Options) []DestinationResult {
	opts = opts.withDefaults()
	start := opts.Now()
	count := countRequests(src)
	deliveries := newDeliveries(ctx, dsts, opts)
	g := copyImage(ctx, src, deliveries, opts)
	copied := make([]DestinationResult, len(deliveries))
	for i, t := range deliveries {
		result, err := t.finish(opts.Now().Sub(start))
		t.Checks.settle(t.all, err)
		err = explain(ctx, opts.manifestsOf(src), g, err)
		t.end()
		if i == 0 {
			count.addTo(&result)
		}
		if some := new(*TagsError); err != nil && (!errors.As(err, some) || len(result.Tags) == 0) {
			result = Result{}
		}
		copied[i] = DestinationResult{result, err}
	}
	return copied
}

// copyImage is one copy from top to bottom. Each delivery has its error afterwards.
func copyImage(ctx context.Context, src content.Source, all []*delivery, opts Options) graph {
	g := resolve(ctx, src, all, opts)
	for _, some := range opts.Shared.rounds(src, all) {
		plan(g, some, opts)
		opts.Shared.claim(src, some)
		sendBlobs(ctx, src, g, some, opts)
		publish(g, some, opts)
		opts.Shared.settle(some)
	}
	remember(g, all, opts)
	return g
}

// withDefaults returns the options with a clock.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// manifestsOf returns who is asked for what is not a blob of src.
func (o Options) manifestsOf(src content.Source) content.Source {
	if o.Manifests != nil {
		return o.Manifests
	}
	return src
}

// requestCount is what an endpoint had counted at some time.
type requestCount struct {
	counter content.RequestCounter // nil if the endpoint counts nothing
	calls   map[string]int
	retries int
}

func countRequests(endpoint any) requestCount {
	counter, ok := endpoint.(content.RequestCounter)
	if !ok {
		return requestCount{}
	}
	calls, retries := counter.Requests()
	return requestCount{counter, calls, retries}
}

// addTo adds what has been counted since.
func (c requestCount) addTo(r *Result) {
	if c.counter == nil {
		return
	}
	calls, retries := c.counter.Requests()
	for op, n := range calls {
		if n > c.calls[op] {
			r.Calls[op] += n - c.calls[op]
		}
	}
	r.Retries += retries - c.retries
}

// errDone ends a delivery that has nothing to do.
var errDone = errors.New("the image is there already")
