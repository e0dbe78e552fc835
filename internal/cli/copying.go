package cli

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const resultHelp = `Prints a line DIGEST and DST for each destination, or with --output json one object: reference,
digest, mediaType, tags, blobsSent, blobsSkipped, blobsMounted, bytesSent, bytesResumed,
bytesSkipped, bytesMounted, calls, retries, seconds, and foreignLayersLeftOut (digests) where
non-distributable layers were not copied. "images" is an array of such objects, one
for each destination; those that failed have an "error". An image that was verified or signed
has "verification" and "signatures", as ecrkit verify and sign print them. With --scan-gate it
has "scan": outcome (passed, failed, no-result) and images (digest, platform, status, outcome,
reason, counts, blocking). --dry-run prints what would be done, with bytes and calls, and writes
nothing.`

// copying is what push, pull and copy have in common: their flags, and how they
// copy and say what they did.
type copying struct {
	app *App

	platforms  []string
	keepDigest bool
	referrers  bool
	foreign    bool
	dryRun     bool
	layers     int
	perLayer   int
	inAll      int
	upload     uploadMode
	trust      trustFlags
	scans      scanGateFlags
	publishes  bool // what was built here, of which no signature is required
	files      resultFiles
	visible    time.Duration // --wait-visible
	assert     string        // --assert-digest
	proxyCache string        // of which layers are read

	repository   func() (*ecr.Settings, error) // of --create-repository
	repositories map[string]content.Target     // that were opened
	collects     bool                          // many images go to one file or directory
	collected    pendingTarget                 // that file or directory, once it is opened
	checks       *transfer.BlobChecks          // of many images that go to one repository
}

func (c *copying) addFlags(cmd *cobra.Command, app *App) {
	c.app = app
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "print what would be done, and write nothing")
	inGroup(cmd, groupPipeline, func() { c.files.add(cmd) })
	inGroup(cmd, groupTransfer, func() { c.addTransferFlags(cmd, app) })
	inGroup(cmd, groupRepository, func() { c.repository = addCreateRepositoryFlags(cmd) })
}

func (c *copying) addTransferFlags(cmd *cobra.Command, app *App) {
	flags := cmd.Flags()
	flags.StringSliceVar(&c.platforms, "platform", nil, "copy only `OS/ARCH[/VARIANT]` of an index; may be repeated")
	flags.BoolVar(&c.keepDigest, "keep-digest", false, "refuse a choice of platforms that changes the digest")
	flags.BoolVar(&c.referrers, "referrers", false, "copy signatures, attestations and other referrers too")
	flags.BoolVar(&c.foreign, "include-foreign", false, "copy non-distributable layers too, from their URLs if necessary")
	numberVar(flags, &c.perLayer, "connections", 1, maxConnections, "number of connections for one layer (default 8)")
	numberVar(flags, &c.layers, "layers", 1, maxConnections, "number of large layers at once (default 4)")
	numberVar(flags, &c.inAll, "max-connections", 1, maxConnections, "number of connections in total (default 16)")
	flags.Var(&c.upload, "upload", "how to upload blobs to Amazon ECR (default auto)")
	addProgressFlag(cmd, app)
	addCompressionFlag(cmd, app)
}

// options are what the flags say, for the image that src names.
func (c *copying) options(src ref.Reference) (transfer.Options, error) {
	config, err := c.app.settings()
	if err != nil {
		return transfer.Options{}, err
	}
	o := transfer.Options{
		Reference: src.Name(), KeepDigest: c.keepDigest, Referrers: c.referrers,
		Layers: cmp.Or(c.layers, config.Transfer.Layers), Connections: cmp.Or(c.perLayer, config.Transfer.Connections),
		AllConnections: cmp.Or(c.inAll, config.Transfer.AllConnections),
		JournalDir:     config.StateDir, TempDir: c.app.tempDir(), Now: c.app.Now,
	}
	if src.Kind == ref.KindDockerDaemon {
		o.Reference = "" // there is only the image; its ID is not the digest of a manifest
	}
	for _, s := range c.platforms {
		p, err := content.ParsePlatform(s)
		if err != nil {
			return o, usageError{err}
		}
		o.Platforms = append(o.Platforms, p)
	}
	if c.proxyCache != "" {
		o.Local = proxy.Blobs(c.proxyCache)
	}
	if c.foreign {
		opener, err := c.app.opener()
		if err != nil {
			return o, err
		}
		o.Foreign = opener.ForeignLayers()
	}
	return o, nil
}

