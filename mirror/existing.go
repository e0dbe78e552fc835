package mirror

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/wildcard"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// occupiedTags decides what becomes of tags that name other images at a destination.
type occupiedTags struct {
	policy     ExistingTags
	target     content.Target
	there      *listing
	mutability content.Mutability
}

// prepare asks what is needed for the decisions, and nothing if no tag names another image.
func (o *occupiedTags) prepare(ctx context.Context, order []digest.Digest, wanted map[digest.Digest][]string, arrives map[digest.Digest]digest.Digest) error {
	var others []string
	for _, d := range order {
		for _, tag := range wanted[d] {
			if have := o.there.digests[tag]; have != "" && have != arrives[d] {
				others = append(others, retagged(tag, arrives[d]))
			}
		}
	}
	if len(others) == 0 {
		return nil
	}
	switch o.policy {
	case Retag:
		if resolver, ok := o.target.(content.Resolver); ok {
			return o.there.find(ctx, resolver, others)
		}
	case "", Overwrite:
		if reader, ok := o.target.(content.MutabilityReader); ok {
			var err error
			o.mutability, err = reader.Mutability(ctx)
			return err
		}
	}
	return nil
}

// change returns what becomes of a tag that is to name an image; equal reports whether it does already.
func (o *occupiedTags) change(tag string, image digest.Digest) (change TagChange, equal bool) {
	change = TagChange{Tag: tag, Action: AddTag, Previous: o.there.digests[tag]}
	switch {
	case change.Previous == image:
		return change, true
	case change.Previous == "":
		return change, false
	}
	switch o.policy {
	case Skip:
		change.Action = LeaveTag
	case Refuse:
		change.Action = Conflict
	case Retag:
		instead := TagChange{Tag: retagged(tag, image), Action: AddTag, Instead: tag}
		instead.Previous = o.there.digests[instead.Tag]
		switch {
		case instead.Previous == image:
			return instead, true
		case instead.Previous != "" || !content.IsTag(instead.Tag):
			change.Action = Conflict
			return change, false
		}
		return instead, false
	default:
		change.Action = MoveTag
		if isImmutable(o.mutability, tag) {
			change.Action, change.Immutable = Conflict, true
		}
	}
	return change, false
}

// names returns the tags that the selected images have at the destination, or will have.
func (o *occupiedTags) names(order []digest.Digest, wanted map[digest.Digest][]string, arrives map[digest.Digest]digest.Digest) map[string]bool {
	names := map[string]bool{}
	for _, d := range order {
		for _, tag := range wanted[d] {
			names[tag] = true
			if o.policy == Retag {
				names[retagged(tag, arrives[d])] = true
			}
		}
	}
	return names
}

// retagged is the tag that an image gets in place of one that names another image: TAG-HEX, with the
// first 12 digits of its digest.
func retagged(tag string, d digest.Digest) string {
	return tag + "-" + d.Encoded()[:min(12, len(d.Encoded()))]
}

// isImmutable reports whether a tag cannot be moved.
func isImmutable(m content.Mutability, tag string) bool {
	for _, pattern := range m.Exclusions {
		if wildcard.Match(pattern, tag) {
			return !m.Immutable
		}
	}
	return m.Immutable
}
