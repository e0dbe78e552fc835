package transfer

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Plan is what a copy to one destination would do. Its JSON form is stable:
// fields are only added.
type Plan struct {
	Digest       digest.Digest            `json:"digest"`                         // of the image or index
	MediaType    string                   `json:"mediaType"`                      // of the image or index
	Tags         []string                 `json:"tags"`                           // it would get
	SubsetOf     digest.Digest            `json:"subsetOf,omitempty"`             // as in [Result]
	Moved        map[string]digest.Digest `json:"moved,omitempty"`                // what tags name now, as in [Result]
	Foreign      []digest.Digest          `json:"foreignLayersLeftOut,omitempty"` // as in [Result]
	Blobs        int                      `json:"blobs"`                          // to be copied or mounted
	Bytes        int64                    `json:"bytes"`                          // in them
	BlobsSkipped int                      `json:"blobsSkipped"`                   // already present
	BytesSkipped int64                    `json:"bytesSkipped"`                   // in them
	Manifests    int                      `json:"manifests"`                      // to be written
	// Calls are the requests by operation, those for this plan included, as far as
	// the endpoints can tell them before: without those that have to be repeated. An
	// endpoint that decides during an upload how to send a blob counts the most.
	Calls map[string]int `json:"calls"`
}

// DestinationPlan is what [Preview] found out about one destination.
type DestinationPlan struct {
	Plan
	Err error // why the image would not arrive, or nil
}

// Preview finds out what [CopyAll] would do, and writes nothing. It asks
// Options.Verify as a copy does, and does not call Options.BeforeTags.
func Preview(ctx context.Context, src content.Source, dsts []Destination, opts Options) []DestinationPlan {
	opts = opts.withDefaults()
	opts.Progress = nil
	count := countRequests(src)
	deliveries := newDeliveries(ctx, dsts, opts)
	g := previewImage(ctx, src, deliveries, opts)
	planned := make([]DestinationPlan, len(deliveries))
	read := map[digest.Digest]bool{} // blobs of the source are read once
	var reads []content.Descriptor
	for i, t := range deliveries {
		var made Result
		made, planned[i].Err = t.finish(0)
		t.end()
		if dst, ok := t.Target.(content.RepositoryChecker); ok && planned[i].Err == nil {
			planned[i].Err = dst.CheckRepository()
		}
		if planned[i].Err != nil {
			continue
		}
		p := Plan{
			Digest: made.Digest, MediaType: made.MediaType, Tags: made.Tags, Moved: made.Moved, SubsetOf: made.SubsetOf, Foreign: made.Foreign, Calls: made.Calls,
			Blobs: made.BlobsSent, Bytes: made.BytesSent, BlobsSkipped: made.BlobsSkipped, BytesSkipped: made.BytesSkipped,
		}
		if !t.nothingToDo() {
			p.Manifests = len(g.Manifests) + len(g.referrers) + t.attachedWrites
			writes := p.Manifests - 1 + max(len(t.Tags), 1)
			if g.isStoredFirst(opts) && len(t.Tags) > 0 {
				writes++ // the image once without its tags
			}
			var missing []content.Descriptor
			for _, d := range g.Blobs {
				if !t.missing[d.Digest] {
					continue
				}
				missing = append(missing, d)
				if !read[d.Digest] {
					read[d.Digest] = true
					reads = append(reads, d)
				}
			}
			if dst, ok := t.Target.(content.WriteEstimator); ok {
				addCalls(p.Calls, dst.EstimateWrites(missing, writes))
			}
		}
		planned[i].Plan = p
	}
	if len(planned) == 0 {
		return planned
	}
	if first := planned[0]; first.Err == nil {
		made := Result{Calls: first.Calls}
		count.addTo(&made)
		if src, ok := src.(content.ReadEstimator); ok {
			addCalls(first.Calls, src.EstimateReads(reads, newCopier(nil, nil, opts).few(len(reads))))
		}
	}
	return planned
}

func addCalls(sum, calls map[string]int) {
	for op, n := range calls {
		sum[op] += n
	}
}

// previewImage is copyImage without anything that writes.
func previewImage(ctx context.Context, src content.Source, all []*delivery, opts Options) graph {
	g := resolve(ctx, src, all, opts)
	plan(g, all, opts)
	each(all, func(t *delivery) error {
		writes, err := t.mergeTags(g.attached)
		t.attachedWrites = len(writes)
		return err
	})
	return g
}

// nothingToDo reports whether the image was already present.
func (t *delivery) nothingToDo() bool { return errors.Is(context.Cause(t.ctx), errDone) }