// copy copies the image that src names and prints what became of it; did is what
// was done, for people.
func (c *copying) copy(ctx context.Context, did string, src ref.Reference, dsts []ref.Reference) error {
	defer c.app.limitMemory()()
	src = withLatest(src)
	options, err := c.options(src)
	if err != nil {
		return err
	}
	if err := c.checkAssert(); err != nil {
		return err
	}
	trust, err := c.trust.prepare(ctx, c.app, src, dsts, c.publishes && !src.IsRepository())
	if err != nil {
		return err
	}
	gate, err := c.scans.prepare(c.app, dsts)
	if err != nil {
		return err
	}
	results, err := c.files.open(c.app)
	if err != nil {
		return err
	}
	defer results.discard()
	source, closeSource, err := c.app.openSource(ctx, src)
	if err != nil {
		return err
	}
	defer closeSource()
	outcomes, err := c.run(ctx, did, source, dsts, options, trust, gate)
	if err != nil {
		return err
	}
	return c.end(did, results, outcomes, trust, gate)
}

// end prints what became of the images, and writes it to files and reports.
func (c *copying) end(did string, results openResults, outcomes []copyOutcome, trust *trust, gate *scanGate) error {
	err := gate.finish(c.app.printOutcomes(outcomes))
	reported := c.app.report("Images "+did, results, trust.madeOf(outcomes))
	if err == nil || reported == nil {
		return cmp.Or(err, reported)
	}
	return errors.Join(err, reported)
}

// run copies to all dsts, or finds out what it would do.
func (c *copying) run(ctx context.Context, did string, source content.Source, dsts []ref.Reference, options transfer.Options, trust *trust, gate *scanGate) ([]copyOutcome, error) {
	destinations, outcomes, err := c.open(ctx, dsts)
	if err != nil {
		return nil, err
	}
	defer closeTargets(destinations)
	found := trust.apply(&options, source, destinations, outcomes)
	if err := gate.apply(ctx, &options, destinations, outcomes); err != nil {
		return nil, err
	}
	if c.dryRun {
		for i, p := range transfer.Preview(ctx, source, destinations, options) {
			outcomes[i].plan, outcomes[i].err, outcomes[i].Verification = &p.Plan, p.Err, found.verification
			c.app.tellMoved(destinations[i].Target, "would move", p.Moved)
			outcomes[i].replaced = c.app.tellReplaced(destinations[i].Target, "would replace", destinations[i].Tags)
			c.tellSubset(p.Digest, p.MediaType, p.SubsetOf)
			c.tellForeign(destinations[i].Target, "would not be", p.Foreign)
		}
		found.tell()
		c.app.dryRunDone()
		return outcomes, nil
	}
	progress, err := c.app.newProgress()
	if err != nil {
		return nil, err
	}
	options.Progress = releasing(progress.Handle)
	gate.show(progress, found)
	endGroup := c.app.group("to " + showReferences(dsts))
	all := transfer.CopyAll(ctx, source, destinations, options)
	progress.Close()
	endGroup()
	found.tell()
	var each []copyOutcome
	for i, r := range all {
		if r.Err == nil {
			r.Err = c.afterCopy(ctx, destinations[i], r.Result)
		}
		one := outcomes[i]
		one.result, one.err, one.Verification = &r.Result, r.Err, found.verification
		one.Scan = gate.outcome(destinations[i].Target)
		if r.Err == nil || len(r.Tags) > 0 {
			c.app.Messagef("%s", summary(did, r.Result))
			c.app.tellMoved(destinations[i].Target, "moved", r.Moved)
			one.replaced = c.app.tellReplaced(destinations[i].Target, "replaced", destinations[i].Tags)
			c.tellSubset(r.Digest, r.MediaType, r.SubsetOf)
			c.tellForeign(destinations[i].Target, "were not", r.Foreign)
			one.Signatures = found.signed[destinations[i].Target]
		}
		each = append(each, one.split()...)
	}
	return each, nil
}

