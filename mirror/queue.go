package mirror

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror/internal/manifestcache"
	"github.com/ecrkit/ecrkit/mirror/internal/memo"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// queue is what is to be copied from a source repository.
type queue struct {
	src       content.Source
	images    []digest.Digest // in their order
	next, end int             // images[next:end] were read into manifests, and are not copied yet
	manifests content.Source  // nil if they were not read
}

// imagesRead is for how many images of a repository manifests are read at once: as many as ECR returns for one request.
const imagesRead = 100

// readAhead reads the manifests of the next images, unless only some platforms of each are copied. If one of them cannot be read,
// each is read by itself, and the copy of that one says why.
func (q *queue) readAhead(ctx context.Context, r Repository) {
	q.end = min(q.next+imagesRead, len(q.images))
	images := q.images[q.next:q.end]
	if len(r.platforms) > 0 {
		images = nil
	}
	src := q.src
	if r.read != nil {
		src = r.read // the plan has them
	}
	q.manifests = nil
	if read, err := memo.New(ctx, src, r.listed, images, nil, manifestcache.Repository{}); err == nil {
		q.manifests = read
	}
}

// checks returns the checks of the blobs for a destination to which those of the images are copied that are in wanted.
func (q *queue) checks(r Repository, wanted map[digest.Digest]int, opts transfer.Options) *transfer.BlobChecks {
	at := 0
	return transfer.NewBlobChecks(func(ctx context.Context) ([]content.Descriptor, bool) {
		for at = max(at, q.next); at < q.end && q.manifests != nil; {
			image := q.images[at]
			at++
			if _, ok := wanted[image]; !ok {
				continue
			}
			contents, err := transfer.ReadContents(ctx, q.src, r.options(opts, image, q.manifests))
			return contents.Blobs, err == nil // an error is reported when the image is copied
		}
		return nil, false
	})
}

// copied returns where in r.Images the images are that are copied.
func (r Repository) copied() map[digest.Digest]int {
	places := map[digest.Digest]int{}
	for i, image := range r.Images {
		if _, ok := places[image.Digest]; !ok && image.Copies() {
			places[image.Digest] = i
		}
	}
	return places
}

// options returns how an image is copied to the repository. manifests is where its manifests are read, nil for the source.
func (r Repository) options(opts transfer.Options, image digest.Digest, manifests content.Source) transfer.Options {
	opts.Reference, opts.Manifests = string(image), manifests
	opts.Platforms, opts.Referrers, opts.ReferrerFilter = r.platforms, r.referrers, r.filter
	return opts
}
