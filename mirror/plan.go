package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Opener opens repositories, HOST/REPOSITORY. It returns the same endpoint for the same repository, and
// may be called concurrently.
type Opener interface {
	Source(ctx context.Context, repository string) (content.Source, error)
	Target(ctx context.Context, repository string) (content.Target, error)
}

// Options are how a plan is made and applied. The zero value is ready for use.
type Options struct {
	// Repositories is how many are worked on at once; 0 is 8.
	Repositories int
	// Now is the clock for [TagRules.Since]; nil is time.Now.
	Now func() time.Time
	// Prune, if not nil, also deletes at the destinations what the configuration does not select. A plan that
	// was read keeps its own.
	Prune *Pruning
	// Copy is how images are copied: connections, journal, progress. What is copied is the plan's.
	Copy transfer.Options
	// Prepare, if not nil, is called before each copy, and may set Verify and BeforeTags of its options;
	// an error of it is that of the image. It may be called concurrently.
	Prepare func(ctx context.Context, c Copy) error
}

// Copy is one image that is about to be copied to one or more destinations.
type Copy struct {
	From         string // HOST/REPOSITORY
	Source       content.Source
	To           []string // HOST/REPOSITORY of each destination
	Destinations []transfer.Destination
	Options      *transfer.Options
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o Options) atOnce() int {
	if o.Repositories > 0 {
		return o.Repositories
	}
	return 8
}

// Plan is what a mirror would do. Its JSON form is stable: fields are only added.
type Plan struct {
	// Hash is of all that the plan would change: two plans of the same changes have the same.
	Hash   digest.Digest `json:"hash"`
	Config Config        `json:"config"`
	// Repositories are those of the destinations, in the order of the configuration.
	Repositories []Repository `json:"repositories"`
	// Prune is not nil if the plan deletes.
	Prune *Pruning `json:"prune,omitempty"`
	// Calls are the requests of the copies by operation, as far as the endpoints know them before.
	Calls map[string]int `json:"calls"`
}

// Repository is a repository of a destination, and what would change there.
type Repository struct {
	From   string `json:"from"` // HOST/REPOSITORY
	To     string `json:"to"`   // HOST/REPOSITORY
	Create bool   `json:"create"`
	// Settings are what a repository of Amazon ECR is created with, if the configuration says.
	Settings *Settings `json:"settings,omitempty"`
	// Kept is how many tags are equal on both sides.
	Kept   int     `json:"kept"`
	Images []Image `json:"images"`
	// Delete is what is deleted after all is copied, in the order of the digests. Present is how many tags,
	// and images without one, there were.
	Delete  []Deletion `json:"delete,omitempty"`
	Present int        `json:"present,omitempty"`
	// Blobs and Bytes are missing there.
	Blobs int   `json:"blobs"`
	Bytes int64 `json:"bytes"`
	// Decisions are about each tag of the source. Those of other destinations are the same.
	Decisions []Decision `json:"decisions,omitempty"`
	// Error is why the repository could not be planned. Nothing of it is copied.
	Error string `json:"error,omitempty"`

	platforms []content.Platform
	referrers bool
}

// Image is an image that would be copied, or get tags.
type Image struct {
	Digest digest.Digest `json:"digest"` // at the source
	Tags   []TagChange   `json:"tags"`
	// Referrers is how many of the images that refer to it are missing; those of its platforms are
	// included. It is known only where both sides list all images.
	Referrers int `json:"referrers,omitempty"`
}

// TagChange is what would become of a tag at a destination.
type TagChange struct {
	Tag    string `json:"tag"`
	Action Action `json:"action"`
	// Previous is what the tag names now, if it exists.
	Previous digest.Digest `json:"previous,omitempty"`
	// Instead is the tag of the source that names another image at the destination, and stays: Tag is
	// added in its place, see [Retag].
	Instead string `json:"instead,omitempty"`
	// Immutable reports whether the destination does not let the tag be moved. That is a conflict.
	Immutable bool `json:"immutable,omitempty"`
}

// Action is what becomes of a tag.
type Action string

// The actions.
const (
	Add      Action = "add"      // it does not exist
	Move     Action = "move"     // it names another image, and will name this one
	Leave    Action = "leave"    // it names another image, and stays
	Conflict Action = "conflict" // it names another image, which is an error
)

// Copied returns the tags that the image would get.
func (i Image) Copied() (tags []string) {
	for _, t := range i.Tags {
		if t.Action == Add || t.Action == Move {
			tags = append(tags, t.Tag)
		}
	}
	return tags
}

// Copies reports whether anything of the image would be copied.
func (i Image) Copies() bool { return len(i.Tags) == 0 || len(i.Copied()) > 0 || i.Referrers > 0 }

// Count is how many tags the action is for.
func (p Plan) Count(a Action) (n int) {
	for _, r := range p.Repositories {
		for _, image := range r.Images {
			for _, t := range image.Tags {
				if t.Action == a {
					n++
				}
			}
		}
	}
	return n
}

