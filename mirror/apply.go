package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrChanged reports that sources or destinations have changed since a plan was made. Errors that wrap it
// wrap [content.ErrConflict] too.
var ErrChanged = errors.New("the registries have changed since the plan was made")

// changedError has the hashes of a plan and of the one that is made now.
type changedError struct{ planned, now digest.Digest }

func (e changedError) Error() string {
	return fmt.Sprintf("%v: its hash is %s, and that of a plan made now %s", ErrChanged, e.planned, e.now)
}

func (e changedError) Is(target error) bool {
	return target == ErrChanged || target == content.ErrConflict
}

// Report is what [Apply] did. Its JSON form is stable: fields are only added.
type Report struct {
	Hash   digest.Digest `json:"hash"` // of the plan
	Images []ImageResult `json:"images"`
	// Deleted is what was deleted.
	Deleted []Deleted `json:"deleted,omitempty"`
	// Shard is not nil if the plan was of one shard.
	Shard *ShardReport `json:"shard,omitempty"`
}

// ImageResult is what became of an image at one destination.
type ImageResult struct {
	From string `json:"from"` // HOST/REPOSITORY@DIGEST
	To   string `json:"to"`   // HOST/REPOSITORY
	transfer.Result
	// Referrers is what was counted on both sides; nil if nothing refers to the image.
	Referrers *ReferrerCount `json:"referrers,omitempty"`
	Err       error          `json:"-"`

	image digest.Digest // at the source
}

// Check makes the plan again and compares it: the error wraps [ErrChanged] if the changes are not the
// same any more. With [Options.Shard] it is the part of that shard that is made and compared. The others may
// be done already.
func (p Plan) Check(ctx context.Context, o Opener, opts Options) (Plan, error) {
	opts.Prune = p.Prune
	saved := &p
	if p.Shard != nil {
		if opts.Shard != (Shard{}) && opts.Shard != p.Shard.Shard {
			return p, problem("the plan is of shard %s, not of %s", p.Shard.Shard, opts.Shard)
		}
		opts.Shard, saved = p.Shard.Shard, nil // dealt out by the sources, as before
	}
	now, err := newPlan(ctx, p.Config, o, opts, saved)
	if err != nil {
		return now, err
	}
	want := p
	if now.Shard != nil && saved != nil {
		if now.Shard.All != len(p.Repositories) {
			return now, fmt.Errorf("%w: other repositories are selected: %w", ErrChanged, content.ErrConflict)
		}
		want = p.with(now.Repositories)
	}
	if now.Hash != want.Hash {
		return now, changedError{want.Hash, now.Hash}
	}
	return now, nil
}

// with returns the part of the plan about the same repositories.
func (p Plan) with(repositories []Repository) Plan {
	of := map[string]Repository{}
	for _, r := range p.Repositories {
		of[r.To] = r
	}
	p.Repositories = nil
	for _, r := range repositories {
		if planned, ok := of[r.To]; ok {
			p.Repositories = append(p.Repositories, planned)
		}
	}
	p.Hash = p.hash()
	return p
}

// Apply does what a plan of this process says: it comes from [NewPlan] or [Plan.Check]. An image that
// cannot be copied does not keep the others from being copied; the error is about all that failed.
// Nothing is done if the plan has a conflict, see [Plan.Err]. Deletions come last, and only if everything was
// copied.
func Apply(ctx context.Context, p Plan, o Opener, opts Options) (Report, error) {
	report := Report{Hash: p.Hash, Images: []ImageResult{}}
	if o == nil {
		return report, errNoOpener
	}
	if err := p.Err(); err != nil {
		return report, err
	}
	sources := bySource(p.Repositories)
	announced := writesByHost(sources)
	results := make([][]ImageResult, len(sources))
	if opts.Copy.AllConnections == 0 && len(sources) > 0 {
		// Memory grows with the connections: all copies together have as many as one copy may have.
		opts.Copy.AllConnections = max(2, connectionsOfAll/min(len(sources), opts.atOnce()))
	}
	if opts.Copy.Memory == nil {
		opts.Copy.Memory = transfer.NewPartMemory(memoryOfAll)
	}
	if opts.Copy.Shared == nil {
		opts.Copy.Shared = transfer.NewSharedBlobs()
	}
	var group errgroup.Group
	group.SetLimit(opts.atOnce())
	for i, repositories := range sources {
		group.Go(func() error {
			results[i] = applyRepository(ctx, repositories, o, opts, announced)
			return nil
		})
	}
	_ = group.Wait() // the errors are in the results
	report.Images = append(report.Images, slices.Concat(results...)...)
	var errs []error
	for _, image := range report.Images {
		if image.Err != nil {
			errs = append(errs, &CopyError{image.From, image.To, image.Err})
		}
	}
	errs = append(errs, ctx.Err())
	report.Shard = p.shardReport(opts.now())
	if err := errors.Join(errs...); err != nil {
		return report, errors.Join(err, p.notDeleted())
	}
	var err error
	report.Deleted, err = p.delete(ctx, o)
	report.Shard = p.shardReport(opts.now())
	return report, err
}

const (
	// connectionsOfAll is over how many connections all copies together move, unless the options say.
	connectionsOfAll = 16
	// memoryOfAll is for the parts of all copies together, in bytes: as much as four parts.
	memoryOfAll = 40 << 20
)

