package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// PruneRules are what is never deleted, and how far a deletion goes.
type PruneRules struct {
	// Protect are patterns of tags that are never deleted, and neither are their images.
	Protect Patterns `yaml:"protect" json:"protect,omitempty"`
	// InUse are images that are never deleted, HOST/REPOSITORY:TAG or with @DIGEST.
	InUse []string `yaml:"in_use" json:"in_use,omitempty"`
	// Untagged also deletes images without a tag that nothing needs and that were pushed more than a day
	// ago. Those that belong to a deleted image go with it in any case.
	Untagged bool `yaml:"untagged" json:"untagged,omitempty"`
}

// Pruning asks for deletions at the destinations.
type Pruning struct {
	// MaxDelete is how many tags, and images without one, may be deleted in all: N, or N% of those that the
	// repositories of the plan have.
	MaxDelete string `json:"maxDelete"`
	// InUse is as [PruneRules.InUse].
	InUse []string `json:"inUse,omitempty"`
}

// Deletion is an image that is deleted, or loses tags.
type Deletion struct {
	Digest digest.Digest `json:"digest"`
	Tags   []string      `json:"tags"` // that are deleted, sorted
	// Whole reports whether the image goes too.
	Whole bool `json:"whole"`
}

// Deleted is a tag, or an image without one, that was deleted.
type Deleted struct {
	Repository string `json:"repository"` // HOST/REPOSITORY
	content.ImageName
}

// The errors of deletions.
var (
	// ErrTooManyDeletions reports that a plan would delete more than [Pruning.MaxDelete]. Errors that wrap
	// it wrap [content.ErrConflict] too.
	ErrTooManyDeletions = errors.New("too much would be deleted")
	// ErrNotDeleted reports that nothing is deleted because of another error.
	ErrNotDeleted = errors.New("nothing is deleted, because of what failed before")
)

// untaggedAge is for how long an image without a tag is left alone: it may be part of one that is just
// being pushed.
const untaggedAge = 24 * time.Hour

func (r PruneRules) validate() error {
	if _, err := compilePatterns(r.Protect); err != nil {
		return fmt.Errorf("protect: %w", err)
	}
	_, err := readInUse(r.InUse)
	return err
}

// Validate reports what is wrong with it; nothing is with nil. The error wraps [ErrConfig].
func (p *Pruning) Validate() error {
	if p == nil {
		return nil
	}
	if _, err := p.limit(0); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, err := readInUse(p.InUse); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// limit is how much may be deleted of so much.
func (p *Pruning) limit(present int) (int, error) {
	text, percent := strings.CutSuffix(p.MaxDelete, "%")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || percent && n > 100 {
		return 0, fmt.Errorf("%q is not how much may be deleted: write a number, or a percentage such as 10%%", p.MaxDelete)
	}
	if percent {
		return present * n / 100, nil
	}
	return n, nil
}

// Deletions returns how many tags, and images without one, are deleted, of how many.
func (p Plan) Deletions() (n, present int) {
	for _, r := range p.Repositories {
		present += r.Present
		for _, d := range r.Delete {
			n += max(1, len(d.Tags))
		}
	}
	return n, present
}

// tooManyError is an [ErrTooManyDeletions].
type tooManyError struct {
	deleted, present int
	limit            string
}

func (e tooManyError) Error() string {
	return fmt.Sprintf("%v: %d of %d tags and images, and the limit is %s", ErrTooManyDeletions, e.deleted, e.present, e.limit)
}

func (e tooManyError) Is(target error) bool {
	return target == ErrTooManyDeletions || target == content.ErrConflict
}

func (p Plan) tooManyDeletions() error {
	if p.Prune == nil {
		return nil
	}
	n, present := p.Deletions()
	limit, err := p.Prune.limit(present)
	if err == nil && n > limit {
		return tooManyError{n, present, p.Prune.MaxDelete}
	}
	return err
}

// keepAll takes all deletions out of a plan that is not whole.
func (p *Plan) keepAll() {
	for i := range p.Repositories {
		p.Repositories[i].Delete = nil
	}
}

// notDeleted is an [ErrNotDeleted] if the plan deletes anything.
func (p Plan) notDeleted() error {
	if n, _ := p.Deletions(); n > 0 {
		return ErrNotDeleted
	}
	return nil
}

// checkPruned refuses two items of the same repository of a destination: each would delete what the other
// one selects.
func (c Config) checkPruned() error {
	from := map[string]string{}
	for _, d := range c.Destinations {
		for _, item := range c.Images {
			to := d + "/" + item.name()
			if other, taken := from[to]; taken {
				return problem("%s and %s would both be pruned in %s", other, item.From, to)
			}
			from[to] = item.From
		}
	}
	return nil
}

// usedImage is an image in use; without Repository it is in any.
type usedImage struct {
	repository string
	content.ImageName
}

// readInUse reads names of images as clusters list them: HOST/REPOSITORY:TAG, also with @DIGEST or with a
// scheme such as docker-pullable:// before it, or a digest alone. Without a tag it is latest. Names without
// a registry are of Docker Hub, and of no destination.
func readInUse(names []string) (used []usedImage, err error) {
	for _, name := range names {
		_, rest, scheme := strings.Cut(name, "://")
		if !scheme {
			rest = name
		}
		if d, err := digest.Parse(rest); err == nil {
			used = append(used, usedImage{"", content.ImageName{Digest: d}})
			continue
		}
		image, sum, pinned := strings.Cut(rest, "@")
		one := usedImage{repository: strings.ToLower(image)}
		if pinned {
			if one.Digest, err = digest.Parse(sum); err != nil {
				return nil, fmt.Errorf("in_use: %q: %w", name, err)
			}
		}
		if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') {
			one.repository, one.Tag = strings.ToLower(image[:at]), image[at+1:]
		}
		if one.repository == "" || one.Tag != "" && !content.IsTag(one.Tag) {
			return nil, fmt.Errorf("in_use: %q is not HOST/REPOSITORY:TAG", name)
		}
		if one.Tag == "" && one.Digest == "" {
			one.Tag = "latest"
		}
		used = append(used, one)
	}
	return used, nil
}

