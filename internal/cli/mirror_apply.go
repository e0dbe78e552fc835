package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const mirrorApplyHelp = `Copy what a mirror selects, or exactly what a saved plan says.

  ecrkit mirror apply mirror.yaml
  ecrkit mirror apply plan.json
  ecrkit mirror apply mirror.yaml --scan-on-push --immutable-tags

CONFIG is a configuration in YAML or JSON, as ecrkit mirror plan takes it, or a plan that
ecrkit mirror plan --save wrote, - is stdin. A plan is made again and compared: if anything
that it would change has changed since, nothing is copied (exit code 5).

Images arrive byte for byte, with their signatures and other referrers; tags are set last.
Repositories of Amazon ECR that do not exist are created, with the settings that flags give.
Nothing is deleted without --max-delete. With it, what the configuration does not select is deleted
at the destinations when everything else is done: see ecrkit mirror plan. What a signing policy
requires of a source or a destination applies here too.

--shard 3/8 does the third of eight parts: run all of them, on any machines. Each process finds out
by itself which repositories are its own, those that share layers together, and keeps to an eighth
of the quotas of Amazon ECR. In a job of Kubernetes or AWS Batch, --shard auto takes the part from
the environment. ecrkit mirror report merges what they print with --output json.

If a source limits pulls, as Docker Hub does, it waits for up to a day, and says how long.
--rate-limit 30m waits no longer than that, and --rate-limit fail not at all: an image for which it
would have to wait fails (code rate-limit in the JSON), and the next run copies it.

Prints a line DIGEST and DESTINATION for each image, or with --output json one object: hash, and
images, which have from, to, and what ecrkit copy prints of an image, or error, and failed: from, to
and error of repositories that could not be compared. --junit FILE also
writes a report in JUnit XML, with a case for each image and its seconds: a failure if it was not
copied, skipped if tags are equal or left; and for each deletion. If some images
cannot be copied, the others are (exit code 3). A plan with conflicts copies nothing (exit code
5). Run again, it copies only what is missing.`

// mirrorApplyFlags are the flags of `ecrkit mirror apply`.
type mirrorApplyFlags struct {
	settings ecr.Settings
	trust    trustFlags
	atOnce   int
	prune    pruneFlags
	shard    shardFlag
	junit    *junitFile
	// before, if not nil, is called with the plan before anything is copied.
	before func(ctx context.Context, plan mirror.Plan, opts transfer.Options) error
}

func newMirrorApplyCommand(app *App) *cobra.Command {
	f := mirrorApplyFlags{junit: new(junitFile)}
	cmd := &cobra.Command{
		Use:   "apply CONFIG|PLAN",
		Short: "Copy what a mirror selects",
		Long:  mirrorApplyHelp,
		Args:  arguments(0, "CONFIG|PLAN"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.applyMirror(cmd.Context(), args[0], f) },
	}
	f.prune.add(cmd)
	f.shard.add(cmd)
	f.add(cmd, app)
	return cmd
}

// add adds the flags to a command.
func (f *mirrorApplyFlags) add(cmd *cobra.Command, app *App) {
	f.junit.add(cmd)
	inGroup(cmd, groupTransfer, func() {
		numberVar(cmd.Flags(), &f.atOnce, "repositories", 1, maxConnections, "number of repositories at once (default 8)")
		addProgressFlag(cmd, app)
		addRateLimitFlag(cmd)
	})
	inGroup(cmd, groupTrust, func() { f.trust.addPolicy(cmd) })
	inGroup(cmd, groupRepository, func() { addRepositoryFlags(cmd, &f.settings) })
}

