package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// sampledImages and sampledChildren are how many images of a repository are read to find out which blobs
	// it shares with others, and how many of each index: two requests to Amazon ECR.
	sampledImages, sampledChildren = 8, 2
)

// dealOut decides which items of the configuration this shard does. With a saved plan it is what that would
// copy that counts, otherwise what the sources have: both are the same for all shards, while the destinations
// change as soon as one of them copies.
func (p *planner) dealOut(ctx context.Context, saved *Plan) (*Sharding, error) {
	shard := p.opts.Shard
	portions, err := p.portions(ctx, saved)
	if err != nil {
		return nil, fmt.Errorf("shard %s: the work cannot be divided: %w", shard, err)
	}
	dealt, sum := dealOut(portions, shard.Count)
	d := &Sharding{Shard: shard, Deal: sum}
	p.mine = make([]bool, len(portions))
	for i := range portions {
		d.All += len(portions[i].to)
		p.mine[i] = dealt[i] == shard.Index
		if !p.mine[i] {
			p.sources[i] = nil // not needed any more
		}
	}
	return d, nil
}

// isMine reports whether this shard does an item.
func (p *planner) isMine(i int) bool { return p.mine == nil || p.mine[i] }

// own returns the repositories of this shard.
func (p *planner) own(all [][]Repository) (own []Repository) {
	for i, repositories := range all {
		if p.isMine(i) {
			own = append(own, repositories...)
		}
	}
	return own
}

// portions returns what is known of each item of the configuration. An error of a source that may pass is an
// error: another shard that does not have it would deal in another way.
func (p *planner) portions(ctx context.Context, saved *Plan) ([]portion, error) {
	portions := make([]portion, len(p.config.Images))
	errs := make([]error, len(portions))
	var group errgroup.Group
	group.SetLimit(p.opts.atOnce())
	for i, item := range p.config.Images {
		portions[i] = portion{from: item.From}
		for _, destination := range p.config.Destinations {
			portions[i].to = append(portions[i].to, destination+"/"+item.name())
		}
		group.Go(func() error {
			if err := p.portion(ctx, i, saved, &portions[i]); err != nil {
				errs[i] = fmt.Errorf("%s: %w", item.From, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return portions, errors.Join(append(errs, ctx.Err())...)
}

// portion finds out what an item has: how many images, and the blobs of some.
func (p *planner) portion(ctx context.Context, i int, saved *Plan, into *portion) error {
	src, err := p.opener.Source(ctx, into.from)
	if err != nil {
		return err
	}
	var references []string
	if saved != nil {
		references = saved.copiedFrom(into.to)
	} else {
		source, err := p.decide(ctx, p.config.Images[i], src)
		p.sources[i] = &decided{source, err}
		if err != nil {
			return passing(err)
		}
		references = source.references(p.config.Images[i])
	}
	into.images = len(references)
	if read := p.remembering(into.from, src, nil); read != nil {
		src = read
	}
	return into.sample(ctx, src, references)
}

// passing returns an error that may be gone when it is tried again. Others are the same for every shard, and
// are reported by the one that has the repository.
func passing(err error) error {
	for _, lasting := range []error{content.ErrNotFound, content.ErrUnsupported, ErrTooFewTags, ErrConfig} {
		if errors.Is(err, lasting) {
			return nil
		}
	}
	return err
}

// copiedFrom returns the images that a plan would copy to any of some repositories.
func (p Plan) copiedFrom(to []string) (references []string) {
	seen := map[digest.Digest]bool{}
	for _, r := range p.Repositories {
		if !slices.Contains(to, r.To) {
			continue
		}
		for _, image := range r.Images {
			if image.Copies() && !seen[image.Digest] {
				seen[image.Digest] = true
				references = append(references, string(image.Digest))
			}
		}
	}
	return references
}

// references returns what names the selected images: digests where they are known, else tags.
func (s decidedSource) references(item ImageRules) (references []string) {
	seen := map[string]bool{}
	add := func(reference string) {
		if !seen[reference] {
			seen[reference] = true
			references = append(references, reference)
		}
	}
	for _, d := range s.decisions {
		switch known := s.digests[d.Tag]; {
		case !d.Selected:
		case known != "":
			add(string(known))
		default:
			add(d.Tag)
		}
	}
	for _, d := range item.Digests {
		add(string(d))
	}
	return references
}

// sample reads some images: always the same ones of the same references, and mostly the same ones when there
// is one more. What is gone in the meantime is left out.
func (p *portion) sample(ctx context.Context, src content.Source, references []string) error {
	keys := map[string]digest.Digest{}
	for _, reference := range references {
		keys[reference] = digest.FromString(reference)
	}
	references = slices.Clone(references)
	slices.SortFunc(references, func(a, b string) int { return cmp.Compare(keys[a], keys[b]) })
	_, batches := src.(content.BatchResolver)
	if !batches {
		references = references[:min(1, len(references))] // each is a request
	}
	references = references[:min(sampledImages, len(references))]
	roots, err := resolveSome(ctx, src, references)
	if err != nil {
		return passing(err)
	}
	p.blobs = map[digest.Digest]int64{}
	var children []content.Descriptor
	for _, m := range roots {
		c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
		if err != nil {
			continue // is reported by who copies it
		}
		p.sampled++
		p.add(c)
		most := sampledChildren
		if !batches {
			most = 1
		}
		children = append(children, c.Manifests[:min(most, len(c.Manifests))]...)
	}
	read, err := imagetree.ReadManifests(ctx, src, unique(children))
	if err != nil {
		return passing(err)
	}
	for _, m := range read {
		if c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType); err == nil {
			p.add(c)
		}
	}
	return nil
}

func (p *portion) add(c content.ManifestContents) {
	for _, blob := range c.Blobs {
		p.blobs[blob.Digest] = blob.Size
	}
}

// resolveSome reads the manifests of references.
func resolveSome(ctx context.Context, src content.Source, references []string) (found []content.Manifest, err error) {
	if all, ok := src.(content.BatchResolver); ok && len(references) > 0 {
		return all.ResolveAll(ctx, references)
	}
	for _, reference := range references {
		m, err := src.Resolve(ctx, reference)
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// unique returns descriptors, each digest once.
func unique(descriptors []content.Descriptor) (once []content.Descriptor) {
	seen := map[digest.Digest]bool{}
	for _, d := range descriptors {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			once = append(once, d)
		}
	}
	return once
}