// kept are the tags and images that a configuration selects for a destination.
type kept struct {
	tags   map[string]bool
	images []digest.Digest
}

// prune finds out what r has beside the selected images and what is protected. What it cannot find out is
// an error: nothing is deleted on a guess.
func (p *planner) prune(ctx context.Context, target content.Target, there *listing, r *Repository, selected kept) error {
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
	s := pruner{images: r.afterMoves(there.images), contents: there.trees.contents, rules: p.config.Prune, now: p.opts.now(), kept: map[digest.Digest]bool{}, keptTags: map[string]bool{}}
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
		if content.IsIndex(image.MediaType) {
			indexes = append(indexes, d)
		}
	}
	slices.Sort(indexes)
	if err := there.trees.read(ctx, src, indexes, nil); err != nil {
		return err
	}
	s.link()
	r.Delete = s.deletions()
	return nil
}

// afterMoves returns the images without the tags that will be moved to others.
func (r *Repository) afterMoves(images map[digest.Digest]content.Image) map[digest.Digest]content.Image {
	moved := map[string]bool{}
	for _, image := range r.Images {
		for _, t := range image.Tags {
			moved[t.Tag] = t.Action == Move
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
	contents map[digest.Digest]content.Contents
	rules    PruneRules
	now      time.Time
	kept     map[digest.Digest]bool // with all that belongs to it
	keptTags map[string]bool
	roots    []digest.Digest
	belongs  map[digest.Digest][]digest.Digest // what an image needs or has attached
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
	var subjects [][2]digest.Digest
	for d, image := range s.images {
		if image.Subject != "" {
			add(image.Subject, d)
			subjects = append(subjects, [2]digest.Digest{d, image.Subject})
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
	s.follow(s.roots, s.kept)
	for again := true; again; { // a kept signature keeps what it is of
		again = false
		for _, pair := range subjects {
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

// deletions returns what goes, in the order of the digests.
func (s *pruner) deletions() (deletions []Deletion) {
	gone := map[digest.Digest]bool{}
	for d, image := range s.images {
		old := image.PushedAt != nil && s.now.Sub(*image.PushedAt) > untaggedAge
		if !s.kept[d] && (len(image.Tags) > 0 || s.rules.Untagged && old) {
			s.follow([]digest.Digest{d}, gone)
		}
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

// delete deletes what the plan says, repository by repository. Before each it asks whether the images
// still have the tags that they had: the error wraps [ErrChanged] otherwise, and nothing there is deleted.
// The first error ends it.
func (p Plan) delete(ctx context.Context, o Opener) (done []Deleted, err error) {
	for _, r := range p.Repositories {
		if len(r.Delete) == 0 {
			continue
		}
		target, err := o.Target(ctx, r.To)
		if err != nil {
			return done, err
		}
		deleter, ok := target.(content.Deleter)
		if !ok {
			return done, fmt.Errorf("%s: %w", r.To, content.ErrUnsupported)
		}
		names := deletionNames(r.Delete)
		planned, err := deleter.PlanDelete(ctx, names)
		if err != nil {
			return done, fmt.Errorf("%s: %w", r.To, err)
		}
		if !sameDeletions(r.Delete, planned) {
			return done, fmt.Errorf("%s: %w", r.To, deletionChangedError{})
		}
		result, err := deleter.Delete(ctx, names)
		for _, name := range result.Deleted {
			done = append(done, Deleted{r.To, name})
		}
		for _, f := range result.Failures {
			err = errors.Join(err, f)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// deletionChangedError is an [ErrChanged] about what is to be deleted.
type deletionChangedError struct{}

func (deletionChangedError) Error() string {
	return "images that are to be deleted have changed since the plan was made"
}

func (deletionChangedError) Is(target error) bool {
	return target == ErrChanged || target == content.ErrConflict
}

// deletionNames are tags with the image that they must still name, and images without a tag.
func deletionNames(deletions []Deletion) (names []content.ImageName) {
	for _, d := range deletions {
		for _, tag := range d.Tags {
			names = append(names, content.ImageName{Tag: tag, Digest: d.Digest})
		}
		if len(d.Tags) == 0 {
			names = append(names, content.ImageName{Digest: d.Digest})
		}
	}
	return names
}

// sameDeletions reports whether a deletion would do what the plan says.
func sameDeletions(deletions []Deletion, planned content.DeletePlan) bool {
	if len(planned.Missing) > 0 || len(planned.Images) != len(deletions) {
		return false
	}
	by := map[digest.Digest]content.PlannedDeletion{}
	for _, image := range planned.Images {
		by[image.Digest] = image
	}
	for _, d := range deletions {
		now, ok := by[d.Digest]
		if !ok || now.Whole != d.Whole || !slices.Equal(now.Removed, slices.Sorted(slices.Values(d.Tags))) {
			return false
		}
	}
	return true
}
