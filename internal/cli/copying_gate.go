package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/ui"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const scanGateFlagHelp = `--scan-gate POLICY sets a tag only if the findings of the scan pass the policy of ecrkit scan
gate. The image is stored by its digest, and ecrkit waits for its scan (--scan-timeout). If
findings block the image (exit code 5) or there is no result (exit code 1), no tag is set. If
the registry has basic scanning and does not scan the repository automatically, ecrkit starts the
scan. Every image of an index must pass. DST must be in Amazon ECR. --scan-report FILE writes the
findings in any case. With --sign the order is: store, scan, sign, tag.`

// scanGateFlags are the flags of a copy that sets a tag only after the scan.
type scanGateFlags struct {
	policy  string
	reports scanReportFlags
	timeout time.Duration
}

func (f *scanGateFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "scan-gate", "", "set a tag only if the findings of the scan pass this `POLICY`")
	flags.StringArrayVar(&f.reports.files, "scan-report", nil, "write the findings to `[FORMAT=]FILE`; may be repeated")
	timeVar(flags, &f.timeout, "scan-timeout", defaultScanTimeout, "how long to wait for the scan")
}

// scanGate judges images where they have arrived, before their tags. A nil *scanGate lets
// everything pass.
type scanGate struct {
	app     *App
	policy  *scan.Policy
	reports scanReports
	timeout time.Duration
	places  map[content.Target]scanPlace

	progress *ui.Progress // of the copy that runs
	note     func(format string, args ...any)

	mu    sync.Mutex
	found []scan.Report                    // in no order
	last  map[content.Target]*scan.Verdict // of the image that was copied last
}

// scanPlace is a repository that is copied to.
type scanPlace struct {
	registry   *governance.Registry
	repository string
}

// prepare reads the policy, before anything is sent. It returns nil if there is no gate.
func (f *scanGateFlags) prepare(app *App, dsts []ref.Reference) (*scanGate, error) {
	if f.policy == "" {
		if len(f.reports.files) > 0 {
			return nil, usagef("--scan-report needs --scan-gate POLICY")
		}
		return nil, nil
	}
	for _, dst := range dsts {
		if dst.Kind != ref.KindECR || dst.Registry.Public {
			return nil, usagef("--scan-gate: %s is not in a private registry of Amazon ECR, which scans images", dst)
		}
	}
	if f.timeout <= 0 {
		return nil, usagef("--scan-timeout must be more than 0")
	}
	policy, err := app.readScanPolicy(f.policy)
	if err != nil {
		return nil, err
	}
	f.reports.flag = "--scan-report"
	reports, err := f.reports.reports(app)
	if err != nil {
		return nil, err
	}
	return &scanGate{
		app: app, policy: policy, reports: reports, timeout: f.timeout,
		places: map[content.Target]scanPlace{}, last: map[content.Target]*scan.Verdict{},
	}, nil
}

// apply has the gate asked before what options do before the tags: an image that does not
// pass is not signed.
func (g *scanGate) apply(ctx context.Context, options *transfer.Options, destinations []transfer.Destination, outcomes []copyOutcome) error {
	if g == nil {
		return nil
	}
	for i, d := range destinations {
		reference := outcomes[i].references[0]
		registry, err := g.app.governanceOf(ctx, reference.Registry)
		if err != nil {
			return err
		}
		g.places[d.Target] = scanPlace{registry, reference.Repository}
	}
	next := options.BeforeTags
	options.BeforeTags = func(ctx context.Context, dst content.Target, image content.Manifest) error {
		if err := g.judge(ctx, dst, image); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		return next(ctx, dst, image)
	}
	return nil
}

// show has the gate tell what it waits for, and note what it found among what else was
// done to the image, in the order in which it happened.
func (g *scanGate) show(progress *ui.Progress, found *trustResult) {
	if g != nil {
		g.progress, g.note = progress, found.note
	}
}

// judge waits for the scan of an image and judges it.
func (g *scanGate) judge(ctx context.Context, dst content.Target, image content.Manifest) error {
	place, ok := g.places[dst]
	source, readable := dst.(content.Source)
	if !ok || !readable {
		return fmt.Errorf("%s: %w: images there are not scanned", dst, scan.ErrNoResult)
	}
	images, err := governance.ScannedImages(ctx, source, image)
	if err != nil {
		return err
	}
	end := g.progress.Wait("the scan of "+dst.String()+"@"+string(image.Descriptor.Digest), g.timeout)
	report, err := place.registry.Scans(ctx, place.repository, images, governance.ScanWait{Limit: g.timeout, Start: true})
	end()
	if err != nil {
		return fmt.Errorf("%w: %w", scan.ErrNoResult, err)
	}
	report.Name, report.Digest = fmt.Sprintf("%s@%s", dst, image.Descriptor.Digest), image.Descriptor.Digest
	v := scan.Gate(g.policy, report, g.app.Now())
	for _, i := range v.Images {
		if i.Outcome == scan.Passed {
			g.note("scanned %s: passed, findings: %s", strings.TrimSpace(string(i.Digest)+" "+i.Platform), showCounts(i.Counts))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.found = append(g.found, report)
	g.last[dst] = &v
	return v.Err()
}

// outcome is what became of the image that was copied to dst last, nil if nothing is known.
func (g *scanGate) outcome(dst content.Target) *scanOutcome {
	if g == nil || g.last[dst] == nil {
		return nil
	}
	v := g.last[dst]
	delete(g.last, dst)
	o := &scanOutcome{Outcome: v.Outcome, Images: []scanOutcomeImage{}}
	for _, i := range v.Images {
		blocking := 0
		for _, j := range i.Judged {
			if j.Decision == scan.Blocks {
				blocking++
			}
		}
		o.Images = append(o.Images, scanOutcomeImage{i.Digest, i.Platform, i.Status, i.Outcome, i.Reason, i.Counts, blocking})
	}
	switch {
	case v.Outcome == scan.Failed && !g.app.Quiet:
		_ = v.Write(g.app.Stderr, scan.FormatTable, scan.WriteOptions{Columns: g.app.terminalColumns()}) // for people; the error says it too
	default:
		for _, warning := range v.Warnings {
			g.app.Messagef("warning: %s", warning)
		}
	}
	return o
}

// finish writes the reports about all images, once all are copied. What could not be
// written is an error whatever became of them.
func (g *scanGate) finish(err error) error {
	if g == nil || len(g.found) == 0 {
		return err
	}
	slices.SortFunc(g.found, func(a, b scan.Report) int { return strings.Compare(a.Name, b.Name) })
	v := scan.Gate(g.policy, scan.Merge(g.found...), g.app.Now())
	for _, file := range g.reports.files {
		err = errors.Join(err, file.write(g.app, v))
	}
	return err
}

// scanOutcome is the JSON form of what a gate made of an image.
type scanOutcome struct {
	Outcome scan.Outcome       `json:"outcome"`
	Images  []scanOutcomeImage `json:"images"` // of an index those for a platform
}

type scanOutcomeImage struct {
	Digest   digest.Digest         `json:"digest"`
	Platform string                `json:"platform,omitempty"`
	Status   scan.Status           `json:"status"`
	Outcome  scan.Outcome          `json:"outcome"`
	Reason   string                `json:"reason,omitempty"` // why there is no result
	Counts   map[scan.Severity]int `json:"counts"`
	Blocking int                   `json:"blocking"` // findings
}