// tellSubset reports that an index was made of some images of another one, and what that, or the choice of one image,
// leaves behind.
func (c *copying) tellSubset(copied digest.Digest, mediaType string, of digest.Digest) {
	switch {
	case of == "":
	case !content.IsIndex(mediaType):
		if c.referrers {
			c.app.Messagef("%s is one image of %s, whose own signatures and other referrers were not copied", copied, of)
		}
	case c.referrers:
		c.app.Messagef("%s is a new index of some images of %s, whose signatures and other referrers are not those of the new one and were not copied", copied, of)
	default:
		c.app.Messagef("%s is a new index of some images of %s", copied, of)
	}
}

// tellForeign reports that layers were left out.
func (c *copying) tellForeign(dst content.Target, were string, layers []digest.Digest) {
	if n := len(layers); n > 0 {
		if n == 1 && were == "were not" {
			were = "was not"
		}
		c.app.Messagef("%s %s copied to %s: whoever pulls the image reads non-distributable layers from their URLs; if the license allows you to distribute them, --include-foreign copies them",
			english.Plural(n, "foreign layer", ""), were, dst)
	}
}

// open opens the destinations: those that differ in the tag alone are one.
func (c *copying) open(ctx context.Context, dsts []ref.Reference) ([]transfer.Destination, []copyOutcome, error) {
	settings, err := c.repository()
	if err != nil {
		return nil, nil, err
	}
	config, err := c.app.settings()
	if err != nil {
		return nil, nil, err
	}
	var destinations []transfer.Destination
	var outcomes []copyOutcome
	places := map[string]int{}
	for _, dst := range dsts {
		dst = withLatest(dst)
		key := dst.Place() + "@" + string(dst.Digest)
		i, known := places[key]
		if !known {
			target, err := c.target(ctx, dst)
			if err != nil {
				return nil, nil, err
			}
			if repository, ok := target.(*ecr.Repository); ok {
				c.app.writes(dst)
				repository.Create = settings
				repository.Upload = cmp.Or(ecr.UploadMode(c.upload), ecr.UploadMode(config.Transfer.Upload))
			}
			i = len(destinations)
			places[key] = i
			destinations = append(destinations, transfer.Destination{Target: target, Digest: cmp.Or(dst.Digest, digest.Digest(c.assert)), Checks: c.checks})
			outcomes = append(outcomes, copyOutcome{})
		}
		if dst.Tag != "" {
			destinations[i].Tags = append(destinations[i].Tags, dst.Tag)
		}
		outcomes[i].references = append(outcomes[i].references, dst)
	}
	return destinations, outcomes, nil
}

// showReferences names all of them.
func showReferences(all []ref.Reference) string {
	var names []string
	for _, r := range all {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

// writes notes a repository that the command writes to, for advice.
func (app *App) writes(dst ref.Reference) {
	if app.written == nil {
		app.written = map[string]bool{}
	}
	app.written[dst.Place()] = true
}

// target opens a destination; a repository once for all images that go there, so
// that they share its connections.
func (c *copying) target(ctx context.Context, dst ref.Reference) (content.Target, error) {
	if !dst.IsRepository() {
		if c.collected != nil {
			return c.collected, nil
		}
		target, err := c.app.openTarget(ctx, dst)
		if err == nil && c.collects {
			if c.collected = pending(target); c.collected != nil {
				return c.collected, nil
			}
		}
		return target, err
	}
	if c.repositories == nil {
		c.repositories = map[string]content.Target{}
	}
	target := c.repositories[dst.Place()]
	if target == nil {
		var err error
		if target, err = c.app.openTarget(ctx, dst); err != nil {
			return nil, err
		}
		c.repositories[dst.Place()] = target
	}
	return target, nil
}

// uploadMode is the value of --upload.
type uploadMode ecr.UploadMode

func (m *uploadMode) String() string { return string(*m) }
func (m *uploadMode) Type() string   { return "auto|v2|native" }
func (m *uploadMode) Set(s string) error {
	switch mode := ecr.UploadMode(s); mode {
	case ecr.UploadAuto, ecr.UploadV2, ecr.UploadNative:
		*m = uploadMode(mode)
		return nil
	}
	return errors.New("must be auto, v2 or native")
}
