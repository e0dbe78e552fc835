package governance

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// scanned is a registry with scanning, and a repository app.
func newScanned(t *testing.T, o localecr.Options, kind string, onPush ...string) *governed {
	t.Helper()
	if o.ScanTime == 0 {
		o.ScanTime = time.Nanosecond
	}
	g := newGoverned(t, o)
	g.repository("app")
	_, err := g.PutScanningConfiguration(t.Context(), NewScanningConfiguration(kind, onPush, nil))
	g.check(err)
	return g
}

func findings(n int) types.ImageScanFindings {
	var f types.ImageScanFindings
	for i := range n {
		f.Findings = append(f.Findings, types.ImageScanFinding{Name: aws.String(fmt.Sprintf("CVE-2026-%d", i)), Severity: types.FindingSeverityHigh})
	}
	return f
}

// All pages are read, of basic and of enhanced scans.
func TestScanReportOfAllPages(t *testing.T) {
	enhanced := types.ImageScanFindings{}
	for i := range 1001 {
		enhanced.EnhancedFindings = append(enhanced.EnhancedFindings, types.EnhancedImageScanFinding{
			Severity: aws.String("CRITICAL"), FixAvailable: aws.String("YES"), Status: aws.String("ACTIVE"),
			PackageVulnerabilityDetails: &types.PackageVulnerabilityDetails{VulnerabilityId: aws.String(fmt.Sprintf("CVE-2026-%d", i))},
		})
	}
	for kind, fixture := range map[string]types.ImageScanFindings{ScanBasic: findings(2001), ScanEnhanced: enhanced} {
		g := newScanned(t, localecr.Options{ScanFindings: []localecr.ScanFixture{{Findings: fixture}}}, kind, "*")
		image := g.image("app", "a", "1")
		all, err := g.Scans(t.Context(), "app", []ScannedImage{{Digest: image.Digest}}, ScanWait{Limit: time.Minute})
		g.check(err)
		report := all.Children[0]
		if want := len(fixture.Findings) + len(fixture.EnhancedFindings); len(report.Findings) != want || !report.Status.Done() || report.Digest != image.Digest || string(report.Type) != strings.ToLower(kind) {
			t.Errorf("%s: %d findings of %d, %s, %s", kind, len(report.Findings), want, report.Status, report.Type)
		}
	}
}

func TestStartScan(t *testing.T) {
	g := newScanned(t, localecr.Options{}, ScanBasic)
	image := g.image("app", "a", "1")
	list := g.index("app", []ocispec.Descriptor{image}, "multi")
	status, err := g.StartScan(t.Context(), "app", image.Digest)
	if err != nil || status == "" {
		t.Error(status, err)
	}
	if _, err := g.StartScan(t.Context(), "app", image.Digest); !errors.Is(err, ErrScannedToday) {
		t.Error(err)
	}
	g.server.Clock().Advance(24 * time.Hour)
	if _, err := g.StartScan(t.Context(), "app", image.Digest); err != nil {
		t.Error(err)
	}
	if _, err := g.StartScan(t.Context(), "app", list.Digest); !errors.Is(err, ErrNotScannable) {
		t.Error(err)
	}
	if _, err := g.StartScan(t.Context(), "app", digest.FromString("nothing")); !errors.Is(err, content.ErrNotFound) {
		t.Error(err)
	}
	_, err = g.PutScanningConfiguration(t.Context(), NewScanningConfiguration(ScanEnhanced, nil, []string{"*"}))
	g.check(err)
	if _, err := g.StartScan(t.Context(), "app", image.Digest); !errors.Is(err, ErrEnhancedScanning) || !strings.Contains(err.Error(), "Amazon Inspector scans images automatically") {
		t.Error(err)
	}
}

