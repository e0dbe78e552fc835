package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/mirror/internal/manifestcache"
	"github.com/ecrkit/ecrkit/mirror/internal/memo"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Opener opens repositories, HOST/REPOSITORY. It returns the same endpoint for the same repository, and
// may be called concurrently. Type Repositories of package transfer/ref is one for registries.
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
	// Drift has the settings of existing repositories compared with those that the configuration wants for new ones. It takes
	// up to four requests a repository.
	Drift bool
	// Shard is which part of the mirror this process does. A plan of a shard that was read keeps its own.
	Shard Shard
	// ManifestDir is a directory in which manifests are kept for later processes: those of sources of which each is a request, as
	// with Docker Hub, and those of indexes of which some platforms are chosen. "" means none.
	ManifestDir string
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
	// Shard is not nil if the plan is of one shard.
	Shard *Sharding `json:"shard,omitempty"`
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
	// Drift is what an existing repository has in another way than new ones are to have it, with [Options].Drift.
	// DriftError is why that is not known.
	Drift      []Drift `json:"drift,omitempty"`
	DriftError string  `json:"driftError,omitempty"`
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

	cause     error // of Error
	platforms []content.Platform
	chosen    map[digest.Digest]chosen // with platforms, by the digest at the source
	referrers bool
	filter    func(types []string) bool // of referrers; nil takes all
	// attached is what belongs to each image, by its digest at the source; only images that have something.
	attached map[digest.Digest][]attachment
	// listed are all images of the source; nil if it lists only tags, or if nothing is copied.
	listed []content.Image
	read   *memo.Repository // manifests of the source that were read for the plan; nil if they are not remembered
	writes map[string]int   // requests to the destination, by operation; nil if that is not known
}

// Cause returns why the repository could not be planned, nil if it could. Of a plan that was read it is the text alone.
func (r Repository) Cause() error {
	switch {
	case r.Error == "":
		return nil
	case r.cause != nil:
		return r.cause
	}
	return errors.New(r.Error)
}

// Image is an image that would be copied, or get tags.
type Image struct {
	Digest digest.Digest `json:"digest"` // at the source
	// Arrives is the digest at the destination, if it is another one: with a choice of platforms, that of the one image, or
	// of a new index of several.
	Arrives digest.Digest `json:"arrives,omitempty"`
	Tags    []TagChange   `json:"tags"`
	// Referrers is how many of those that refer to it are missing; those of its platforms are included.
	Referrers int `json:"referrers,omitempty"`
	// ReferrerTypes is how many of them have which artifact type; "unknown" is where the list has none,
	// and "sha256-*.sig" and the like what belongs to it by such a tag.
	ReferrerTypes map[string]int `json:"referrerTypes,omitempty"`
}

// TagChange is what would become of a tag at a destination.
type TagChange struct {
	Tag    string    `json:"tag"`
	Action TagAction `json:"action"`
	// Previous is what the tag names now, if it exists.
	Previous digest.Digest `json:"previous,omitempty"`
	// Instead is the tag of the source that names another image at the destination, and stays: Tag is
	// added in its place, see [Retag].
	Instead string `json:"instead,omitempty"`
	// Immutable reports whether the destination does not let the tag be moved. That is a conflict.
	Immutable bool `json:"immutable,omitempty"`
}

// TagAction is what becomes of a tag.
type TagAction string

// The actions.
const (
	AddTag   TagAction = "add"      // it does not exist
	MoveTag  TagAction = "move"     // it names another image, and will name this one
	LeaveTag TagAction = "leave"    // it names another image, and stays
	Conflict TagAction = "conflict" // it names another image, which is an error
)

// Copied returns the tags that the image would get.
func (i Image) Copied() (tags []string) {
	for _, t := range i.Tags {
		if t.Action == AddTag || t.Action == MoveTag {
			tags = append(tags, t.Tag)
		}
	}
	return tags
}

