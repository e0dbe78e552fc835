package mirror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// maxReport bounds a report that is read, in bytes.
const maxReport = 256 << 20

// The errors of reports.
var (
	// ErrNoReport reports that a document has no report of a mirror.
	ErrNoReport = errors.New("there is no report of a mirror")
	// ErrNotWhole reports that the reports of shards do not make a whole mirror.
	ErrNotWhole = errors.New("the reports are not of the whole mirror")
)

// ReportFile is a [Report] of a shard that was read again.
type ReportFile struct {
	Name  string // of the file, for messages
	Shard ShardReport
	// Images are the images of the report: their JSON as it was written.
	Images  []ReportedImage
	Deleted []Deleted
	// Failed are the repositories that the shard could not plan.
	Failed []FailedRepository
	// Error is the error with which the shard ended, "" if all was done.
	Error string
}

// planned reports whether the shard had a plan.
func (r ReportFile) planned() bool { return r.Shard.Deal != "" }

// FailedRepository is a repository of a report of which nothing was copied, as it could not be planned.
type FailedRepository struct {
	From  string `json:"from"` // HOST/REPOSITORY
	To    string `json:"to"`   // HOST/REPOSITORY
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
	JSON json.RawMessage `json:"-"`
}

// MarshalJSON returns what the shard wrote.
func (f FailedRepository) MarshalJSON() ([]byte, error) { return f.JSON.MarshalJSON() }

