package transfer

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
)

// Options say what [Copy] copies and how. The zero value copies the only image
// of the source and gives it no tag.
type Options struct {
	// Reference is the tag or digest of the image in the source; "" is the
	// only image there.
	Reference string
	// Tags are the names that the image gets in the target.
	Tags []string
	// Digest is what the image must have, if not "".
	Digest digest.Digest
	// Platforms are those of which the images are copied; none is all. One
	// platform of an index is its image, with its digest; several are an index of
	// only these, with another digest than that of the source unless it has no others.
	Platforms []Platform
	// KeepDigest makes it an error, which wraps [ErrUnsupported], if Platforms ask
	// for an index with another digest.
	KeepDigest bool
	// Layers is how many blobs of more than one part move at once; 0 means 4.
	Layers int
	// Connections is over how many connections one blob moves where the
	// endpoints can do that; 0 means 8. All blobs have 16 together.
	Connections int
	// JournalDir is the directory where uploads that have begun are noted, so that
	// a later copy goes on with them; "" is none.
	JournalDir string
	// Progress is told what the copy does, concurrently; nil is nobody.
	Progress func(Event)
	// Now is the clock for Result.Seconds; nil is time.Now.
	Now func() time.Time
}

// Result is what [Copy] did. Its JSON form is stable: fields are only added.
// Config and layers count as blobs, each once however often it is named;
// manifests are counted nowhere.
type Result struct {
	Digest       digest.Digest `json:"digest"`       // of the image or index
	MediaType    string        `json:"mediaType"`    // of the image or index
	Tags         []string      `json:"tags"`         // it has in the target now; [] if none was asked for
	BlobsSent    int           `json:"blobsSent"`    // copied
	BlobsSkipped int           `json:"blobsSkipped"` // there before
	BytesSent    int64         `json:"bytesSent"`    // in the blobs copied
	BytesResumed int64         `json:"bytesResumed"` // in the blobs copied, sent by an earlier copy
	BytesSkipped int64         `json:"bytesSkipped"` // in the blobs there before
	Seconds      float64       `json:"seconds"`      // the whole copy took
}

// Copy copies an image or index from src to dst with everything that it names:
// blobs before the manifests that name them, children before their index, the
// tags last. What dst has already is not sent again. After an error dst has
// no part of the image under its tags.
//
// The error wraps [ErrNotFound], [ErrIntegrity], [ErrConflict] or
// [ErrUnsupported] where one of them applies.
func Copy(ctx context.Context, src Source, dst Target, opts Options) (Result, error) {
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	start := now()
	root, err := resolve(ctx, src, opts)
	if err != nil {
		return Result{}, err
	}
	g, err := readGraph(ctx, src, root)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", src, err)
	}
	missing, err := dst.MissingBlobs(ctx, g.blobs)
	if err != nil {
		return Result{}, err
	}
	c := newCopier(src, dst, opts)
	if err := c.blobs(ctx, missing); err != nil {
		return Result{}, err
	}
	root, children := g.manifests[len(g.manifests)-1], g.manifests[:len(g.manifests)-1]
	for _, m := range children {
		if err := dst.PutManifest(ctx, m); err != nil {
			return Result{}, err
		}
	}
	if err := putTagged(ctx, dst, root, opts.Tags); err != nil {
		return Result{}, err
	}
	result := Result{
		Digest:       root.Descriptor.Digest,
		MediaType:    root.Descriptor.MediaType,
		Tags:         append([]string{}, opts.Tags...),
		BlobsSent:    len(missing),
		BlobsSkipped: len(g.blobs) - len(missing),
		BytesSent:    totalSize(missing) - c.resumed.Load(),
		BytesResumed: c.resumed.Load(),
		BytesSkipped: totalSize(g.blobs) - totalSize(missing),
		Seconds:      now().Sub(start).Seconds(),
	}
	return result, nil
}

// resolve gives the verified manifest that opts ask for.
func resolve(ctx context.Context, src Source, opts Options) (Manifest, error) {
	root, err := src.Resolve(ctx, opts.Reference)
	if err != nil {
		return Manifest{}, err
	}
	if err := checkDescriptor(root.Descriptor); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", src, err)
	}
	if err := verifyManifest(root, root.Descriptor); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", src, err)
	}
	got := root.Descriptor.Digest
	if asked, err := digest.Parse(opts.Reference); err == nil && asked != got {
		return Manifest{}, fmt.Errorf("%s: %w: asked for %s, got %s", src, ErrIntegrity, asked, got)
	}
	if root, err = selectPlatforms(ctx, src, root, opts.Platforms, opts.KeepDigest); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", src, err)
	}
	if got = root.Descriptor.Digest; opts.Digest != "" && opts.Digest != got {
		return Manifest{}, fmt.Errorf("%s: %w: the image is %s, but the destination names %s", src, ErrIntegrity, got, opts.Digest)
	}
	return root, nil
}

func putTagged(ctx context.Context, dst Tagger, root Manifest, tags []string) error {
	if len(tags) == 0 {
		tags = []string{""}
	}
	for _, tag := range tags {
		if err := dst.PutTagged(ctx, root, tag); err != nil {
			return err
		}
	}
	return nil
}

func totalSize(blobs []Descriptor) (sum int64) {
	for _, d := range blobs {
		sum += d.Size
	}
	return sum
}

// readAll reads at most limit bytes; more is an error.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: longer than %d bytes", ErrIntegrity, limit)
	}
	return data, err
}