// AtDestination returns the digest of the image at the destination.
func (i Image) AtDestination() digest.Digest { return cmp.Or(i.Arrives, i.Digest) }

// Copies reports whether anything of the image would be copied.
func (i Image) Copies() bool { return len(i.Tags) == 0 || len(i.Copied()) > 0 || i.Referrers > 0 }

// Count is how many tags the action is for.
func (p Plan) Count(a TagAction) (n int) {
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

// NothingSelected reports whether rules dropped all tags of the source.
func (r Repository) NothingSelected() bool {
	return r.Error == "" && len(r.Images) == 0 && r.Kept == 0 && len(r.Decisions) > 0 && !slices.ContainsFunc(r.Decisions, func(d Decision) bool { return d.Selected })
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
					conflicts = append(conflicts, &content.ConflictError{Image: r.To + ":" + t.Tag, Have: t.Previous, Want: image.AtDestination(), Kept: !t.Immutable})
				}
			}
		}
	}
	return errors.Join(append(conflicts, p.tooManyDeletions())...)
}

var errNoOpener = errors.New("there is no Opener of repositories")

// NewPlan compares the sources with the destinations, and changes nothing. A repository that cannot be
// compared does not keep the others from being planned: the error is about all such repositories, and
// the plan about all others. With [Options.Shard] the plan is of that shard, see [Sharding].
func NewPlan(ctx context.Context, c Config, o Opener, opts Options) (Plan, error) {
	return newPlan(ctx, c, o, opts, nil)
}

// newPlan makes a plan; saved, if not nil, is the one that it is compared with.
func newPlan(ctx context.Context, c Config, o Opener, opts Options, saved *Plan) (Plan, error) {
	if o == nil {
		return Plan{}, errNoOpener
	}
	if err := errors.Join(c.Validate(), opts.Prune.Validate(), opts.Shard.Validate()); err != nil {
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
	p := planner{config: c, opener: o, opts: opts, repositories: make([][]Repository, len(c.Images)), calls: make([]map[string]int, len(c.Images)),
		sources: make([]*decided, len(c.Images))}
	plan := Plan{Config: written, Prune: opts.Prune, Calls: map[string]int{}}
	all := true
	if opts.Shard.isSet() {
		if plan.Shard, err = p.dealOut(ctx, saved); err != nil {
			return Plan{}, err
		}
		// How much may be deleted is of all that would be deleted.
		all = opts.Prune != nil && saved == nil
	}
	errs := make([]error, len(c.Images))
	var group errgroup.Group
	group.SetLimit(opts.atOnce())
	for i := range c.Images {
		if !all && !p.isMine(i) {
			continue
		}
		group.Go(func() error {
			errs[i] = p.images(ctx, i)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	failed := errors.Join(append(errs, ctx.Err())...)
	plan.Repositories = slices.Concat(p.repositories...)
	if plan.Shard != nil {
		whole := plan
		if saved != nil {
			whole = *saved
		}
		plan.Shard.Deletions, plan.Shard.Present = whole.deletions()
		plan.Repositories = p.own(p.repositories)
	}
	if failed != nil {
		plan.keepAll()
	}
	for i, calls := range p.calls {
		if p.isMine(i) {
			addCalls(plan.Calls, calls)
		}
	}
	plan.Hash = plan.hash()
	_ = manifestcache.Dir(opts.ManifestDir).Sweep(opts.now()) // what cannot be removed today can be tomorrow
	return plan, failed
}

// hash is of what a plan changes. What was kept and what it costs does not count: that may change while
// the changes stay the same.
func (p Plan) hash() digest.Digest {
	var changes []any
	for _, r := range p.Repositories {
		// JSON leaves out an empty list of deletions, which is the same as none.
		deleted := r.Delete
		if len(deleted) == 0 {
			deleted = nil
		}
		changes = append(changes, []any{r.From, r.To, r.Create, r.Settings, r.Images, deleted, r.Error})
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
