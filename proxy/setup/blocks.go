package setup

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const (
	beginMark = "# ecrkit proxy begin: "
	endMark   = "# ecrkit proxy end: "
	// joinedMark ends the first line of a block that stands after a line without an end:
	// the end that this line got is ours.
	joinedMark = " (the file ended without a line end)"
	// emptyMark ends the first line of a block in a file that was there without a byte: it stays when the block goes.
	emptyMark = " (the file was empty)"
	// offMark begins a line that is made a comment.
	offMark = "#ecrkit-off# "
)

// addBlock inserts lines at a byte of a text, where a line begins or the text ends. key
// names the block. A text of nil is that of no file.
func addBlock(text []byte, at int, key string, lines ...string) []byte {
	newline, begin, before := "\n", beginMark+key, ""
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	if at > 0 && text[at-1] != '\n' {
		begin, before = begin+joinedMark, newline
	} else if text != nil && len(text) == 0 {
		begin += emptyMark
	}
	lines = append(append([]string{begin}, lines...), endMark+key)
	block := before + strings.Join(lines, newline) + newline
	return append(append(append([]byte{}, text[:at]...), block...), text[at:]...)
}

// cutBlock removes a block. It returns nil if the file had nothing else and was ours.
func cutBlock(text []byte, key string) ([]byte, error) {
	start, end, err := findBlock(text, key)
	if start < 0 || err != nil {
		return text, err
	}
	before, after := append([]byte{}, text[:start]...), text[end:]
	first, _, _ := bytes.Cut(text[start:end], []byte("\n"))
	wasEmpty := bytes.HasSuffix(bytes.TrimRight(first, "\r"), []byte(emptyMark))
	if lineEnd := len(text[start:end]) - len(bytes.TrimLeft(text[start:end], "\r\n")); lineEnd > 0 && len(after) > 0 {
		// The line before needs its end still, and the next block knows that it is ours.
		before = append(before, text[start:start+lineEnd]...)
		if bytes.HasPrefix(after, []byte(beginMark)) {
			after = markBlock(after, joinedMark)
		}
	}
	switch left := append(before, after...); {
	case len(left) == 0 && !wasEmpty:
		return nil, nil
	case wasEmpty && bytes.HasPrefix(left, []byte(beginMark)):
		return markBlock(left, emptyMark), nil
	default:
		return left, nil
	}
}

// markBlock adds a mark to the first line of a text, which begins a block.
func markBlock(text []byte, mark string) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return slices.Insert(bytes.Clone(text), len(bytes.TrimRight(line, "\r")), []byte(mark)...)
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
		case content == beginMark+key, content == beginMark+key+emptyMark:
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
			keys = append(keys, strings.TrimSuffix(strings.TrimSuffix(key, joinedMark), emptyMark))
		}
	}
	return keys
}

// turnOff makes each line with content a comment.
func turnOff(text []byte) []byte {
	out := text[:0:0] // nil stays nil: no file
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
	out := text[:0:0]
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte(offMark))...)
	}
	return out
}
