package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror/internal/manifestcache"
	"github.com/ecrkit/ecrkit/mirror/internal/memo"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// planner makes a plan. Each item of the configuration has its own places in the slices.
type planner struct {
	config       Config
	opener       Opener
	opts         Options
	repositories [][]Repository
	calls        []map[string]int
	sources      []*decided // made for the deal
	mine         []bool     // which items this shard does; nil is all

	mu   sync.Mutex
	room *memo.Room // for what is remembered of all sources
	read map[string]*memo.Repository
}

// rememberedBytes is how much of the manifests of sources a plan remembers for its copies, in bytes: those of several hundred
// images of many platforms.
const rememberedBytes = 16 << 20

// remembering returns the memory of a source of which each manifest is a request, which registries such as Docker Hub count; nil
// for others. It is the same for the same repository. tags are those that it has, if they are known.
func (p *planner) remembering(from string, src content.Source, tags map[string]bool) *memo.Repository {
	if _, counted := src.(content.DigestFinder); !counted {
		return nil
	}
	read := p.memory(from, src)
	if tags != nil {
		read.SetTags(tags)
	}
	return read
}

// memory is remembering for any source.
func (p *planner) memory(from string, src content.Source) *memo.Repository {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read == nil {
		p.read, p.room = map[string]*memo.Repository{}, memo.NewRoom(rememberedBytes)
	}
	if p.read[from] == nil {
		p.read[from] = memo.Empty(src, p.room, manifestcache.Dir(p.opts.ManifestDir).Of(from))
	}
	return p.read[from]
}

// images plans one item of the configuration for all destinations.
func (p *planner) images(ctx context.Context, i int) error {
	item := p.config.Images[i]
	platforms, err := item.platforms()
	if err != nil {
		return err // was checked
	}
	rules := p.config.ReferrersOf(item)
	filter, err := rules.Filter()
	if err != nil {
		return err // was checked
	}
	repositories := make([]Repository, len(p.config.Destinations))
	for k, destination := range p.config.Destinations {
		repositories[k] = Repository{From: item.From, To: destination + "/" + item.name(), platforms: platforms, referrers: !rules.None, filter: filter}
	}
	p.repositories[i] = repositories
	p.calls[i] = map[string]int{}
	var errs []error
	src, err := p.opener.Source(ctx, item.From)
	var source decidedSource
	if err == nil {
		source, err = p.selected(ctx, item, src, p.sources[i])
		p.sources[i] = nil
		repositories[0].Decisions = source.decisions
	}
	for k := range repositories {
		r := &repositories[k]
		repositoryErr := err
		if err == nil {
			repositoryErr = p.compare(ctx, item, src, source, r, p.calls[i])
		}
		if repositoryErr != nil {
			r.cause = repositoryErr
			r.Error, r.Images, r.Delete, r.Blobs, r.Bytes = repositoryErr.Error(), nil, nil, 0, 0
			errs = append(errs, &CopyError{r.From, r.To, repositoryErr})
		}
	}
	return errors.Join(errs...)
}

// decidedSource is a source with the decision about each of its tags.
type decidedSource struct {
	listing
	decisions []Decision
}

// decided is a [decidedSource] that was made for the deal, or why it could not be.
type decided struct {
	source decidedSource
	err    error
}

// decide lists the source and decides about its tags.
func (p *planner) decide(ctx context.Context, item ImageRules, src content.Source) (source decidedSource, err error) {
	if source.listing, err = list(ctx, src); err != nil {
		return source, err
	}
	if !source.exists {
		return source, fmt.Errorf("repository %s: %w", item.From, content.ErrNotFound)
	}
	source.read = p.remembering(item.From, src, source.names())
	if len(item.Digests) > 0 && item.Tags.IsZero() {
		return source, nil
	}
	source.decisions, err = item.Tags.Select(source.tags, p.opts.now())
	return source, err
}

// selected returns what was decided about the source, with the digests of the selected tags.
func (p *planner) selected(ctx context.Context, item ImageRules, src content.Source, known *decided) (source decidedSource, err error) {
	if known != nil {
		source, err = known.source, known.err
	} else {
		source, err = p.decide(ctx, item, src)
	}
	if err != nil {
		return source, err
	}
	var names []string
	for _, d := range source.decisions {
		if d.Selected {
			names = append(names, d.Tag)
		}
	}
	if err := source.find(ctx, src, names); err != nil {
		return source, err
	}
	if source.read != nil {
		source.read.Add(source.manifests)
	}
	for k, d := range source.decisions {
		source.decisions[k].Digest = source.digests[d.Tag]
	}
	return source, nil
}

