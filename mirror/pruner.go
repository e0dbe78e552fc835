package mirror

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// kept are the tags and images that a configuration selects for a destination.
type kept struct {
	tags   map[string]bool
	images []digest.Digest
}

// prune finds out what r has beside the selected images and what is protected. What it cannot find out is
// an error: nothing is deleted on a guess. arriving returns the indexes that the copies bring, see [Repository.arriving].
func (p *planner) prune(ctx context.Context, target content.Target, there *listing, r *Repository, selected kept, arriving func() (map[digest.Digest]content.ManifestContents, error)) error {
	if r.Create {
		return nil
	}
	src, readable := target.(content.Source)
	if _, ok := target.(content.Deleter); !ok || !readable || there.images == nil {
		return fmt.Errorf("%s does not list all its images: %w", r.To, content.ErrUnsupported)
	}
	if len(selected.images) == 0 {
		return fmt.Errorf("%w: everything in %s would be deleted", ErrTooFewTags, r.To)
	}
	s := pruner{images: r.afterMoves(there.images), rules: p.config.Prune, now: p.opts.now(), kept: map[digest.Digest]bool{}, keptTags: map[string]bool{}}
	if err := s.protect(r.To, selected, p.config.Prune, p.opts.Prune.InUse); err != nil {
		return err
	}
	for _, image := range there.images {
		r.Present += max(1, len(image.Tags))
	}
	if !s.mayDelete() {
		return nil
	}
	var indexes []digest.Digest
	for d, image := range there.images {
		if content.IsIndex(image.MediaType) || image.MediaType == "" {
			indexes = append(indexes, d)
		}
	}
	slices.Sort(indexes)
	if err := there.trees.read(ctx, src, indexes, nil); err != nil {
		return err
	}
	s.contents = maps.Clone(there.trees.contents)
	brought, err := arriving()
	if err != nil {
		return err
	}
	for d, c := range brought {
		s.roots = append(s.roots, d) // those below others too, which do not exist yet
		if _, read := s.contents[d]; !read {
			s.contents[d] = c
		}
	}
	s.link()
	r.Delete = s.deletions()
	return nil
}

// arriving returns what the images name that will be copied, and what belongs to all of them: an image that the destination
// has without need of it is needed once its index is there.
func (r *Repository) arriving(ctx context.Context, src content.Source, source, there *listing) (map[digest.Digest]content.ManifestContents, error) {
	brought := map[digest.Digest]content.ManifestContents{}
	var roots []digest.Digest
	for _, image := range r.Images {
		_, present := there.images[image.AtDestination()]
		switch {
		case present || !image.Copies():
		case r.chosen != nil:
			brought[image.AtDestination()] = content.ManifestContents{Manifests: r.chosen[image.Digest].manifests}
		default:
			roots = append(roots, image.Digest)
		}
	}
	for _, attached := range r.attached {
		for _, a := range attached {
			for _, d := range source.indexes.under(a.digest) {
				brought[d] = source.indexes.contents[d]
			}
		}
	}
	if len(roots) == 0 {
		return brought, nil
	}
	if err := source.trees.read(ctx, source.reading(src), roots, source.manifests); err != nil {
		return nil, err
	}
	for _, root := range roots {
		for _, d := range source.trees.under(root) {
			brought[d] = source.trees.contents[d]
		}
	}
	return brought, nil
}

// afterMoves returns the images without the tags that will be moved to others.
func (r *Repository) afterMoves(images map[digest.Digest]content.Image) map[digest.Digest]content.Image {
	moved := map[string]bool{}
	for _, image := range r.Images {
		for _, t := range image.Tags {
			moved[t.Tag] = t.Action == MoveTag
		}
	}
	images = maps.Clone(images)
	for d, image := range images {
		image.Tags = slices.DeleteFunc(slices.Clone(image.Tags), func(tag string) bool { return moved[tag] })
		images[d] = image
	}
	return images
}

// pruner finds out what of a repository is deleted.
type pruner struct {
	images   map[digest.Digest]content.Image // as they will be after the copies
	contents map[digest.Digest]content.ManifestContents
	rules    PruneRules
	now      time.Time
	kept     map[digest.Digest]bool // with all that belongs to it
	keptTags map[string]bool
	roots    []digest.Digest
	belongs  map[digest.Digest][]digest.Digest // what an image needs or has attached
	subjects [][2]digest.Digest                // an image, and what it refers to
}

