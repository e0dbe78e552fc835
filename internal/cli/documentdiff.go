package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"
)

// isJSONObject reports whether a text is a JSON object, as policies and templates are.
func isJSONObject(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
}

// documentDiff shows the lines of two JSON documents, "" for none: those that go with -, those that
// come with +. Members are sorted, so that only what differs in meaning does.
func documentDiff(from, to string) string {
	var out []string
	for line := range strings.Lines(string(diff.Diff("from", laidOut(from), "to", laidOut(to)))) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "diff from"), line == "--- from", line == "+++ to":
			continue
		case strings.HasPrefix(line, "@@"):
			if len(out) == 0 {
				continue
			}
			line = "  ..."
		}
		out = append(out, "    "+line)
	}
	return strings.Join(out, "\n")
}

// laidOut is JSON on many lines with sorted members.
func laidOut(document string) []byte {
	if document == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return []byte(document + "\n")
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if encoder.Encode(value) != nil {
		return []byte(document + "\n")
	}
	return out.Bytes()
}

// printableLines is printable for text of several lines, whose indentation stays.
func printableLines(text string) string {
	lines := slices.Collect(strings.SplitSeq(text, "\n"))
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return unicode.ReplacementChar
			}
			return r
		}, line)
	}
	return strings.Join(lines, "\n")
}
