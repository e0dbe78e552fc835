package mirror

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
)

// begunMost is how many objects may be open at once in a log: the first ones were cut off if there are more.
const begunMost = 8

// reportLines returns the JSON objects that begin at the beginning of a line, and end at the end of one.
func reportLines(log []byte) (objects [][]byte) {
	var text []byte // from the beginning of the first of begun
	var begun []begunObject
	in := bufio.NewScanner(bytes.NewReader(log))
	in.Buffer(nil, maxReport+1)
	for in.Scan() {
		line := bytes.TrimSuffix(in.Bytes(), []byte("\r"))
		// It is a new object if the one before it was cut off, or else a piece of that, which was cut before an object in it.
		if bytes.HasPrefix(line, []byte(`{"`)) {
			begun = append(begun, begunObject{start: len(text)})
			if len(begun) > begunMost {
				begun = begun[1:]
			}
		}
		if len(begun) == 0 {
			continue
		}
		text = append(text, line...)
		for i := 0; i < len(begun); i++ {
			ended := begun[i].read(line)
			if ended == 0 {
				continue
			}
			object := text[begun[i].start:]
			if whole := ended == len(line) && json.Valid(object); whole && (i == 0 || isOfShard(object)) {
				objects = append(objects, slices.Clone(object))
				begun = nil
				break
			}
			begun = slices.Delete(begun, i, i+1)
			i--
		}
		if len(begun) == 0 {
			text = text[:0]
		}
	}
	if len(begun) > 0 {
		objects = append(objects, text[begun[0].start:]) // is cut off, which is an error
	}
	return objects
}

// isOfShard reports whether an object is a report of a shard, not an object in one.
func isOfShard(object []byte) bool {
	var report struct {
		Shard json.RawMessage `json:"shard"`
	}
	return json.Unmarshal(object, &report) == nil && report.Shard != nil
}

// begunObject is a JSON object of which the end was not read.
type begunObject struct {
	start             int // in the text
	depth             int
	inString, escaped bool
}

// read reads the next bytes of the object and returns how many of them belong to it if it ends with them, else 0.
func (b *begunObject) read(line []byte) (ended int) {
	for i, c := range line {
		switch {
		case b.escaped:
			b.escaped = false
		case b.inString && c == '\\':
			b.escaped = true
		case c == '"':
			b.inString = !b.inString
		case b.inString:
		case c == '{':
			b.depth++
		case c == '}':
			if b.depth--; b.depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
