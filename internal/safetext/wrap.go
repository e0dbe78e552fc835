package safetext

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks a text between words into lines of at most so many columns, at least one line. A
// longer word has a line of its own.
func Wrap(text string, columns int) []string {
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

// Hang writes a text behind head, in lines of at most so many columns, of which those after the first begin with indent.
// A longer word stays whole, to be copied. Zero columns are as many as the text needs.
func Hang(head, text, indent string, columns int) string {
	var out strings.Builder
	line, empty := head, true
	for _, word := range strings.Fields(text) {
		if !empty && columns > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
	return out.String()
}

// Field writes a name and its value, "Name:   value", with the values of all fields one below the other. Where a word
// of the value is too long for that, such as a digest, the value begins right behind its name.
func Field(name, value string, width, columns int) string {
	name += ":"
	head := name + strings.Repeat(" ", max(width-utf8.RuneCountInString(name), 0)) + " "
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	for _, word := range strings.Fields(value) {
		if columns > 0 && utf8.RuneCountInString(head)+utf8.RuneCountInString(word) > columns {
			head, indent = name+" ", "    "
			break
		}
	}
	return Hang(head, value, indent, columns)
}