// compare finds out what r misses of the selected images.
func (p *planner) compare(ctx context.Context, item ImageRules, src content.Source, source decidedSource, r *Repository, calls map[string]int) error {
	target, err := p.opener.Target(ctx, r.To)
	if err != nil {
		return err
	}
	there, err := list(ctx, target)
	if err != nil {
		return err
	}
	r.Create = !there.exists
	wanted, order := wanted(item, source.decisions)
	tags := slices.Concat(slices.Collect(maps.Values(wanted))...)
	if there.exists {
		if resolver, ok := target.(content.Resolver); ok {
			if err := there.find(ctx, resolver, tags); err != nil {
				return err
			}
		}
	}
	arrives := map[digest.Digest]digest.Digest{} // the digest at the destination
	for _, d := range order {
		arrives[d] = d
	}
	if len(r.platforms) > 0 {
		if err := p.choosePlatforms(ctx, src, &source.listing, r, order, arrives, source.trees.budget(src, len(order))); err != nil {
			return err
		}
	}
	if there.exists {
		p.addDrift(ctx, r)
	}
	if r.Create && p.config.Repositories.IsSet() {
		if r.Settings, _, err = p.settings(ctx, r); err != nil {
			return err
		}
	}
	occupied := occupiedTags{policy: p.config.Existing, target: target, there: &there}
	if err := occupied.prepare(ctx, order, wanted, arrives); err != nil {
		return err
	}
	for _, d := range order {
		image := newImage(d, arrives[d])
		for _, tag := range wanted[d] {
			change, equal := occupied.change(tag, arrives[d])
			if equal {
				r.Kept++
			} else {
				image.Tags = append(image.Tags, change)
			}
		}
		present := there.images != nil && there.images[arrives[d]].Digest != ""
		if len(image.Tags) > 0 || len(wanted[d]) == 0 && !present {
			r.Images = append(r.Images, image)
		}
	}
	if r.referrers {
		if err := p.addReferrers(ctx, src, &source.listing, target, &there, r, order, arrives); err != nil {
			return err
		}
	}
	if p.opts.Prune != nil {
		selected := kept{tags: occupied.names(order, wanted, arrives), images: slices.Collect(maps.Values(arrives))}
		arriving := func() (map[digest.Digest]content.ManifestContents, error) {
			return r.arriving(ctx, src, &source.listing, &there)
		}
		if err := p.prune(ctx, target, &there, r, selected, arriving); err != nil {
			return fmt.Errorf("what to delete: %w", err)
		}
	}
	return r.count(ctx, src, source.listing, target, calls)
}

// newImage is an image without changes yet; arrives is its digest at the destination.
func newImage(d, arrives digest.Digest) Image {
	image := Image{Digest: d, Tags: []TagChange{}}
	if arrives != d {
		image.Arrives = arrives
	}
	return image
}

// choosePlatforms finds out which digests the images have when only some platforms are copied. What is chosen of all of
// them is held in memory, so it is taken from b.
func (p *planner) choosePlatforms(ctx context.Context, src content.Source, source *listing, r *Repository, order []digest.Digest, arrives map[digest.Digest]digest.Digest, b *treeBudget) error {
	r.chosen = map[digest.Digest]chosen{}
	read := p.memory(r.From, src) // which an earlier process has filled: nothing is asked for again if nothing has changed
	for _, d := range order {
		contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: string(d), Platforms: r.platforms, Manifests: read})
		if err != nil {
			return fmt.Errorf("%s@%s: %w", r.From, d, err)
		}
		arrives[d] = contents.Root.Descriptor.Digest
		of := chosen{blobs: contents.Blobs}
		for _, m := range contents.Manifests {
			if err := b.take(m.Descriptor, d); err != nil {
				return err
			}
			of.manifests = append(of.manifests, m.Descriptor)
		}
		r.chosen[d] = of
		if index, ok := read.Remembered(d); ok {
			if source.manifests == nil {
				source.manifests = map[digest.Digest]content.Manifest{}
			}
			source.manifests[d] = index
		}
	}
	return nil
}

// chosen is what is copied of an image of which some platforms were chosen.
type chosen struct {
	blobs     []content.Descriptor
	manifests []content.Descriptor
}

// chosenBlobs returns the blobs of images, each once, and the number of their manifests.
func (r *Repository) chosenBlobs(roots []digest.Digest) (blobs []content.Descriptor, manifests int) {
	seen := map[digest.Digest]bool{}
	for _, d := range roots {
		manifests += len(r.chosen[d].manifests)
		for _, blob := range r.chosen[d].blobs {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				blobs = append(blobs, blob)
			}
		}
	}
	return blobs, manifests
}

// count finds out which blobs are missing at the destination.
func (r *Repository) count(ctx context.Context, src content.Source, source listing, target content.Target, calls map[string]int) error {
	var roots []digest.Digest
	for _, image := range r.Images {
		if image.Copies() {
			roots = append(roots, image.Digest)
		}
	}
	if len(roots) == 0 {
		r.Create, r.Settings = false, nil // nothing would come into it
		return nil
	}
	r.read = source.read
	if source.images != nil {
		r.listed = slices.AppendSeq([]content.Image{}, maps.Values(source.images))
	}
	var missing []content.Descriptor
	manifests := 0
	if len(r.platforms) > 0 {
		missing, manifests = r.chosenBlobs(roots)
	} else {
		if err := source.trees.read(ctx, source.reading(src), roots, source.manifests); err != nil {
			return err
		}
		missing, manifests = source.trees.blobs(roots)
	}
	if !r.Create {
		var err error
		if missing, err = target.MissingBlobs(ctx, missing); err != nil {
			return err
		}
	}
	r.Blobs, r.Bytes = len(missing), content.TotalSize(missing)
	if e, ok := src.(content.ReadEstimator); ok {
		addCalls(calls, e.EstimateReads(missing, 0))
	}
	if e, ok := target.(content.WriteEstimator); ok {
		r.writes = e.EstimateWrites(missing, manifests)
		addCalls(calls, r.writes)
	}
	return nil
}
