package scan

import (
	"encoding/xml"
	"io"
	"strings"
	"time"
)

// The JUnit XML that continuous integration servers read: a suite for each image, a case
// for each finding and one for the scan itself.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (v Verdict) writeJUnit(w io.Writer) error {
	all := junitSuites{Name: "ecrkit scan"}
	for _, i := range v.Images {
		s := i.suite(v.At)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
		all.Suites = append(all.Suites, s)
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(data)+"\n")
	return err
}

func (i Image) suite(at time.Time) junitSuite {
	name := oneLine(i.title())
	s := junitSuite{Name: name, Timestamp: at.UTC().Format("2006-01-02T15:04:05")}
	scanned := junitCase{Class: name, Name: "scan"}
	if i.Outcome == NoResult || !i.Status.Done() && i.Outcome == "" {
		scanned.Error = &junitMessage{Type: string(i.Status), Message: oneLine(i.Reason)}
		s.Errors++
	}
	s.Cases = append(s.Cases, scanned)
	for _, j := range i.Judged {
		c := junitCase{Class: name, Name: j.caseName()}
		switch j.Decision {
		case Blocks:
			c.Failure = &junitMessage{Type: string(j.Severity), Message: oneLine(j.advice()), Text: j.details()}
			s.Failures++
		case Ignored:
			c.Skipped = &junitMessage{Message: oneLine(j.Because)}
			s.Skipped++
		case "":
			c.Skipped = &junitMessage{Message: "not judged: " + oneLine(j.advice())}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	return s
}

func (f Finding) caseName() string {
	name := oneLine(f.ID)
	if names := f.names(); names != "" {
		name += " in " + names
	}
	return name
}

// advice says what was found and what to do: «CRITICAL CVE-… in openssl 1.1.1; fixed in
// 1.1.1w».
func (f Finding) advice() string {
	text := string(f.Severity) + " " + f.ID
	if names := f.names(); names != "" {
		text += " in " + names
		if versions := f.versions(); versions != "" {
			text += " " + versions
		}
	}
	if fixed := each(f.Packages, func(p Package) string { return p.Fixed }); fixed != "" {
		return text + "; fixed in " + fixed
	}
	if f.Fix == No {
		text += "; there is no fix yet"
	}
	return text
}

// details are the facts, one a line.
func (j Judgement) details() string {
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
