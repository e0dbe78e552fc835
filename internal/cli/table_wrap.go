package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ecrkit/ecrkit/internal/safetext"
)

const (
	minWrapColumns = 30 // of a column whose text is wrapped beside the others
	wrapIndent     = 4  // of the text below its row, where there is less room than that
)

// printWrapped writes the table with the whole text of its columns: the last one wrapped beside the others, or where that
// leaves too little room, below its row behind its heading. So are the columns before it that do not fit either.
func (t *table) printWrapped(w io.Writer, columns int) error {
	last := len(t.header) - 1
	width := make([]int, len(t.header))
	before := 0
	for i := range t.header {
		width[i] = utf8.RuneCountInString(t.header[i])
		for _, row := range t.rows {
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
		if i < last {
			before += width[i] + 2
		}
	}
	if columns-before < min(width[last], minWrapColumns) {
		return t.printBelow(w, columns, width)
	}
	beside := table{header: t.header}
	for _, row := range t.rows {
		lines := safetext.Wrap(row[last], columns-before)
		beside.rows = append(beside.rows, append(row[:last:last], lines[0]))
		for _, line := range lines[1:] {
			beside.rows = append(beside.rows, append(make([]string, last), line))
		}
	}
	return beside.print(w, columns)
}

// printBelow writes as many of the first columns as fit, but not the last, and below each row what the others have to say.
// width are the widths of the columns.
func (t *table) printBelow(w io.Writer, columns int, width []int) error {
	fit, used := 1, width[0]
	for fit < len(width)-1 && used+2+width[fit] <= columns {
		used += 2 + width[fit]
		fit++
	}
	first := table{header: t.header[:fit]}
	for _, row := range t.rows {
		first.rows = append(first.rows, row[:fit])
	}
	var out, text strings.Builder
	_ = first.print(&out, 0) // they fit, or are one column that is not to be cut; a strings.Builder takes everything
	rows := strings.SplitAfter(out.String(), "\n")
	text.WriteString(rows[0])
	for i, row := range t.rows {
		text.WriteString(rows[i+1])
		for k := fit; k < len(row); k++ {
			if row[k] == "" || row[k] == "-" {
				continue
			}
			for _, line := range safetext.Wrap(t.header[k]+": "+row[k], columns-wrapIndent) {
				fmt.Fprintf(&text, "%*s%s\n", wrapIndent, "", line)
			}
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