// Unchanged reports whether there is nothing to do.
func (p Plan) Unchanged() bool {
	return !slices.ContainsFunc(p.Repositories, func(r Repository) bool {
		return r.Error != "" || len(r.Delete) > 0 || slices.ContainsFunc(r.Images, Image.Copies)
	})
}

// Err returns the conflicts of the plan, which wrap [content.ErrConflict], joined; nil if there are none. One
// is [ErrTooManyDeletions].
func (p Plan) Err() error {
	var conflicts []error
	for _, r := range p.Repositories {
		for _, image := range r.Images {
			for _, t := range image.Tags {
				if t.Action == Conflict {
					conflicts = append(conflicts, &content.ConflictError{Image: r.To + ":" + t.Tag, Have: t.Previous, Want: image.Digest})
				}
			}
		}
	}
	return errors.Join(append(conflicts, p.tooManyDeletions())...)
}

// NewPlan compares the sources with the destinations, and changes nothing. A repository that cannot be
// compared does not keep the others from being planned: the error is about all such repositories, and
// the plan about all others.
func NewPlan(ctx context.Context, c Config, o Opener, opts Options) (Plan, error) {
	if err := c.Validate(); err != nil {
		return Plan{}, err
	}
	if err := opts.Prune.Validate(); err != nil {
		return Plan{}, err
	}
	written := c
	c, err := c.expandRepositories(ctx, o)
	if err != nil {
		return Plan{}, err
	}
	if opts.Prune != nil {
		if err := c.checkPruned(); err != nil {
			return Plan{}, err
		}
	}
	p := planner{config: c, opener: o, opts: opts, repositories: make([][]Repository, len(c.Images)), calls: make([]map[string]int, len(c.Images))}
	errs := make([]error, len(c.Images))
	var group errgroup.Group
	group.SetLimit(opts.atOnce())
	for i := range c.Images {
		group.Go(func() error {
			errs[i] = p.images(ctx, i)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	plan := Plan{Config: written, Prune: opts.Prune, Repositories: slices.Concat(p.repositories...), Calls: map[string]int{}}
	for _, calls := range p.calls {
		addCalls(plan.Calls, calls)
	}
	errs = append(errs, ctx.Err())
	if err := errors.Join(errs...); err != nil {
		plan.keepAll()
	}
	plan.Hash = plan.hash()
	return plan, errors.Join(errs...)
}

// hash is of what a plan changes. What was kept and what it costs does not count: that may change while
// the changes stay the same.
func (p Plan) hash() digest.Digest {
	var changes []any
	for _, r := range p.Repositories {
		changes = append(changes, []any{r.From, r.To, r.Create, r.Settings, r.Images, r.Delete, r.Error})
	}
	data, err := json.Marshal([]any{"ecrkit mirror plan 1", p.Config, changes})
	if err != nil {
		panic(err) // plain values
	}
	return digest.FromBytes(data)
}

func addCalls(sum, more map[string]int) {
	for operation, n := range more {
		sum[operation] += n
	}
}

// planner makes a plan. Each item of the configuration has its own places in the slices.
type planner struct {
	config       Config
	opener       Opener
	opts         Options
	repositories [][]Repository
	calls        []map[string]int
}

// images plans one item of the configuration for all destinations.
func (p *planner) images(ctx context.Context, i int) error {
	item := p.config.Images[i]
	platforms, err := item.platforms()
	if err != nil {
		return err // was checked
	}
	repositories := make([]Repository, len(p.config.Destinations))
	for k, destination := range p.config.Destinations {
		repositories[k] = Repository{From: item.From, To: destination + "/" + item.name(), platforms: platforms, referrers: item.referrers()}
	}
	p.repositories[i] = repositories
	p.calls[i] = map[string]int{}
	var errs []error
	src, err := p.opener.Source(ctx, item.From)
	var source listing
	if err == nil {
		source, err = p.selected(ctx, item, src, &repositories[0])
	}
	for k := range repositories {
		r := &repositories[k]
		repositoryErr := err
		if err == nil {
			repositoryErr = p.compare(ctx, item, src, source, repositories[0].Decisions, r, p.calls[i])
		}
		if repositoryErr != nil {
			r.Error, r.Images, r.Delete, r.Blobs, r.Bytes = repositoryErr.Error(), nil, nil, 0, 0
			errs = append(errs, fmt.Errorf("%s to %s: %w", r.From, r.To, repositoryErr))
		}
	}
	return errors.Join(errs...)
}

// selected lists the source and decides about its tags; the decisions are stored in first.
func (p *planner) selected(ctx context.Context, item Images, src content.Source, first *Repository) (listing, error) {
	source, err := list(ctx, src)
	if err != nil {
		return source, err
	}
	if !source.exists {
		return source, fmt.Errorf("repository %s: %w", item.From, content.ErrNotFound)
	}
	if len(item.Digests) > 0 && item.Tags.isZero() {
		return source, nil
	}
	if first.Decisions, err = item.Tags.Select(source.tags, p.opts.now()); err != nil {
		return source, err
	}
	var names []string
	for _, d := range first.Decisions {
		if d.Selected {
			names = append(names, d.Tag)
		}
	}
	if err := source.find(ctx, src, names); err != nil {
		return source, err
	}
	for k, d := range first.Decisions {
		first.Decisions[k].Digest = source.digests[d.Tag]
	}
	return source, nil
}

// compare finds out what r misses of the selected images.
func (p *planner) compare(ctx context.Context, item Images, src content.Source, source listing, decisions []Decision, r *Repository, calls map[string]int) error {
	target, err := p.opener.Target(ctx, r.To)
	if err != nil {
		return err
	}
	there, err := list(ctx, target)
	if err != nil {
		return err
	}
	r.Create = !there.exists
	wanted, order := wanted(item, decisions)
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
		if err := p.choosePlatforms(ctx, src, target, r, order, arrives); err != nil {
			return err
		}
	}
	if r.Create && p.config.Repositories.IsSet() {
		if r.Settings, err = p.settings(ctx, r); err != nil {
			return err
		}
	}
	occupied := occupiedTags{policy: p.config.Existing, target: target, there: &there}
	if err := occupied.prepare(ctx, order, wanted, arrives); err != nil {
		return err
	}
	for _, d := range order {
		image := Image{Digest: d, Tags: []TagChange{}}
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
		if err := addReferrers(ctx, src, source, there, r, order); err != nil {
			return err
		}
	}
	if p.opts.Prune != nil {
		if err := p.prune(ctx, target, &there, r, kept{tags: occupied.names(order, wanted, arrives), images: slices.Collect(maps.Values(arrives))}); err != nil {
			return fmt.Errorf("what to delete: %w", err)
		}
	}
	return r.count(ctx, src, source, target, calls)
}

// choosePlatforms finds out which digests the images have when only some platforms are copied.
func (p *planner) choosePlatforms(ctx context.Context, src content.Source, target content.Target, r *Repository, order []digest.Digest, arrives map[digest.Digest]digest.Digest) error {
	for _, d := range order {
		planned := transfer.Preview(ctx, src, []transfer.Destination{{Target: target}}, transfer.Options{Reference: string(d), Platforms: r.platforms})[0]
		if planned.Err != nil {
			return fmt.Errorf("%s@%s: %w", r.From, d, planned.Err)
		}
		arrives[d] = planned.Digest
	}
	return nil
}

// addReferrers adds the images of which the destination misses signatures and the like, where both
// sides list all images.
func addReferrers(ctx context.Context, src content.Source, source, there listing, r *Repository, order []digest.Digest) error {
	by := source.referrers()
	if len(by) == 0 || there.images == nil {
		return nil
	}
	// What refers to a root is found without reading it.
	subjects := map[digest.Digest][]digest.Digest{}
	direct := map[digest.Digest]bool{}
	for _, d := range order {
		subjects[d] = []digest.Digest{d}
		direct[d] = true
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(by)), func(subject digest.Digest) bool { return !direct[subject] }) {
		if err := source.trees.read(ctx, src, order, source.manifests); err != nil {
			return err
		}
		for _, d := range order {
			subjects[d] = source.trees.under(d)
		}
	}
	for _, d := range order {
		missing := 0
		for next := slices.Clone(subjects[d]); len(next) > 0; next = next[1:] {
			for _, referrer := range by[next[0]] {
				if there.images[referrer].Digest == "" {
					missing++
				}
				if !slices.Contains(next, referrer) {
					next = append(next, referrer) // a signature of a bill of materials
				}
			}
		}
		if missing == 0 {
			continue
		}
		at := slices.IndexFunc(r.Images, func(image Image) bool { return image.Digest == d })
		if at < 0 {
			at = len(r.Images)
			r.Images = append(r.Images, Image{Digest: d, Tags: []TagChange{}})
		}
		r.Images[at].Referrers = missing
	}
	return nil
}

// count finds out which blobs are missing at the destination.
func (r *Repository) count(ctx context.Context, src content.Source, source listing, target content.Target, calls map[string]int) error {
	var roots []digest.Digest
	for _, image := range r.Images {
		if image.Copies() {
			roots = append(roots, image.Digest)
		}
	}
	if len(roots) == 0 || len(r.platforms) > 0 {
		return nil
	}
	if err := source.trees.read(ctx, src, roots, source.manifests); err != nil {
		return err
	}
	missing, manifests := source.trees.blobs(roots)
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
		addCalls(calls, e.EstimateWrites(missing, manifests))
	}
	return nil
}

// isZero reports whether there is no rule.
func (r TagRules) isZero() bool {
	return len(r.Match)+len(r.Exclude)+r.Latest+r.AtLeast == 0 && strings.Join([]string{r.Semver, r.Since, string(r.By)}, "") == ""
}
