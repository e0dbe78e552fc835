package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrReferrersMissing reports that an image arrived without all that refers to it at the source.
var ErrReferrersMissing = errors.New("referrers of the image are missing at the destination")

// ReferrerCount is how many manifests refer to an image and to its platforms, or belong to them by a tag, and so on,
// at the source, and how many of these the destination has after the copy. What the configuration leaves out does not
// count.
type ReferrerCount struct {
	Source      int `json:"source"`
	Destination int `json:"destination"`
}

// addReferrers adds the images of which the destination misses signatures and the like, and notes what each image
// has at the source.
func (p *planner) addReferrers(ctx context.Context, src content.Source, source *listing, target content.Target, there *listing, r *Repository, order []digest.Digest, arrives map[digest.Digest]digest.Digest) error {
	if _, ok := src.(content.ReferrerLister); !ok && source.images == nil {
		return nil // the copy of an image says so
	}
	places := make(map[digest.Digest]int, len(r.Images))
	for i, image := range r.Images {
		places[image.Digest] = i
	}
	order = slices.DeleteFunc(slices.Clone(order), func(d digest.Digest) bool {
		at, changes := places[d]
		return changes && !r.Images[at].Copies() // its tags are left to another image
	})
	subjects, err := source.subjects(ctx, src, target, there, r, order, arrives)
	if err != nil {
		return err
	}
	by, err := source.attachments(ctx, src, there, flatten(order, subjects), r.filter)
	if err != nil || len(by) == 0 {
		return err
	}
	r.attached = map[digest.Digest][]attachment{}
	var all []attachment
	for _, d := range order {
		if found := source.reachable(by, subjects[d]); len(found) > 0 {
			r.attached[d] = found
			all = append(all, found...)
		}
	}
	missing, err := there.missing(ctx, source.reading(src), target, all)
	if err != nil {
		return err
	}
	if err := r.dropUnrelated(ctx, src, source, missing); err != nil {
		return err
	}
	for _, d := range order {
		n, byType := 0, map[string]int{}
		for _, a := range r.attached[d] {
			if missing[a] {
				n++
				byType[cmp.Or(a.label, "unknown")]++
			}
		}
		if n == 0 {
			continue
		}
		at, changes := places[d]
		if !changes {
			at = len(r.Images)
			r.Images = append(r.Images, newImage(d, arrives[d]))
		}
		r.Images[at].Referrers, r.Images[at].ReferrerTypes = n, byType
	}
	return nil
}

// dropUnrelated drops what a list of the source names without right: it does not refer to the subject, so no copy takes
// it along.
func (r *Repository) dropUnrelated(ctx context.Context, src content.Source, source *listing, missing map[attachment]bool) error {
	if source.images != nil {
		return nil // the registry made the list
	}
	wrong := map[attachment]bool{}
	for a, isMissing := range missing {
		if !isMissing || a.tag != "" {
			continue
		}
		m, err := source.reading(src).Resolve(ctx, string(a.digest))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			continue // the copy of the image says so
		}
		if _, subject, err := content.ReferrerOf(m); err == nil && subject != a.subject {
			wrong[a] = true
		}
	}
	for d, all := range r.attached {
		r.attached[d] = slices.DeleteFunc(all, func(a attachment) bool { return wrong[a] })
	}
	return nil
}

// flatten returns the subjects of all roots, each once.
func flatten(roots []digest.Digest, subjects map[digest.Digest][]digest.Digest) (all []digest.Digest) {
	seen := map[digest.Digest]bool{}
	for _, root := range roots {
		for _, d := range subjects[root] {
			if !seen[d] {
				seen[d] = true
				all = append(all, d)
			}
		}
	}
	return all
}

// reachable returns what belongs to the subjects, to that and its images, and so on, each once.
func (l *listing) reachable(by map[digest.Digest][]attachment, subjects []digest.Digest) (all []attachment) {
	seen := map[digest.Digest]bool{}
	for next := slices.Clone(subjects); len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		for _, a := range by[next[0]] {
			all = append(all, a)
			next = append(next, l.indexes.under(a.digest)...)
		}
	}
	return all
}

