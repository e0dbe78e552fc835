package localecr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
	"github.com/ecrkit/ecrkit/localecr/internal/wire"
)

// A ScanFixture describes what the scan of an image finds, and how it goes; see [Options].ScanFindings. Nothing looks into
// images. For example:
//
//	localecr.ScanFixture{
//		Repository: "app", Tag: "1.*",
//		Steps: []localecr.ScanStep{
//			{After: 0, Status: types.ScanStatusPending},
//			{After: time.Minute, Status: types.ScanStatusComplete},
//		},
//		Findings: types.ImageScanFindings{Findings: []types.ImageScanFinding{
//			{Name: aws.String("CVE-2026-0001"), Severity: types.FindingSeverityHigh},
//		}},
//	}
type ScanFixture struct {
	// Which images. All that is set must match.
	Repository string // name, in which * stands for any text
	Tag        string // one of the image's tags, in which * stands for any text
	Digest     string

	// Status is the status when the scan is done; default COMPLETE, or ACTIVE if the image is scanned continuously.
	// Until then it is IN_PROGRESS, or PENDING in enhanced scanning.
	Status      types.ScanStatus
	Description string // of the status; default AWS's own, where it is known
	// Steps replace Status: each status lasts from its time until the next.
	Steps []ScanStep

	// Findings are shown with the statuses COMPLETE and ACTIVE: basic or enhanced ones, by the registry's scan type. The
	// counts by severity are made from them unless they are set.
	Findings types.ImageScanFindings
}

// A ScanStep is a status that a scan comes to.
type ScanStep struct {
	After       time.Duration // since the start of the scan, by the server's clock
	Status      types.ScanStatus
	Description string
}

// registryFixture returns the fixture as package registry evaluates it.
func (f ScanFixture) registryFixture() registry.ScanFixture {
	out := registry.ScanFixture{
		Repository: f.Repository, Tag: f.Tag, Digest: f.Digest,
		Status: f.Status, Description: f.Description, Findings: f.Findings,
	}
	for _, s := range f.Steps {
		out.Steps = append(out.Steps, registry.ScanStep(s))
	}
	return out
}

// maxScanFile is the most that a file of fixtures may have, in bytes.
const maxScanFile = 64 << 20

// scanFile is a fixture as a file has it. What `aws ecr describe-image-scan-findings` prints is one;
// registryId is not looked at.
type scanFile struct {
	RegistryId      *string
	RepositoryName  *string
	ImageId         *types.ImageIdentifier
	ImageScanStatus *types.ImageScanStatus // what the scan comes to
	Steps           []struct {             // or how
		After       *string // a duration, such as 1m30s
		Status      types.ScanStatus
		Description *string
	}
	ImageScanFindings *types.ImageScanFindings
	NextToken         *string
}

// ReadScanFindings reads fixtures from JSON, one object or a list of them. The output of
// `aws ecr describe-image-scan-findings` is a fixture; every key is optional:
//
//	{
//	  "repositoryName": "team/*",
//	  "imageId": {"imageTag": "1.*"},
//	  "steps": [{"status": "PENDING"}, {"status": "COMPLETE", "after": "1m", "description": "…"}],
//	  "imageScanFindings": {"findings": […], "enhancedFindings": […]}
//	}
//
// imageScanStatus, in place of steps, is the status when the scan is done. Unknown keys are errors.
func ReadScanFindings(r io.Reader) ([]ScanFixture, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxScanFile+1))
	if err != nil {
		return nil, fmt.Errorf("scan findings: %w", err)
	}
	if len(data) > maxScanFile {
		return nil, fmt.Errorf("scan findings: more than %d bytes", maxScanFile)
	}
	list := []json.RawMessage{data}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte{'['}) {
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("scan findings: %w", err)
		}
	}
	fixtures := make([]ScanFixture, len(list))
	for i, data := range list {
		if fixtures[i], err = readScanFixture(data); err != nil {
			return nil, fmt.Errorf("scan findings: entry %d: %w", i+1, err)
		}
	}
	return fixtures, nil
}