// UnfinishedShard is a shard that ended with an error that is not about an image or a repository, such as one of a deletion.
type UnfinishedShard struct {
	Shard string `json:"shard"` // I/N
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

// ReportedImage is an image of a report.
type ReportedImage struct {
	From   string        `json:"from"`
	To     string        `json:"to"`
	Digest digest.Digest `json:"digest"`
	Tags   []string      `json:"tags"`
	// Seconds is how long the copy took.
	Seconds float64 `json:"seconds"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
	JSON json.RawMessage `json:"-"`
}

// MergedReport is the report of all shards. Its JSON form is stable: fields are only added.
type MergedReport struct {
	Deal   digest.Digest `json:"deal"` // as in [Sharding]; "" if no shard had a plan
	Shards int           `json:"shards"`
	// Missing are the shards of which there is no report.
	Missing []int `json:"missing,omitempty"`
	// Repositories is how many repositories of destinations the shards have.
	Repositories int `json:"repositories"`
	// Kept is how many tags were equal on both sides before the shards were run for the first time.
	Kept int `json:"kept"`
	// Images are as the shards wrote them, in the order of destination and source.
	Images  []json.RawMessage `json:"images"`
	Deleted []Deleted         `json:"deleted,omitempty"`
	// Failed are the repositories that the last runs could not plan, as the shards wrote them.
	Failed []FailedRepository `json:"failed,omitempty"`
	// Unfinished are the shards of which the last run ended with another error, such as one before it had a plan.
	Unfinished []UnfinishedShard `json:"unfinished,omitempty"`

	// Copied are the images without an error.
	Copied []ReportedImage `json:"-"`
}

// ReadReports reads the reports in what a shard wrote: JSON, or a log in which it is one line. A line that the
// log cut into pieces, one after the other, is put together. name is for messages. The error wraps
// [ErrNoReport] if there is none.
func ReadReports(r io.Reader, name string) (reports []ReportFile, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxReport {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxReport)
	}
	lines := [][]byte{bytes.TrimSpace(data)}
	if !json.Valid(data) {
		lines = reportLines(data)
	}
	for _, line := range lines {
		report, ok, err := readReport(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if ok {
			report.Name = name
			reports = append(reports, report)
		}
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("%s: %w of a shard", name, ErrNoReport)
	}
	return reports, nil
}

// readReport reads one object; ok is whether it is a report of a shard.
func readReport(data []byte) (report ReportFile, ok bool, err error) {
	var w struct {
		Images  []json.RawMessage `json:"images"`
		Deleted []Deleted         `json:"deleted"`
		Failed  []json.RawMessage `json:"failed"`
		Shard   *ShardReport      `json:"shard"`
		Error   struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if !bytes.Contains(data, []byte(`"shard"`)) {
		return report, false, nil
	}
	if err := strictjson.Unmarshal(data, &w); err != nil {
		return report, false, err
	}
	if w.Shard == nil {
		return report, false, nil
	}
	undone := w.Shard.Deal == "" && w.Error.Message == "" // says nothing of what the shard did
	if err := w.Shard.Validate(); err != nil || !w.Shard.isSet() || w.Images == nil || undone {
		return report, false, errors.Join(ErrNoReport, err)
	}
	report = ReportFile{Shard: *w.Shard, Deleted: w.Deleted, Error: w.Error.Message}
	for _, raw := range w.Images {
		image := ReportedImage{JSON: raw}
		if err := strictjson.Unmarshal(raw, &image); err != nil {
			return report, false, err
		}
		if image.Error == nil && image.Digest.Validate() != nil {
			return report, false, fmt.Errorf("%w: an image has the digest %q", ErrNoReport, image.Digest)
		}
		report.Images = append(report.Images, image)
	}
	for _, raw := range w.Failed {
		failed := FailedRepository{JSON: raw}
		if err := strictjson.Unmarshal(raw, &failed); err != nil {
			return report, false, err
		}
		report.Failed = append(report.Failed, failed)
	}
	return report, true, nil
}

// MergeReports makes one report of those of all shards, in any order. A shard that was run again may have
// several: its images are those of all of them, and the last one says what failed. The error is about all that
// keeps the mirror from being whole, and about each image and repository that failed: it wraps [ErrNotWhole] if a shard is
// missing, if a repository was in several shards or in none, or if the shards divided the work in different
// ways, because a source changed between them. The report is about what there is.
func MergeReports(reports []ReportFile) (MergedReport, error) {
	m := MergedReport{Images: []json.RawMessage{}}
	if len(reports) == 0 {
		return m, ErrNoReport
	}
	reports = slices.Clone(reports)
	slices.SortStableFunc(reports, func(a, b ReportFile) int {
		return cmp.Or(cmp.Compare(a.Shard.Index, b.Shard.Index), a.Shard.Finished.Compare(b.Shard.Finished))
	})
	first := reports[max(0, slices.IndexFunc(reports, ReportFile.planned))]
	m.Deal, m.Shards = first.Shard.Deal, first.Shard.Count
	var problems, failures []error
	var all []ReportedImage
	for _, r := range reports {
		if r.Shard.Count != first.Shard.Count {
			return m, fmt.Errorf("%w: %s is of shard %s, and %s of shard %s", ErrNotWhole, first.Name, first.Shard.Shard, r.Name, r.Shard.Shard)
		}
		if r.planned() && r.Shard.Deal != first.Shard.Deal {
			problems = append(problems, fmt.Errorf("%w: shard %s (%s) and shard %s (%s) divided the work in different ways, as a source changed between them: run all shards again, or apply a saved plan",
				ErrNotWhole, first.Shard.Shard, first.Name, r.Shard.Shard, r.Name))
		}
	}
	owners := map[string]ReportFile{}
	unplanned := false // a shard had no plan
	for index := 1; index <= m.Shards; index++ {
		own := slices.DeleteFunc(slices.Clone(reports), func(r ReportFile) bool { return r.Shard.Index != index })
		if len(own) == 0 {
			m.Missing = append(m.Missing, index)
			continue
		}
		last := own[len(own)-1]
		if planned := slices.DeleteFunc(slices.Clone(own), func(r ReportFile) bool { return !r.planned() }); len(planned) == 0 {
			unplanned = true
		} else {
			m.Kept += keptBefore(planned)
			owner := planned[len(planned)-1]
			for _, repository := range owner.Shard.Repositories {
				if other, taken := owners[repository]; taken {
					problems = append(problems, fmt.Errorf("%w: %s is in shard %s and in shard %s", ErrNotWhole, repository, other.Shard.Shard, owner.Shard.Shard))
				}
				owners[repository] = owner
			}
		}
		images, failed := imagesOfShard(own)
		all, failures = append(all, images...), append(failures, failed...)
		for _, r := range own {
			m.Deleted = append(m.Deleted, r.Deleted...)
		}
		for _, f := range last.Failed {
			m.Failed = append(m.Failed, f)
			failures = append(failures, &CopyError{f.From, f.To, errors.New(f.Error.Message)})
		}
		if len(last.Failed) == 0 && len(failed) == 0 && last.Error != "" {
			unfinished := UnfinishedShard{Shard: last.Shard.String()}
			unfinished.Error.Message = last.Error
			m.Unfinished = append(m.Unfinished, unfinished)
			failures = append(failures, fmt.Errorf("shard %s: %s", unfinished.Shard, last.Error))
		}
	}
	m.Repositories = len(owners)
	switch {
	case len(m.Missing) > 0:
		problems = append(problems, fmt.Errorf("%w: of %d shards these have no report: %s", ErrNotWhole, m.Shards, numbers(m.Missing)))
	case m.Repositories != first.Shard.All && len(problems) == 0 && !unplanned:
		problems = append(problems, fmt.Errorf("%w: the shards have %d repositories of %d", ErrNotWhole, m.Repositories, first.Shard.All))
	}
	slices.SortStableFunc(all, func(a, b ReportedImage) int { return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.From, b.From)) })
	for _, image := range all {
		m.Images = append(m.Images, image.JSON)
		if image.Error == nil {
			m.Copied = append(m.Copied, image)
		}
	}
	return m, errors.Join(append(problems, failures...)...)
}

// keptBefore returns how many tags were equal before the first run of a shard that has these reports. Those that a run
// copied are equal in later ones, and counted as copied.
func keptBefore(own []ReportFile) int {
	kept := own[0].Shard.Kept
	for _, r := range own {
		kept = min(kept, r.Shard.Kept)
	}
	return kept
}

// imagesOfShard returns the images of the reports of one shard, the last one last, and what failed.
func imagesOfShard(own []ReportFile) (images []ReportedImage, failures []error) {
	copied := map[string]bool{}
	for i, r := range own {
		for _, image := range r.Images {
			key := image.From + " " + image.To
			switch {
			case image.Error == nil && !copied[key]:
				copied[key] = true
				images = append(images, image)
			case image.Error != nil && i == len(own)-1:
				failures = append(failures, &CopyError{image.From, image.To, errors.New(image.Error.Message)})
				images = append(images, image)
			}
		}
	}
	return images, failures
}

// numbers is a list of numbers for people.
func numbers(of []int) string {
	text := ""
	for i, n := range of {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	return text
}
