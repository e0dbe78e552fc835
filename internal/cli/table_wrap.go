package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	minWrapColumns = 30 // of a column whose text is wrapped beside the others
	wrapIndent     = 4  // of the text below its row, where there is less room than that
)

// printWrapped writes the table with the whole text of the last column: beside the others, or where
// that leaves too little room, below its row.
func (t *table) printWrapped(w io.Writer, columns int) error {
	last := len(t.header) - 1
	others := table{header: t.header[:last]}
	before := 0
	for i := range last {
		width := utf8.RuneCountInString(t.header[i])
		for _, row := range t.rows {
			width = max(width, utf8.RuneCountInString(row[i]))
		}
		before += width + 2
	}
	widest := utf8.RuneCountInString(t.header[last])
	for _, row := range t.rows {
		widest = max(widest, utf8.RuneCountInString(row[last]))
	}
	below := columns-before < min(widest, minWrapColumns)
	if !below {
		others.header = t.header
	}
	for _, row := range t.rows {
		if below {
			others.rows = append(others.rows, row[:last])
			continue
		}
		lines := wrapWords(row[last], columns-before)
		others.rows = append(others.rows, append(row[:last:last], lines[0]))
		for _, line := range lines[1:] {
			others.rows = append(others.rows, append(make([]string, last), line))
		}
	}
	if !below {
		return others.print(w, columns)
	}
	var out strings.Builder
	_ = others.print(&out, columns) // a strings.Builder takes everything
	rows := strings.SplitAfter(out.String(), "\n")
	var text strings.Builder
	text.WriteString(rows[0])
	for i, row := range t.rows {
		text.WriteString(rows[i+1])
		for _, line := range wrapWords(row[last], columns-wrapIndent) {
			fmt.Fprintf(&text, "%*s%s\n", wrapIndent, "", line)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// wrapWords breaks a text between words into lines of at most so many columns, at least one line. A
// longer word has a line of its own.
func wrapWords(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
