package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/junit"
	"github.com/ecrkit/ecrkit/mirror"
)

// junitFile is --junit: a report for continuous integration servers, with a suite for each repository of a destination and a case
// for each image.
type junitFile struct {
	path   string
	out    *outputFile
	suites []junit.Suite
	places map[string]int // of suites, by name
	failed bool           // whether a case is a failure
	now    time.Time
}

func (j *junitFile) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&j.path, "junit", "", "also write a report in JUnit XML to this `file`: a case for each image")
}

// create begins the file, so that a name that cannot be written is known before anything is copied.
func (j *junitFile) create(app *App) (err error) {
	if j.path == "" {
		return nil
	}
	j.places, j.now = map[string]int{}, app.Now()
	j.out, err = app.createOutput(j.path)
	return err
}

// end writes the file, and joins what fails with err. An error that no case has is one of its own, and so is that there is
// nothing to do: some servers take a report without any case for an error.
func (j *junitFile) end(err error) error {
	if j.out == nil {
		return err
	}
	defer j.out.discard()
	switch {
	case err != nil && !j.failed:
		j.addCase("mirror", junit.Case{Name: "plan", Failure: junitMessage(err.Error())})
	case len(j.suites) == 0:
		j.addCase("mirror", junit.Case{Name: "plan"})
	}
	var text bytes.Buffer
	if failed := junit.Write(&text, "ecrkit mirror", j.suites); failed != nil {
		return errors.Join(err, failed)
	}
	if failed := j.out.commit(text.Bytes()); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// addCase adds a case to the suite of a repository.
func (j *junitFile) addCase(repository string, c junit.Case) {
	at, known := j.places[repository]
	if !known {
		at = len(j.suites)
		j.places[repository] = at
		j.suites = append(j.suites, junit.Suite{Name: printable(repository), Timestamp: junit.Time(j.now)})
	}
	j.failed = j.failed || c.Failure != nil
	c.Class, c.Name = printable(repository), printable(c.Name)
	j.suites[at].Cases = append(j.suites[at].Cases, c)
}

// addPlan adds what is not copied: repositories that could not be compared, conflicts, tags that are equal or left.
func (j *junitFile) addPlan(plan mirror.Plan) {
	if j.out == nil {
		return
	}
	for _, r := range plan.Repositories {
		if r.Error != "" {
			j.addCase(r.To, junit.Case{Name: r.From, Failure: junitMessage(r.Error)})
		}
		if r.NothingSelected() {
			j.addCase(r.To, junit.Case{Name: r.From, Skipped: junitMessage(nothingSelected(r))})
		}
		if r.Kept > 0 {
			j.addCase(r.To, junit.Case{Name: r.From + ": equal tags", Skipped: junitMessage(english.Plural(r.Kept, "tag", "") + " already equal")})
		}
		for _, image := range r.Images {
			for _, t := range image.Tags {
				c := junit.Case{Name: r.From + "@" + string(image.Digest) + " as " + t.Tag}
				switch message := fmt.Sprintf("%s:%s names %s", r.To, t.Tag, t.Previous); t.Action {
				case mirror.Conflict:
					c.Failure = junitMessage(message)
				case mirror.LeaveTag:
					c.Skipped = junitMessage(message + ", and stays")
				default:
					continue
				}
				j.addCase(r.To, c)
			}
		}
	}
	if err := plan.Err(); errors.Is(err, mirror.ErrTooManyDeletions) {
		j.addCase(junitDeletions, junit.Case{Name: "limit", Failure: junitMessage(err.Error())})
	}
}

// junitDeletions is the suite for what is not deleted.
const junitDeletions = "deletions"

// addReport adds the images that were copied, or not, and what was deleted. err is the error of all of it.
func (j *junitFile) addReport(report mirror.Report, err error) {
	if j.out == nil {
		return
	}
	images := 0
	for _, m := range report.Images {
		c := imageCase(m.From, m.Tags, m.Seconds)
		if m.Err != nil {
			images++
			c.Failure = junitMessage(m.Err.Error())
		}
		j.addCase(m.To, c)
	}
	j.addDeleted(report.Deleted)
	switch c := (junit.Case{Name: "deletions"}); {
	case errors.Is(err, mirror.ErrNotDeleted):
		c.Skipped = junitMessage(mirror.ErrNotDeleted.Error())
		j.addCase(junitDeletions, c)
	case err != nil && images == 0 && !errors.Is(err, context.Canceled):
		c.Failure = junitMessage(err.Error())
		j.addCase(junitDeletions, c)
	}
}

// addDeleted adds the tags, and images without one, that were deleted.
func (j *junitFile) addDeleted(deleted []mirror.Deleted) {
	for _, d := range deleted {
		j.addCase(d.Repository, junit.Case{Name: "delete " + d.Tag + "@" + string(d.Digest)})
	}
}

// addMerged adds the images of the reports of shards; err is about what is missing.
func (j *junitFile) addMerged(m mirror.MergedReport, err error) {
	if j.out == nil {
		return
	}
	failed := 0
	for _, raw := range m.Images {
		var image mirror.ReportedImage
		if json.Unmarshal(raw, &image) != nil {
			continue // was read before
		}
		c := imageCase(image.From, image.Tags, image.Seconds)
		if image.Error != nil {
			failed++
			c.Failure = junitMessage(image.Error.Message)
		}
		j.addCase(image.To, c)
	}
	j.addDeleted(m.Deleted)
	for _, f := range m.Failed {
		failed++
		j.addCase(f.To, junit.Case{Name: f.From, Failure: junitMessage(f.Error.Message)})
	}
	for _, s := range m.Unfinished {
		failed++
		j.addCase("shards", junit.Case{Name: "shard " + s.Shard, Failure: junitMessage(s.Error.Message)})
	}
	switch {
	case errors.Is(err, mirror.ErrNotWhole), err != nil && failed == 0:
		j.addCase("shards", junit.Case{Name: "all shards", Failure: junitMessage(err.Error())})
	default:
		j.addCase("shards", junit.Case{Name: "all shards"})
	}
}

func imageCase(from string, tags []string, seconds float64) junit.Case {
	name := from
	if len(tags) > 0 {
		name += " as " + strings.Join(tags, ", ")
	}
	return junit.Case{Name: name, Time: seconds}
}

// junitMessage has the first line as the message, which servers show in lists, and all as the text.
func junitMessage(text string) *junit.Message {
	first, _, more := strings.Cut(text, "\n")
	m := &junit.Message{Message: printable(first)}
	if more {
		var lines []string
		for line := range strings.SplitSeq(text, "\n") {
			lines = append(lines, printable(line))
		}
		m.Text = strings.Join(lines, "\n")
	}
	return m
}