// subjects returns of each image the manifests to which something may refer that is copied with it: its own, and those
// of its platforms. Indexes are read only if their platforms may matter.
func (l *listing) subjects(ctx context.Context, src content.Source, target content.Target, there *listing, r *Repository, order []digest.Digest, arrives map[digest.Digest]digest.Digest) (map[digest.Digest][]digest.Digest, error) {
	subjects := map[digest.Digest][]digest.Digest{}
	direct := map[digest.Digest]bool{}
	for _, d := range order {
		subjects[d] = []digest.Digest{d}
		direct[d] = true
	}
	if len(r.platforms) == 0 {
		all, err := l.refersTo(ctx, src, order)
		if err != nil {
			return nil, err
		}
		if all != nil && !slices.ContainsFunc(all, func(subject digest.Digest) bool { return !direct[subject] }) {
			return subjects, nil
		}
	}
	l.readAtTarget(ctx, target, there, order, arrives)
	if err := l.indexes.read(ctx, l.reading(src), order, l.manifests); err != nil {
		return nil, err
	}
	for _, d := range order {
		switch {
		case arrives[d] == d:
			subjects[d] = l.indexes.under(d)
		case slices.Contains(l.indexes.under(d), arrives[d]):
			subjects[d] = l.indexes.under(arrives[d]) // one platform
		default:
			subjects[d] = nil // an index of some platforms has nothing that refers to it yet
		}
	}
	return subjects, nil
}

// readAtTarget reads the indexes of a source that counts requests at the target, as far as Amazon ECR has them there: nothing is
// pulled from the source then if nothing has changed. What cannot be read there is read at the source.
func (l *listing) readAtTarget(ctx context.Context, target content.Target, there *listing, order []digest.Digest, arrives map[digest.Digest]digest.Digest) {
	reader, ok := target.(content.Source)
	if l.read == nil || there.images == nil || !ok {
		return
	}
	var indexes []digest.Digest
	for _, d := range order {
		switch image := there.images[d]; {
		case image.MediaType == "" || arrives[d] != d:
		case content.IsIndex(image.MediaType):
			indexes = append(indexes, d)
		default:
			l.indexes.contents[d] = content.ManifestContents{MediaType: image.MediaType}
		}
	}
	if there.indexes.read(ctx, reader, indexes, nil) == nil {
		maps.Copy(l.indexes.contents, there.indexes.contents)
	}
}

// refersTo returns to what something in the repository may refer; nil if only the registry knows.
func (l *listing) refersTo(ctx context.Context, src content.Source, order []digest.Digest) (subjects []digest.Digest, err error) {
	if l.images == nil {
		if len(order) > 0 && !l.listsByTag(src) {
			if _, err := l.lists(ctx, src, order[:1]); err != nil {
				return nil, err
			}
		}
		if !l.listsByTag(src) {
			return nil, nil
		}
	}
	subjects = []digest.Digest{}
	for _, image := range l.images {
		if image.Subject != "" {
			subjects = append(subjects, image.Subject)
		}
	}
	for _, tag := range l.tags {
		if subject, _, ok := content.ParseDigestTag(tag.Name); ok {
			subjects = append(subjects, subject)
		}
	}
	return subjects, nil
}

// compareReferrers counts at the destination what was attached to the images that were copied, and notes it in done.
// An image that lacks some has an error, which wraps [ErrReferrersMissing].
func (r *Repository) compareReferrers(ctx context.Context, src content.Source, target content.Target, done []*ImageResult) error {
	var all []attachment
	for _, image := range done {
		all = append(all, r.attached[image.image]...)
	}
	if len(all) == 0 {
		return nil
	}
	there, err := list(ctx, target)
	if err != nil {
		return err
	}
	missing, err := there.missing(ctx, src, target, all)
	if err != nil {
		return err
	}
	for _, image := range done {
		attached := r.attached[image.image]
		if len(attached) == 0 {
			continue
		}
		lost := slices.DeleteFunc(slices.Clone(attached), func(a attachment) bool { return !missing[a] })
		image.Referrers = &ReferrerCount{Source: len(attached), Destination: len(attached) - len(lost)}
		if len(lost) > 0 {
			image.Err = fmt.Errorf("%w: %d of %d, such as %s (%s)", ErrReferrersMissing, len(lost), len(attached), lost[0].digest, lost[0].label)
		}
	}
	return nil
}
