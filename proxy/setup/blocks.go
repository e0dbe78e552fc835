package setup

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	beginMark = "# ecrkit proxy begin: "
	endMark   = "# ecrkit proxy end: "
	// joinedMark ends the first line of a block that stands after a line without an end:
	// the end that this line got is ours.
	joinedMark = " (the file ended without a line end)"
	// offMark begins a line that is made a comment.
	offMark = "#ecrkit-off# "
)

// addBlock inserts lines at a byte of a text, where a line begins or the text ends. key
// names the block.
func addBlock(text []byte, at int, key string, lines ...string) []byte {
	newline, begin, before := "\n", beginMark+key, ""
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	if at > 0 && text[at-1] != '\n' {
		begin, before = begin+joinedMark, newline
	}
	lines = append(append([]string{begin}, lines...), endMark+key)
	block := before + strings.Join(lines, newline) + newline
	return append(append(append([]byte{}, text[:at]...), block...), text[at:]...)
}

// cutBlock removes a block.
func cutBlock(text []byte, key string) ([]byte, error) {
	start, end, err := findBlock(text, key)
	if start < 0 || err != nil {
		return text, err
	}
	before, after := append([]byte{}, text[:start]...), text[end:]
	if lineEnd := len(text[start:end]) - len(bytes.TrimLeft(text[start:end], "\r\n")); lineEnd > 0 && len(after) > 0 {
		// The line before needs its end still, and the next block knows that it is ours.
		before = append(before, text[start:start+lineEnd]...)
		if bytes.HasPrefix(after, []byte(beginMark)) {
			line, _, _ := bytes.Cut(after, []byte("\n"))
			n := len(bytes.TrimRight(line, "\r"))
			before, after = append(append(before, after[:n]...), joinedMark...), after[n:]
		}
	}
	return append(before, after...), nil
}

// findBlock returns where a block is; start is -1 if there is none.
func findBlock(text []byte, key string) (start, end int, err error) {
	start, at := -1, 0
	for line := range bytes.Lines(text) {
		content := strings.TrimRight(string(line), "\r\n")
		switch {
		case content == beginMark+key+joinedMark:
			start = at - 1
			if start > 0 && text[start-1] == '\r' {
				start--
			}
		case content == beginMark+key:
			start = at
		case content == endMark+key && start >= 0:
			return start, at + len(line), nil
		}
		at += len(line)
	}
	if start >= 0 {
		return -1, 0, fmt.Errorf("the line %q is missing; remove by hand what ecrkit has written", endMark+key)
	}
	return -1, 0, nil
}

// blockKeys returns the keys of the blocks of a text.
func blockKeys(text []byte) []string {
	var keys []string
	for line := range bytes.Lines(text) {
		if key, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r\n"), beginMark); ok {
			keys = append(keys, strings.TrimSuffix(key, joinedMark))
		}
	}
	return keys
}

// turnOff makes each line with content a comment.
func turnOff(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if content := bytes.TrimSpace(line); len(content) > 0 && content[0] != '#' {
			out = append(out, offMark...)
		}
		out = append(out, line...)
	}
	return out
}

// turnOn undoes turnOff.
func turnOn(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte(offMark))...)
	}
	return out
}