// What is waited for, started or neither, and what is said of it.
func TestScans(t *testing.T) {
	pending := []localecr.ScanFixture{{Findings: findings(1), Steps: []localecr.ScanStep{
		{Status: types.ScanStatusPending}, {Status: types.ScanStatusInProgress, After: 200 * time.Millisecond}, {Status: types.ScanStatusComplete, After: 400 * time.Millisecond},
	}}}
	steps := func(s types.ScanStatus) []localecr.ScanFixture { return []localecr.ScanFixture{{Status: s}} }
	throttled := localecr.Fault{Op: "DescribeImageScanFindings", Count: 5, Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
	refused := localecr.Fault{Op: "GetRegistryScanningConfiguration", Count: -1, Status: 400, Code: "AccessDeniedException"}
	for name, c := range map[string]struct {
		kind     string
		onPush   []string
		fixtures []localecr.ScanFixture
		wait     ScanWait
		fault    *localecr.Fault

		status  scan.Status
		says    string
		started int
	}{
		"waited for":              {ScanBasic, []string{"*"}, pending, ScanWait{Limit: time.Minute}, nil, scan.StatusComplete, "", 0},
		"not waited for":          {ScanBasic, []string{"*"}, pending, ScanWait{}, nil, scan.StatusPending, "", 0},
		"throttled":               {ScanBasic, []string{"*"}, nil, ScanWait{Limit: time.Minute}, &throttled, scan.StatusComplete, "", 0},
		"not started":             {ScanBasic, nil, nil, ScanWait{Limit: time.Minute}, nil, "", NoScanStarted, 0},
		"started":                 {ScanBasic, []string{"other"}, pending, ScanWait{Limit: time.Minute, Start: true}, nil, scan.StatusComplete, "", 1},
		"started, config refused": {ScanBasic, nil, nil, ScanWait{Limit: time.Minute, Start: true}, &refused, scan.StatusComplete, "", 1},
		"not started, refused":    {ScanBasic, nil, nil, ScanWait{Limit: time.Millisecond}, &refused, "", "it is not known whether there will be one", 0},
		"no rule":                 {ScanEnhanced, []string{"other"}, nil, ScanWait{Limit: time.Minute, Start: true}, nil, "", NoScanRule, 0},
		"enhanced":                {ScanEnhanced, []string{"*"}, nil, ScanWait{Limit: time.Minute}, nil, scan.StatusComplete, "", 0},
		"failed":                  {ScanBasic, []string{"*"}, steps(types.ScanStatusFailed), ScanWait{Limit: time.Minute}, nil, scan.StatusFailed, "", 0},
		"expired":                 {ScanEnhanced, []string{"*"}, steps(types.ScanStatusScanEligibilityExpired), ScanWait{Limit: time.Minute}, nil, scan.StatusEligibilityExpired, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newScanned(t, localecr.Options{ScanFindings: c.fixtures}, c.kind, c.onPush...)
				image := g.image("app", "a", "1")
				if c.fault != nil {
					g.check(g.server.SetFaults(*c.fault))
				}
				report, err := g.Scans(t.Context(), "app", []ScannedImage{{image.Digest, "linux/amd64"}}, c.wait)
				g.check(err)
				one := report.Children[0]
				if one.Status != c.status || !strings.Contains(one.StatusDescription, c.says) || one.Platform != "linux/amd64" || g.calls.Count("StartImageScan") != c.started {
					t.Errorf("%q: %q, %d started", one.Status, one.StatusDescription, g.calls.Count("StartImageScan"))
				}
				policy, err := scan.ParsePolicy(strings.NewReader("version: 1\nblock: [{severity: CRITICAL}]\n"))
				g.check(err)
				if v := scan.Gate(policy, report, time.Now()); (v.Err() == nil) != c.status.Done() {
					t.Error(v.Err())
				}
			})
		})
	}
}

func TestScansFail(t *testing.T) {
	g := newScanned(t, localecr.Options{}, ScanBasic, "*")
	image := g.image("app", "a", "1")
	g.check(g.server.SetFaults(localecr.Fault{Op: "DescribeImageScanFindings", Count: -1, Status: 400, Code: "AccessDeniedException", Message: "no"}))
	if _, err := g.Scans(t.Context(), "app", []ScannedImage{{Digest: image.Digest}}, ScanWait{Limit: time.Minute}); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Error(err)
	}
}

// An image that says to be something else is scanned nevertheless.
func TestScannedImages(t *testing.T) {
	g := newGoverned(t, localecr.Options{})
	g.repository("app")
	a, b, c, attestation := g.image("app", "a"), g.image("app", "b"), g.image("app", "c"), g.image("app", "attestation")
	inner := g.index("app", []ocispec.Descriptor{a, b})
	c.Annotations = map[string]string{"vnd.docker.reference.digest": string(a.Digest), "vnd.docker.reference.type": "attestation-manifest"}
	c.ArtifactType = "application/vnd.test"
	attestation.Annotations = c.Annotations
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	outer := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{inner, c, attestation, a}}
	outer.SchemaVersion = 2
	list := g.put("app", outer, outer.MediaType, "multi")
	src := ecr.New(g.cfg, g.Registry.Registry, "app")
	m, err := transfer.ReadManifest(t.Context(), src, string(list.Digest), nil)
	g.check(err)
	images, err := ScannedImages(t.Context(), src, m)
	g.check(err)
	want := []ScannedImage{{a.Digest, "linux/amd64"}, {b.Digest, "linux/arm64"}, {c.Digest, ""}}
	if fmt.Sprint(images) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", images, want)
	}
	// Which of two lists is scanned, and which is run?
	m.Content = []byte(strings.Replace(string(m.Content), `"manifests"`, `"manifests":[],"manifests"`, 1))
	if _, err := ScannedImages(t.Context(), src, m); !errors.Is(err, strictjson.ErrDuplicate) {
		t.Error(err)
	}
	outer.Manifests = []ocispec.Descriptor{attestation}
	list = g.put("app", outer, outer.MediaType, "none")
	m, err = transfer.ReadManifest(t.Context(), src, string(list.Digest), nil)
	g.check(err)
	if _, err := ScannedImages(t.Context(), src, m); !errors.Is(err, scan.ErrNoResult) {
		t.Error(err)
	}
}