func readScanFixture(data []byte) (ScanFixture, error) {
	var doc scanFile
	var f ScanFixture
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte{'{'}) {
		return f, errors.New("it is not a JSON object")
	}
	if err := wire.DecodeRecorded(data, &doc); err != nil {
		return f, err
	}
	f.Repository = aws.ToString(doc.RepositoryName)
	if doc.ImageId != nil {
		f.Digest, f.Tag = aws.ToString(doc.ImageId.ImageDigest), aws.ToString(doc.ImageId.ImageTag)
	}
	if doc.ImageScanFindings != nil {
		f.Findings = *doc.ImageScanFindings
	}
	switch {
	case doc.NextToken != nil:
		return f, errors.New("it is one page of several, as nextToken says: record all findings")
	case doc.ImageScanStatus != nil && doc.Steps != nil:
		return f, errors.New("imageScanStatus and steps exclude each other")
	case doc.ImageScanStatus != nil:
		f.Status, f.Description = doc.ImageScanStatus.Status, aws.ToString(doc.ImageScanStatus.Description)
		if f.Status == "" {
			return f, errors.New("imageScanStatus.status is missing")
		}
	}
	for i, s := range doc.Steps {
		step := ScanStep{Status: s.Status, Description: aws.ToString(s.Description)}
		if s.After != nil {
			var err error
			if step.After, err = time.ParseDuration(*s.After); err != nil {
				return f, fmt.Errorf("steps[%d].after: %w", i, err)
			}
		}
		f.Steps = append(f.Steps, step)
	}
	return f, checkScanFixture(f)
}

// LoadScanFindings reads the fixtures of a file, or of all files *.json of a directory in the order of their names.
func LoadScanFindings(ctx context.Context, path string) ([]ScanFixture, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("scan findings: %w", err)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.json")); err != nil {
			return nil, fmt.Errorf("scan findings: %w", err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("scan findings: %s has no file *.json", path)
		}
	}
	var all []ScanFixture
	for _, file := range files {
		fixtures, err := loadScanFile(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, fixtures...)
	}
	return all, nil
}

func loadScanFile(ctx context.Context, path string) (_ []ScanFixture, err error) {
	f, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return ReadScanFindings(f)
}

func checkScanFixture(f ScanFixture) error {
	if f.Digest != "" && !registry.ValidDigest(f.Digest) {
		return fmt.Errorf("digest %s: it must be sha256: and 64 lower-case hexadecimal digits", f.Digest)
	}
	switch {
	case f.Status != "" && !slices.Contains(f.Status.Values(), f.Status):
		return fmt.Errorf("status %q of a scan: it must be one of %v", f.Status, f.Status.Values())
	case f.Steps != nil && (f.Status != "" || f.Description != ""):
		return errors.New("a scan has a status or steps, not both")
	}
	for i, s := range f.Steps {
		switch {
		case !slices.Contains(s.Status.Values(), s.Status):
			return fmt.Errorf("status %q of a scan: it must be one of %v", s.Status, s.Status.Values())
		case s.After < 0 || i > 0 && s.After < f.Steps[i-1].After:
			return fmt.Errorf("step %d of a scan: it must not be before the one ahead of it", i+1)
		}
	}
	for _, finding := range f.Findings.Findings {
		if s := finding.Severity; s != "" && !slices.Contains(s.Values(), s) {
			return fmt.Errorf("severity %q of %s: it must be one of %v", s, aws.ToString(finding.Name), s.Values())
		}
	}
	return nil
}

// scanFindings are the fixtures of a server.
type scanFindings struct {
	mu       sync.Mutex
	fixtures []registry.ScanFixture
}

// SetScanFindings replaces the fixtures, for scans that have begun too.
func (s *Server) SetScanFindings(fixtures ...ScanFixture) error {
	var converted []registry.ScanFixture
	for i, f := range fixtures {
		if err := checkScanFixture(f); err != nil {
			return fmt.Errorf("scan findings: entry %d: %w", i+1, err)
		}
		converted = append(converted, f.registryFixture())
	}
	s.scans.mu.Lock()
	defer s.scans.mu.Unlock()
	s.scans.fixtures = converted
	return nil
}

// find returns the fixture of an image: one that names its digest, else the first that matches, else nil.
func (s *scanFindings) find(repository, digest string, tags []string) *registry.ScanFixture {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *registry.ScanFixture
	for _, f := range s.fixtures {
		if f.Matches(repository, digest, tags) && (found == nil || found.Digest == "" && f.Digest != "") {
			found = &f
		}
	}
	return found
}
