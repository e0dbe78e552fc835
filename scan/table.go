package scan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/safetext"
)

// writeTable writes text for people, whose last column is cut where the terminal ends.
func (v Verdict) writeTable(w io.Writer, columns int) error {
	var out strings.Builder
	for n, i := range v.Images {
		if n > 0 {
			out.WriteByte('\n')
		}
		i.text(&out, columns)
	}
	if len(v.Warnings) > 0 {
		out.WriteByte('\n')
	}
	for _, warning := range v.Warnings {
		out.WriteString(safetext.Hang("warning: ", warning, "  ", columns))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (i Image) text(out *strings.Builder, columns int) {
	out.WriteString(safetext.Hang("", oneLine(i.title()), "  ", columns))
	field := func(name, value string) {
		if value != "" {
			out.WriteString(safetext.Field(name, oneLine(value), 10, columns))
		}
	}
	field("Digest", string(i.Digest))
	field("Scan", i.scanned())
	field("Findings", i.totals())
	switch i.Outcome {
	case Passed:
		field("Gate", "passed")
	case Failed:
		field("Gate", "failed, "+i.blocked())
	}
	if i.Outcome == NoResult || i.Reason != "" {
		field("No result", i.Reason)
	}
	for _, r := range i.Rules {
		state := "ok"
		if r.Failed {
			state = "FAILED"
		}
		field("Rule", r.Text()+", "+state)
	}
	if len(i.Judged) == 0 {
		return
	}
	out.WriteByte('\n')
	t := findingTable{{"SEVERITY", "ID", "PACKAGE", "INSTALLED", "FIXED IN", "CVSS", "NOTES", "GATE", "ABOUT"}}
	for _, j := range i.Judged {
		about := j.headline()
		if j.Decision == Ignored {
			about = j.Because
		}
		t = append(t, [columnCount]string{
			columnSeverity:  string(j.Severity),
			columnID:        j.ID,
			columnPackage:   j.names(),
			columnInstalled: j.versions(),
			columnFixed:     j.fixes(),
			columnCVSS:      j.showScore(),
			columnNotes:     strings.Join(j.notes(), ", "),
			columnGate:      string(j.Decision),
			columnAbout:     about,
		})
	}
	t.write(out, columns)
}

// scanned reports what scan it was, when, and of what state.
func (i Image) scanned() string {
	texts := []string{}
	if i.Type != "" {
		texts = append(texts, string(i.Type))
	}
	texts = append(texts, string(i.Status))
	if i.Status == "" {
		texts[len(texts)-1] = "no status"
	}
	if i.CompletedAt != nil {
		texts = append(texts, "completed "+showTime(*i.CompletedAt))
	}
	if i.SourceUpdatedAt != nil {
		texts = append(texts, "vulnerabilities known on "+showTime(*i.SourceUpdatedAt))
	}
	return strings.Join(texts, ", ")
}

// totals are the counts: "1 CRITICAL, 2 HIGH".
func (i Image) totals() string {
	var texts []string
	for _, s := range Severities() {
		if n := i.Counts[s]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, s))
		}
	}
	switch {
	case len(texts) > 0:
		return strings.Join(texts, ", ")
	case i.Status.Done():
		return "none"
	}
	return ""
}

func showTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// The columns of findings, of which packages and versions are cut on a narrow terminal,
// and then some left out.
const (
	columnSeverity = iota
	columnID
	columnPackage
	columnInstalled
	columnFixed
	columnCVSS
	columnNotes
	columnGate
	columnAbout
	columnCount
)

// findingTable is rows of cells, the first the header. Columns that are empty in all
// rows are left out.
type findingTable [][columnCount]string

func (t findingTable) write(out *strings.Builder, columns int) {
	const least = 20 // of the last column, below which it is not worth it
	width := t.widths(40)
	narrow := func() bool { return columns > 0 && sum(width) > columns }
	for _, most := range []int{24, 16, 10} {
		if narrow() {
			width = t.widths(most)
		}
	}
	for _, c := range []int{columnNotes, columnInstalled, columnFixed} {
		if narrow() {
			width[c] = 0
		}
	}
	rest := 100
	if columns > 0 {
		rest = columns - sum(width)
	}
	if !slices.ContainsFunc(t[1:], func(row [columnCount]string) bool { return row[columnAbout] != "" }) {
		rest = 0
	}
	for _, row := range t {
		var line strings.Builder
		for c, n := range width {
			if n > 0 {
				fmt.Fprintf(&line, "%-*s  ", n, cut(oneLine(row[c]), n))
			}
		}
		if rest >= least {
			line.WriteString(cut(oneLine(row[columnAbout]), rest))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// widths are those of the columns but the last; those that can be cut have most at most.
func (t findingTable) widths(most int) []int {
	width := make([]int, columnAbout)
	for c := range width {
		for _, row := range t[1:] {
			width[c] = max(width[c], utf8.RuneCountInString(oneLine(row[c])))
		}
		if width[c] == 0 {
			continue
		}
		width[c] = min(max(width[c], len(t[0][c])), 40)
		switch c {
		case columnPackage, columnInstalled, columnFixed:
			width[c] = min(width[c], most)
		}
	}
	return width
}

// sum is the width of columns with the space after each.
func sum(width []int) int {
	n := 0
	for _, w := range width {
		if w > 0 {
			n += w + 2
		}
	}
	return n
}