// check refuses flags that cannot be used.
func (f *mirrorApplyFlags) check() error {
	if err := f.settings.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

func (app *App) applyMirror(ctx context.Context, path string, f mirrorApplyFlags) error {
	err := app.applyMirrorAt(ctx, path, f)
	if shard, unknown := f.shard.read(app); err != nil && unknown == nil {
		err = app.printUnapplied(shard, mirror.Plan{}, err)
	}
	return err
}

// printUnapplied has a shard that did nothing, because of err, report that as other shards do, unless it has reported already. It returns err.
func (app *App) printUnapplied(shard mirror.Shard, plan mirror.Plan, err error) error {
	report := mirror.Unapplied(shard, plan, app.Now())
	if report.Shard == nil || app.result != nil || app.resultBegun {
		return err
	}
	return errors.Join(err, app.PrintResult(mirroredImages{Hash: string(report.Hash), Images: []mirroredImage{}, Shard: report.Shard}, ""))
}

func (app *App) applyMirrorAt(ctx context.Context, path string, f mirrorApplyFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	config, saved, err := app.readMirror(path)
	if err != nil {
		return err
	}
	if f.prune.pruning, err = f.prune.read(app); err != nil {
		return err
	}
	if saved != nil && f.prune.pruning != nil {
		return usagef("--max-delete is part of a saved plan: pass it to ecrkit mirror plan")
	}
	if config.Repositories.IsSet() && f.settings.IsSet() {
		return usagef("the configuration has settings for new repositories, under repositories: leave out the flags for them")
	}
	opener, err := app.mirrorOpener(&f.settings, "")
	if err != nil {
		return err
	}
	if err := f.junit.create(app); err != nil {
		return err
	}
	return f.junit.end(app.applyConfig(ctx, config, saved, opener, f))
}

// applyConfig plans and copies; saved, if not nil, must be the plan.
func (app *App) applyConfig(ctx context.Context, config mirror.Config, saved *mirror.Plan, opener mirror.Opener, f mirrorApplyFlags) error {
	settings, err := app.settings()
	if err != nil {
		return err
	}
	shard, err := f.shard.read(app)
	if err != nil {
		return err
	}
	if saved != nil && saved.Shard != nil && f.shard.text == "" {
		shard = saved.Shard.Shard
	}
	if err := app.divide(shard); err != nil {
		return err
	}
	trusting := &mirrorTrust{app: app, flags: &f.trust, prepared: map[string]*preparedTrust{}}
	options := mirror.Options{Prune: f.prune.pruning, Shard: shard, Repositories: f.atOnce, Now: app.Now, ManifestDir: app.manifestDir(), Prepare: trusting.prepare, Copy: transfer.Options{
		Layers: settings.Transfer.Layers, Connections: settings.Transfer.Connections, AllConnections: settings.Transfer.AllConnections,
		JournalDir: settings.StateDir, TempDir: app.tempDir(), Now: app.Now, Shared: transfer.NewSharedBlobs(),
	}}
	plan, planErr := mirror.Plan{}, error(nil)
	if saved != nil {
		if plan, err = saved.Check(ctx, opener, options); err != nil {
			return app.printUnapplied(shard, mirror.Plan{}, err)
		}
	} else if plan, planErr = mirror.NewPlan(ctx, config, opener, options); planErr != nil && planned(plan) == 0 && plan.Shard == nil {
		return planErr // the report of a shard says it too, for ecrkit mirror report
	}
	f.junit.addPlan(plan)
	if err := plan.Err(); err != nil {
		if errors.Is(err, mirror.ErrTooManyDeletions) {
			err = fmt.Errorf("%w; nothing was copied or deleted; raise --max-delete, or correct the configuration", err)
		} else {
			err = fmt.Errorf("%w\n%w", err, errConflicts)
		}
		return app.printUnapplied(shard, plan, err)
	}
	if f.before != nil {
		if err := f.before(ctx, plan, options.Copy); err != nil {
			return err
		}
	}
	progress, err := app.newProgress()
	if err != nil {
		return err
	}
	options.Copy.Progress = releasing(progress.Handle)
	defer app.limitMemoryTo(max(mirrorMemory, liveMemory()*3/2+mirrorParts))()
	report, err := mirror.Apply(ctx, plan, opener, options)
	progress.Close()
	f.junit.addReport(report, err)
	trusting.tell()
	return app.printMirrored(plan, report, planErr, err)
}

// mirroredImage is an image of the result of a mirror.
type mirroredImage struct {
	mirror.ImageResult
	Error *failure `json:"error,omitempty"`
}

// unplannedRepository is a repository of the result of a mirror that could not be planned.
type unplannedRepository struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	Error failure `json:"error"`
}

// mirroredImages is the result of a mirror.
type mirroredImages struct {
	Hash   string          `json:"hash"`
	Images []mirroredImage `json:"images"`
	// Deleted is what was pruned.
	Deleted []mirror.Deleted      `json:"deleted,omitempty"`
	Failed  []unplannedRepository `json:"failed,omitempty"`
	// Shard is there if other processes do the rest.
	Shard *mirror.ShardReport `json:"shard,omitempty"`
}

