package transfer

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// BlobChecks asks which blobs a repository does not have for several images at once, where one request can name many, see
// [content.BatchBlobChecker]. It is for copies to one repository, one after the other: see [Destination].Checks. After a copy
// that failed, it asks again. [NewBlobChecks] makes one.
type BlobChecks struct {
	next  func(ctx context.Context) (blobs []content.Descriptor, ok bool)
	ahead []content.Descriptor   // of the next images, not asked for yet
	there map[digest.Digest]bool // what was answered, and what copies have stored since
}

// maxAnswers is how many answers are remembered. Layers that many images have are asked for again after so many.
const maxAnswers = 2000

// NewBlobChecks returns checks for images that are copied one after the other. next returns the blobs of an image that was not
// asked for yet and comes later, and false if there is none, or none is known yet.
func NewBlobChecks(next func(ctx context.Context) (blobs []content.Descriptor, ok bool)) *BlobChecks {
	return &BlobChecks{next: next, there: map[digest.Digest]bool{}}
}

// missing returns those of the blobs that target does not have. A nil c asks for these alone.
func (c *BlobChecks) missing(ctx context.Context, target content.Target, blobs []content.Descriptor) ([]content.Descriptor, error) {
	batch, ok := target.(content.BatchBlobChecker)
	if c == nil || !ok {
		return target.MissingBlobs(ctx, blobs)
	}
	if len(c.there) > maxAnswers {
		clear(c.there)
	}
	if ask := c.unknown(blobs); len(ask) > 0 {
		if left := len(ask) % batch.BlobsAtOnce(); left > 0 {
			ask = append(ask, c.take(ctx, ask, batch.BlobsAtOnce()-left)...)
		}
		missing, err := target.MissingBlobs(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, d := range ask {
			c.there[d.Digest] = true
		}
		for _, d := range missing {
			c.there[d.Digest] = false
		}
	}
	return slices.DeleteFunc(slices.Clone(blobs), func(d content.Descriptor) bool { return c.there[d.Digest] }), nil
}

// unknown returns the blobs that were not asked for yet.
func (c *BlobChecks) unknown(blobs []content.Descriptor) []content.Descriptor {
	return slices.DeleteFunc(slices.Clone(blobs), func(d content.Descriptor) bool {
		_, known := c.there[d.Digest]
		return known
	})
}

// take returns up to n blobs of the next images that are neither known nor in asked.
func (c *BlobChecks) take(ctx context.Context, asked []content.Descriptor, n int) []content.Descriptor {
	seen := map[digest.Digest]bool{}
	for _, d := range asked {
		seen[d.Digest] = true
	}
	var taken []content.Descriptor
	for len(taken) < n {
		if len(c.ahead) == 0 {
			blobs, ok := c.next(ctx)
			if !ok {
				break
			}
			c.ahead = c.unknown(blobs)
			continue
		}
		if d := c.ahead[0]; !seen[d.Digest] {
			seen[d.Digest] = true
			taken = append(taken, d)
		}
		c.ahead = c.ahead[1:]
	}
	return taken
}

// settle notes that a copy has stored these blobs, or that it failed: what was answered before may be wrong.
func (c *BlobChecks) settle(blobs []content.Descriptor, err error) {
	switch {
	case c == nil:
	case err != nil:
		clear(c.there)
	default:
		for _, d := range blobs {
			c.there[d.Digest] = true
		}
	}
}