// protect notes which tags and images stay.
func (s *pruner) protect(repository string, selected kept, rules PruneRules, inUse []string) error {
	protected, err := compilePatterns(rules.Protect)
	if err != nil {
		return err
	}
	used, err := readInUse(slices.Concat(rules.InUse, inUse))
	if err != nil {
		return err
	}
	s.roots = slices.Clone(selected.images)
	usedTags := map[string]bool{}
	for _, u := range used {
		if u.repository != "" && u.repository != strings.ToLower(repository) {
			continue
		}
		if u.Digest != "" {
			s.roots = append(s.roots, u.Digest)
		}
		if u.Tag != "" {
			usedTags[u.Tag] = true
		}
	}
	for d, image := range s.images {
		for _, tag := range image.Tags {
			if selected.tags[tag] || usedTags[tag] || slices.ContainsFunc(protected, func(m matcher) bool { return m.matches(tag) }) {
				s.keptTags[tag] = true
				s.roots = append(s.roots, d)
			}
		}
	}
	return nil
}

// mayDelete reports whether there is a tag that does not stay, or an image without one that may go.
func (s *pruner) mayDelete() bool {
	for _, image := range s.images {
		if len(image.Tags) == 0 && s.rules.Untagged || slices.ContainsFunc(image.Tags, func(tag string) bool {
			_, _, attached := content.ParseDigestTag(tag)
			return !attached && !s.keptTags[tag]
		}) {
			return true
		}
	}
	return false
}

// link notes what belongs together, and keeps what belongs to a kept image.
func (s *pruner) link() {
	s.belongs = map[digest.Digest][]digest.Digest{}
	add := func(d, other digest.Digest) {
		if _, there := s.images[other]; there {
			s.belongs[d] = append(s.belongs[d], other)
		}
	}
	for d, c := range s.contents {
		for _, child := range c.Manifests {
			add(d, child.Digest)
		}
	}
	for d, image := range s.images {
		if image.Subject != "" {
			add(image.Subject, d)
			s.subjects = append(s.subjects, [2]digest.Digest{d, image.Subject})
		}
		for _, tag := range image.Tags {
			subject, _, ok := content.ParseDigestTag(tag)
			if !ok {
				continue
			}
			if _, there := s.images[subject]; there {
				add(subject, d)
			} else {
				s.roots = append(s.roots, d) // whose it is cannot be known
			}
		}
	}
	s.keep(s.roots)
}

// keep keeps images, and all that belongs to them.
func (s *pruner) keep(images []digest.Digest) {
	s.follow(images, s.kept)
	for again := true; again; { // a kept signature keeps what it is of
		again = false
		for _, pair := range s.subjects {
			if _, there := s.images[pair[1]]; there && s.kept[pair[0]] && !s.kept[pair[1]] {
				again = true
				s.follow([]digest.Digest{pair[1]}, s.kept)
			}
		}
	}
}

// follow adds images that the repository has, and all that belongs to them.
func (s *pruner) follow(from []digest.Digest, to map[digest.Digest]bool) {
	for next := slices.Clone(from); len(next) > 0; next = next[1:] {
		if d := next[0]; !to[d] {
			to[d] = true
			next = append(next, s.belongs[d]...)
		}
	}
}

// gone returns what is not kept and goes, with all that belongs to it.
func (s *pruner) gone() map[digest.Digest]bool {
	gone := map[digest.Digest]bool{}
	for d, image := range s.images {
		old := image.PushedAt != nil && s.now.Sub(*image.PushedAt) > untaggedAge
		if !s.kept[d] && (len(image.Tags) > 0 || s.rules.Untagged && old) {
			s.follow([]digest.Digest{d}, gone)
		}
	}
	for d := range s.kept {
		delete(gone, d)
	}
	return gone
}

// neededOf returns those of the images to be deleted that belong to one which stays only because it has no tag. Amazon ECR
// does not delete an image before its index.
func (s *pruner) neededOf(gone map[digest.Digest]bool) (needed []digest.Digest) {
	for d := range s.images {
		if s.kept[d] || gone[d] {
			continue
		}
		for _, other := range s.belongs[d] {
			if gone[other] {
				needed = append(needed, other)
			}
		}
	}
	return needed
}

// deletions returns what goes, in the order of the digests.
func (s *pruner) deletions() (deletions []Deletion) {
	gone := s.gone()
	for needed := s.neededOf(gone); len(needed) > 0; needed = s.neededOf(gone) {
		s.keep(needed)
		gone = s.gone()
	}
	for _, d := range slices.Sorted(maps.Keys(s.images)) {
		image := s.images[d]
		if s.kept[d] {
			// An image without any kept tag is kept for another one, and with its tags.
			if slices.ContainsFunc(image.Tags, func(tag string) bool { return s.keptTags[tag] }) {
				extra := slices.DeleteFunc(slices.Clone(image.Tags), func(tag string) bool {
					_, _, attached := content.ParseDigestTag(tag)
					return attached || s.keptTags[tag]
				})
				if len(extra) > 0 {
					deletions = append(deletions, Deletion{Digest: d, Tags: extra})
				}
			}
			continue
		}
		if gone[d] {
			deletions = append(deletions, Deletion{Digest: d, Tags: append([]string{}, image.Tags...), Whole: true})
		}
	}
	return deletions
}