// printMirrored prints what was copied. planErr is about repositories that could not be planned.
func (app *App) printMirrored(plan mirror.Plan, report mirror.Report, planErr, err error) error {
	var text strings.Builder
	images := []mirroredImage{}
	copied := 0
	var foreign, chosen []mirror.ImageResult
	for _, m := range report.Images {
		entry := mirroredImage{ImageResult: m}
		if m.Err != nil {
			f := newFailure(m.To, m.Err)
			entry.Error = &f
		} else {
			copied++
			if len(m.Foreign) > 0 {
				foreign = append(foreign, m)
			}
			if !strings.HasSuffix(m.From, "@"+string(m.Digest)) {
				chosen = append(chosen, m)
			}
			fmt.Fprintf(&text, "%s  %s\n", m.Digest, m.To+tagList(m.Tags))
		}
		images = append(images, entry)
	}
	var failed []unplannedRepository
	for _, r := range plan.Repositories {
		if err := r.Cause(); err != nil {
			failed = append(failed, unplannedRepository{r.From, r.To, newFailure(r.To, err)})
		}
	}
	result := mirroredImages{string(report.Hash), images, report.Deleted, failed, report.Shard}
	for _, d := range report.Deleted {
		fmt.Fprintf(&text, "deleted  %s%s\n", d.Repository, printable(d.ImageName.String()))
	}
	if err := app.PrintResult(result, text.String()); err != nil {
		return err
	}
	for _, m := range chosen {
		app.Messagef("%s is some platforms of %s", m.Digest, m.From)
	}
	for _, m := range foreign {
		app.Messagef("%s of %s: not copied to %s; whoever pulls the image reads non-distributable layers from their URLs",
			english.Plural(len(m.Foreign), "foreign layer", ""), m.From, m.To)
	}
	kept := 0
	for _, r := range plan.Repositories {
		if r.NothingSelected() {
			app.Messagef("%s", nothingSelected(r))
		}
		kept += r.Kept
	}
	wanted, arrived := 0, 0
	for _, m := range report.Images {
		if m.Referrers != nil {
			wanted, arrived = wanted+m.Referrers.Source, arrived+m.Referrers.Destination
		}
	}
	if wanted > 0 {
		app.Messagef("referrers: %d at the sources, %d at the destinations", wanted, arrived)
	}
	if plan.Prune != nil {
		app.Messagef("deleted %s", english.Plural(len(report.Deleted), "tag or untagged image", "tags and untagged images"))
	}
	app.Messagef("mirrored %s; %s already equal", english.Plural(copied, "image", ""), english.Plural(kept, "tag", ""))
	if err = errors.Join(planErr, err); err != nil {
		return partly(copied+kept, []error{err})
	}
	return nil
}

// tagList is the tags of an image behind the name of its repository.
func tagList(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return ":" + strings.Join(tags, ",")
}

// planBegins is how a plan begins, and no configuration.
const planBegins = `{"hash":`

// readMirror reads a configuration or a saved plan, whichever is at path.
func (app *App) readMirror(path string) (mirror.Config, *mirror.Plan, error) {
	data, err := app.readMirrorText(path)
	if err != nil {
		return mirror.Config{}, nil, err
	}
	if plan, err := mirror.ParsePlan(data); err == nil {
		return plan.Config, &plan, nil
	} else if !errors.Is(err, mirror.ErrNoPlan) {
		return mirror.Config{}, nil, usagef("%s: %w", showFile(path), err)
	} else if bytes.HasPrefix(data, []byte(planBegins)) && !json.Valid(data) {
		return mirror.Config{}, nil, usagef("%s is a plan that was cut off; make it again with ecrkit mirror plan CONFIG --save %s", showFile(path), showFile(path))
	}
	config, err := app.decodeMirrorConfig(path, bytes.NewReader(data), mirror.ReadConfig)
	return config, nil, err
}

// mirrorTrust applies the signing policy to the copies of a mirror.
type mirrorTrust struct {
	app   *App
	flags *trustFlags

	mu       sync.Mutex
	prepared map[string]*preparedTrust // by source and destinations
	results  []*trustResult            // of images about which there may be something to tell
}

// preparedTrust is what is required of the images of a source, and of its destinations.
type preparedTrust struct {
	*trust
	outcomes []copyOutcome
}

func (t *mirrorTrust) prepare(ctx context.Context, c mirror.Copy) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := strings.Join(append([]string{c.From}, c.To...), " ")
	prepared := t.prepared[key]
	if prepared == nil {
		var err error
		if prepared, err = t.prepareOnce(ctx, c); err != nil {
			return err
		}
		t.prepared[key] = prepared
	}
	result := prepared.apply(c.Options, c.Source, c.Destinations, prepared.outcomes)
	if c.Options.Verify != nil || c.Options.BeforeTags != nil {
		t.results = append(t.results, result)
	}
	return nil
}

func (t *mirrorTrust) prepareOnce(ctx context.Context, c mirror.Copy) (*preparedTrust, error) {
	src, err := t.app.parseMirrored(c.From)
	if err != nil {
		return nil, err
	}
	var dsts []ref.Reference
	p := &preparedTrust{outcomes: make([]copyOutcome, len(c.To))}
	for i, to := range c.To {
		dst, err := t.app.parseMirrored(to)
		if err != nil {
			return nil, err
		}
		dsts = append(dsts, dst)
		p.outcomes[i].references = []ref.Reference{dst}
	}
	p.trust, err = t.flags.prepare(ctx, t.app, src, dsts, false)
	return p, err
}

// tell writes to people what was verified and signed.
func (t *mirrorTrust) tell() {
	for _, r := range t.results {
		r.tell()
	}
}
