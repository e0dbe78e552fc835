package tokenfile

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

// The first lines of the files; the number is the version of the format. A file
// of another version is not read.
const (
	entryHead    = "ecrkit token 2"
	sealedHead   = "ecrkit encrypted token 2"
	shortcutHead = "ecrkit shortcut 1"
)

// field is a line "NAME VALUE" of a file. JSON would be the usual format, but its
// package is initialized too late for package startup.
type field struct{ name, value string }

var errLineBreak = errors.New("a value with a line break can't be kept in the token cache")

func encode(head string, fields ...field) ([]byte, error) {
	text := append([]byte(head), '\n')
	for _, f := range fields {
		// The error doesn't quote the value, which may be a secret.
		if slices.Contains([]byte(f.value), '\n') {
			return nil, errLineBreak
		}
		text = append(text, f.name...)
		text = append(text, ' ')
		text = append(text, f.value...)
		text = append(text, '\n')
	}
	return text, nil
}

// fields is the rest of a file that is being read. Fields come in the order in
// which they were written; the first unexpected one ends the reading.
type fields struct {
	text   []byte
	failed bool
}

func decode(data []byte, head string) fields {
	line, text, whole := cut(data, '\n')
	return fields{text, !whole || string(line) != head}
}

// cut is bytes.Cut, whose package waits for the tables of package unicode.
func cut(data []byte, separator byte) (before, after []byte, found bool) {
	i := slices.Index(data, separator)
	if i < 0 {
		return data, nil, false
	}
	return data[:i], data[i+1:], true
}

// next takes the value of the next field if it has this name.
func (f *fields) next(name string) string {
	value, ok := f.another(name)
	if !ok {
		f.failed = true
	}
	return value
}

// another takes the value of the next field if it has this name, and otherwise
// leaves it.
func (f *fields) another(name string) (string, bool) {
	if f.failed {
		return "", false
	}
	line, rest, whole := cut(f.text, '\n')
	label, value, ok := cut(line, ' ')
	if !whole || !ok || string(label) != name {
		return "", false
	}
	f.text = rest
	return string(value), true
}

// end reports whether all was read and as expected.
func (f *fields) end() bool { return !f.failed && len(f.text) == 0 }

// time takes a time of the next field if it has this name.
func (f *fields) time(name string) time.Time {
	value := f.next(name)
	if value == "" {
		return time.Time{}
	}
	ns, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		f.failed = true
	}
	return time.Unix(0, ns).UTC()
}

// timestamp is the nanoseconds since 1970, "" for the zero time.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}
