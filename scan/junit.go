package scan

import (
	"io"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/junit"
)

// writeJUnit writes a suite for each image, with a case for each finding and one for the
// scan itself.
func (v Verdict) writeJUnit(w io.Writer) error {
	var suites []junit.Suite
	for _, i := range v.Images {
		suites = append(suites, i.suite(v.At))
	}
	return junit.Write(w, "ecrkit scan", suites)
}

func (i Image) suite(at time.Time) junit.Suite {
	name := oneLine(i.title())
	s := junit.Suite{Name: name, Timestamp: junit.Time(at)}
	scanned := junit.Case{Class: name, Name: "scan"}
	if i.Outcome == NoResult || !i.Status.Done() && i.Outcome == "" {
		scanned.Error = &junit.Message{Type: string(i.Status), Message: oneLine(i.Reason)}
	}
	s.Cases = append(s.Cases, scanned)
	for _, j := range i.Judged {
		c := junit.Case{Class: name, Name: j.caseName()}
		switch j.Decision {
		case Blocks:
			c.Failure = &junit.Message{Type: string(j.Severity), Message: oneLine(j.advice()), Text: j.details()}
		case Ignored:
			c.Skipped = &junit.Message{Message: oneLine(j.Because)}
		case "":
			c.Skipped = &junit.Message{Message: "not judged: " + oneLine(j.advice())}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

func (f Finding) caseName() string {
	name := oneLine(f.ID)
	if names := f.names(); names != "" {
		name += " in " + names
	}
	return name
}

// advice reports what was found and what to do: "CRITICAL CVE-… in openssl 1.1.1; fixed in 1.1.1w".
func (j JudgedFinding) advice() string {
	text := string(j.Severity)
	if judged := j.judgedText(); judged != "" {
		text += ", " + judged + ","
	}
	text += " " + j.ID
	if names := j.names(); names != "" {
		text += " in " + names
		if versions := j.versions(); versions != "" {
			text += " " + versions
		}
	}
	if fixed := each(j.Packages, func(p Package) string { return p.Fixed }); fixed != "" {
		return text + "; fixed in " + fixed
	}
	if j.Fix == No {
		text += "; there is no fix yet"
	}
	return text
}

// details are the facts, one a line.
func (j JudgedFinding) details() string {
	var lines []string
	add := func(name, value string) {
		if value = oneLine(value); value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	add("Rule", j.Because)
	add("About", j.Description)
	score := j.showScore()
	if score != "" && j.Vector != "" {
		score += " " + j.Vector
	}
	add("CVSS", score)
	add("Notes", strings.Join(j.notes(), ", "))
	add("Layer", each(j.Packages, func(p Package) string { return p.Layer }))
	add("Path", each(j.Packages, func(p Package) string { return p.Path }))
	add("See", j.URI)
	return strings.Join(lines, "\n")
}