// bySource groups repositories that come from the same one.
func bySource(repositories []Repository) (groups [][]Repository) {
	places := map[string]int{}
	for _, r := range repositories {
		if r.Error != "" || !slices.ContainsFunc(r.Images, Image.Copies) {
			continue
		}
		i, known := places[r.From]
		if !known {
			i = len(groups)
			places[r.From] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// writes are the requests that a plan sends to one registry, by operation.
type writes struct {
	calls map[string]int
	once  sync.Once
}

// writesByHost adds the requests to each registry together.
func writesByHost(sources [][]Repository) map[string]*writes {
	all := map[string]*writes{}
	for _, r := range slices.Concat(sources...) {
		host := hostOf(r.To)
		if all[host] == nil {
			all[host] = &writes{calls: map[string]int{}}
		}
		addCalls(all[host].calls, r.writes)
	}
	return all
}

// announce tells the registry, of which target is the first repository, how much is to come.
func (w *writes) announce(target content.Target) {
	if expecter, ok := target.(content.WriteExpecter); ok {
		w.once.Do(func() { expecter.ExpectWrites(w.calls) })
	}
}

// hostOf returns the registry of a repository, HOST/REPOSITORY.
func hostOf(repository string) string {
	host, _, _ := strings.Cut(repository, "/")
	return host
}

// applyRepository copies the images of one source repository, one after the other, so that what they
// share is copied once; each to all destinations that want it.
func applyRepository(ctx context.Context, repositories []Repository, o Opener, opts Options, announced map[string]*writes) (done []ImageResult) {
	fail := func(err error) []ImageResult {
		for _, r := range repositories {
			for _, image := range r.Images {
				done = append(done, ImageResult{From: r.From + "@" + string(image.Digest), To: r.To, Err: err})
			}
		}
		return done
	}
	src, err := o.Source(ctx, repositories[0].From)
	if err != nil {
		return fail(err)
	}
	targets := make([]content.Target, len(repositories))
	defer func() {
		for _, target := range targets {
			if target != nil {
				opts.Copy.Shared.Ended(target)
			}
		}
	}()
	for i, r := range repositories {
		if targets[i], err = o.Target(ctx, r.To); err != nil {
			return fail(err)
		}
		announced[hostOf(r.To)].announce(targets[i])
		if creator, ok := o.(Creator); ok && r.Create && r.Settings != nil {
			if err := creator.Create(ctx, r.To, *r.Settings); err != nil {
				return fail(err)
			}
		}
	}
	images := &queue{src: src, images: imagesOf(repositories)}
	places := make([]map[digest.Digest]int, len(repositories))
	checks := make([]*transfer.BlobChecks, len(repositories))
	for i, r := range repositories {
		places[i] = r.copied()
		checks[i] = images.checks(r, places[i], opts.Copy)
	}
	for n, wanted := range images.images {
		if ctx.Err() != nil {
			return done
		}
		if n == images.end {
			images.readAhead(ctx, repositories[0])
		}
		images.next = n + 1
		var destinations []transfer.Destination
		var report []ImageResult
		var to []string
		options := opts.Copy
		for i, r := range repositories {
			at, ok := places[i][wanted]
			if !ok {
				continue
			}
			options = r.options(opts.Copy, wanted, images.manifests)
			destinations = append(destinations, transfer.Destination{Target: targets[i], Tags: r.Images[at].Copied(), Checks: checks[i]})
			to = append(to, r.To)
			report = append(report, ImageResult{From: r.From + "@" + string(wanted), To: r.To, image: wanted})
		}
		if opts.Prepare != nil {
			err = opts.Prepare(ctx, Copy{From: repositories[0].From, Source: src, To: to, Destinations: destinations, Options: &options})
		}
		if err != nil {
			for i := range report {
				report[i].Digest, report[i].Err = wanted, err
			}
			err = nil
		} else {
			for i, copied := range transfer.CopyAll(ctx, src, destinations, options) {
				report[i].Result, report[i].Err = copied.Result, copied.Err
				report[i].Digest = cmp.Or(report[i].Digest, wanted)
			}
		}
		done = append(done, report...)
	}
	for i, r := range repositories {
		var arrived []*ImageResult
		for k := range done {
			if done[k].To == r.To && done[k].Err == nil {
				arrived = append(arrived, &done[k])
			}
		}
		if err := r.compareReferrers(ctx, src, targets[i], arrived); err != nil {
			for _, image := range arrived {
				if len(r.attached[image.image]) > 0 {
					image.Err = fmt.Errorf("the referrers at the destination could not be counted: %w", err)
				}
			}
		}
	}
	return done
}

// InOrder returns the repositories to which something is copied, in the order in which [Apply] begins with them: a copy may wait
// for one to a repository before its own.
func (p Plan) InOrder() []Repository { return slices.Concat(bySource(p.Repositories)...) }

// imagesOf returns the images of several repositories, each once.
func imagesOf(repositories []Repository) (images []digest.Digest) {
	seen := map[digest.Digest]bool{}
	for _, r := range repositories {
		for _, image := range r.Images {
			if image.Copies() && !seen[image.Digest] {
				seen[image.Digest] = true
				images = append(images, image.Digest)
			}
		}
	}
	return images
}
