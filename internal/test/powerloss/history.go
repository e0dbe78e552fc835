package powerloss

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A History is what a program did to a directory, in order.
type History struct{ events []event }

// Len is the number of moments at which the power can fail: before each event, and after the last.
func (h *History) Len() int { return len(h.events) + 1 }

type kind int

const (
	created kind = iota
	written
	copied
	truncated
	synced
	linked
	renamed
	removed
	madeDir
	answered
)

type event struct {
	kind   kind
	path   string // relative; of an answer its name
	to     string // of a link, copy or renaming
	offset int64
	data   string
	size   int64
	before int // of a sync: the number of events that had happened when it began
}

// add notes a call that has returned. entered is the number of events before it began.
func (h *History) add(c call, dir string, entered int) error {
	if !c.ok {
		return nil
	}
	at := func(i int) (string, bool) {
		if i >= len(c.args) {
			return "", false
		}
		path := c.args[i]
		if i > 0 && !filepath.IsAbs(path) && strings.HasSuffix(c.name, "at") && filepath.IsAbs(c.args[i-1]) {
			path = filepath.Join(c.args[i-1], path)
		}
		return inside(dir, path)
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(c.args[i]), 10, 64)
		if err != nil {
			panic(fmt.Sprintf("%s: argument %d of %q: %v", c.name, i, c.args, err))
		}
		return n
	}
	first := 0 // of the paths
	if strings.HasSuffix(c.name, "at") || c.name == "renameat2" {
		first = 1
	}
	note := func(e event, ok bool) {
		if ok {
			h.events = append(h.events, e)
		}
	}
	path, in := at(first)
	switch c.name {
	case "execve":
	case "open", "openat":
		flags := c.args[first+1]
		note(event{kind: created, path: path}, in && strings.Contains(flags, "O_CREAT"))
		note(event{kind: truncated, path: path}, in && strings.Contains(flags, "O_TRUNC"))
		if in && strings.Contains(flags, "O_APPEND") {
			return fmt.Errorf("%s is opened to append, which is not recorded", path)
		}
	case "pwrite64":
		note(event{kind: written, path: path, data: c.args[1], offset: number(3)}, in)
	case "write":
		note(event{kind: written, path: path, data: c.args[1], offset: atEnd}, in)
	case "copy_file_range":
		to, toIn := at(2)
		if in != toIn {
			return fmt.Errorf("%s goes from or to another directory", c.name)
		}
		note(event{kind: copied, path: path, to: to, size: c.n}, in && c.n > 0)
	case "ftruncate", "truncate":
		note(event{kind: truncated, path: path, size: number(1)}, in)
	case "fsync", "fdatasync":
		note(event{kind: synced, path: path, before: entered}, in)
	case "link", "linkat", "rename", "renameat", "renameat2":
		to, toIn := at(first + 1)
		if first == 1 {
			to, toIn = at(3)
		}
		if in != toIn {
			return fmt.Errorf("%s goes from or to another directory", c.name)
		}
		k := renamed
		if strings.HasPrefix(c.name, "link") {
			k = linked
		}
		note(event{kind: k, path: path, to: to}, in)
	case "unlink", "unlinkat", "rmdir":
		note(event{kind: removed, path: path}, in)
	case "mkdir", "mkdirat":
		note(event{kind: madeDir, path: path}, in)
	default:
		if in {
			return fmt.Errorf("%s is not recorded", c.name)
		}
	}
	return nil
}

// atEnd is the offset of a write behind the one before. Files that are not truncated to where it begins, or sought, are not
// recorded truly.
const atEnd = -1
