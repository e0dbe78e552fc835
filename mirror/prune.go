package mirror

import (
	"errors"
	"fmt"
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

// Deletions returns how many tags, and images without one, are deleted, of how many: in all shards, if the
// plan is of one.
func (p Plan) Deletions() (n, present int) {
	if p.Shard != nil {
		return p.Shard.Deletions, p.Shard.Present
	}
	return p.deletions()
}

// deletions is Deletions of the repositories of the plan.
func (p Plan) deletions() (n, present int) {
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
	if n, _ := p.deletions(); n > 0 {
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
