package mirror

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// SelectedRepository are the images of one repository that a configuration selects.
type SelectedRepository struct {
	From      string // HOST/REPOSITORY
	Name      string // repository under a destination
	Images    []SelectedImage
	Platforms []content.Platform
	Referrers bool
	// ReferrerFilter reports whether a referrer of these types is selected; nil selects all.
	ReferrerFilter func(types []string) bool
	Decisions      []Decision
	// Listed are all images of the repository; nil if it lists only tags.
	Listed []content.Image
	// TagNames are all tags of the repository, if it lists only tags.
	TagNames map[string]bool
}

// SelectedImage is an image with the tags by which it was selected; none if it was by its digest.
type SelectedImage struct {
	Digest digest.Digest
	Tags   []string
}

// Select finds out which images a configuration selects, in the order of its repositories. Destinations
// do not count. A repository that cannot be read does not keep the others from being read: the error is
// about all such.
func Select(ctx context.Context, c Config, o Opener, opts Options) ([]SelectedRepository, error) {
	if o == nil {
		return nil, errNoOpener
	}
	if err := errors.Join(c.imageProblems()...); err != nil {
		return nil, err
	}
	c, err := c.expandRepositories(ctx, o)
	if err != nil {
		return nil, err
	}
	p := planner{config: c, opener: o, opts: opts}
	all := make([]SelectedRepository, len(c.Images))
	errs := make([]error, len(c.Images))
	var group errgroup.Group
	group.SetLimit(opts.atOnce())
	for i := range c.Images {
		group.Go(func() error {
			if all[i], errs[i] = p.choose(ctx, c.Images[i]); errs[i] != nil {
				errs[i] = &CopyError{From: c.Images[i].From, Err: errs[i]}
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return all, errors.Join(append(errs, ctx.Err())...)
}

// choose selects the images of one item of the configuration.
func (p *planner) choose(ctx context.Context, item ImageRules) (SelectedRepository, error) {
	platforms, err := item.platforms()
	if err != nil {
		return SelectedRepository{}, err
	}
	rules := p.config.ReferrersOf(item)
	filter, err := rules.Filter()
	if err != nil {
		return SelectedRepository{}, err
	}
	s := SelectedRepository{From: item.From, Name: item.name(), Platforms: platforms, Referrers: !rules.None, ReferrerFilter: filter}
	src, err := p.opener.Source(ctx, item.From)
	if err != nil {
		return s, err
	}
	source, err := p.selected(ctx, item, src, nil)
	if err != nil {
		return s, err
	}
	if source.images != nil {
		s.Listed = slices.AppendSeq([]content.Image{}, maps.Values(source.images))
	} else {
		s.TagNames = source.names()
	}
	s.Decisions = source.decisions
	tags, order := wanted(item, source.decisions)
	for _, d := range order {
		s.Images = append(s.Images, SelectedImage{Digest: d, Tags: tags[d]})
	}
	return s, nil
}

// wanted returns the selected images in the order of their first tag, and the tags of each.
func wanted(item ImageRules, decisions []Decision) (tags map[digest.Digest][]string, order []digest.Digest) {
	tags = map[digest.Digest][]string{}
	for _, d := range decisions {
		if !d.Selected || d.Digest == "" { // deleted since it was listed
			continue
		}
		if _, known := tags[d.Digest]; !known {
			order = append(order, d.Digest)
		}
		tags[d.Digest] = append(tags[d.Digest], d.Tag)
	}
	for _, d := range item.Digests {
		if _, known := tags[d]; !known {
			order = append(order, d)
			tags[d] = nil
		}
	}
	return tags, order
}
