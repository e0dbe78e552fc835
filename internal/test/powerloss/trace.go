// Package powerloss finds out what a program leaves on a disk when the machine loses power. It records the system calls with
// which the program changes files, by strace, and makes from them the states in which POSIX allows the disk to be at any
// moment: what was not synced may be there, in part, in any order, or not at all.
package powerloss

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// calls are those that change files, or make changes last. Whatever is not understood is an error of [ReadTrace].
const calls = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync," +
	"sync_file_range,sync,syncfs,msync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat," +
	"rmdir,copy_file_range,sendfile,splice"

// Command is the command that runs a program under strace, which writes the trace.
func Command(trace string, program ...string) []string {
	return append([]string{"strace", "-f", "-qq", "-y", "-xx", "-s", "100000000", "-e", "signal=none", "-e", "trace=execve," + calls, "-o", trace}, program...)
}

// Pid returns the process that a trace is of: the one of its first line.
func Pid(trace string) (int, error) {
	f, err := os.Open(trace)
	if err != nil {
		return 0, err
	}
	defer f.Close() // opened for reading
	line, err := bufio.NewReader(f).ReadString(' ')
	if err != nil {
		return 0, fmt.Errorf("trace %s: %w", trace, err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// A call is one system call. Its arguments are as strace prints them, with strings and paths decoded.
type call struct {
	name string
	args []string
	fd   string // path of the first descriptor, "" if it has none
	ok   bool
	n    int64 // result
}

var (
	linePattern = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)`)
	unfinished  = regexp.MustCompile(`^(\d+) +(\w+\(.*?),? ?<unfinished \.\.\.>$`)
	resumed     = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	argument    = regexp.MustCompile(` *(?:"((?:\\x[0-9a-f]{2})*)"|[A-Z0-9_a-z-]+<((?:\\x[0-9a-f]{2})*)>(?:\(deleted\))?|[^,]+)`)
)

func unhex(s string) string {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		panic(err) // the pattern has only such
	}
	return string(raw)
}

func parseCall(line string) (c call, ok bool) {
	m := linePattern.FindStringSubmatch(line)
	if m == nil {
		return call{}, false
	}
	c = call{name: m[2], ok: !strings.HasPrefix(m[4], "-") && m[4] != "?"}
	c.n, _ = strconv.ParseInt(m[4], 10, 64) // "?" means none
	for i, a := range argument.FindAllStringSubmatch(m[3], -1) {
		switch text := strings.TrimSpace(a[0]); {
		case strings.HasPrefix(text, `"`):
			c.args = append(c.args, unhex(a[1]))
		case strings.Contains(text, "<"):
			path := unhex(a[2])
			if strings.HasSuffix(text, "(deleted)") {
				path = deleted
			}
			if i == 0 {
				c.fd = path
			}
			c.args = append(c.args, path)
		default:
			c.args = append(c.args, text)
		}
	}
	return c, true
}

// deleted is the path of a file that has no name any more.
const deleted = "(deleted)"

// ReadTrace reads what a program did in a directory, whose path is absolute and has no symbolic links, and when it sent the
// answers that isAnswer recognizes, which returns their names.
func ReadTrace(trace io.Reader, dir string, isAnswer func(sent string) (name string, ok bool)) (*History, error) {
	h := &History{}
	begun := map[string]string{} // by process: a call that is still running
	syncs := map[string]int{}    // by process: events before its sync began
	s := bufio.NewScanner(trace)
	s.Buffer(nil, 512<<20)
	for s.Scan() {
		line := s.Text()
		entered := len(h.events)
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[2]
			syncs[m[1]] = entered
			// An answer is on its way as soon as it is written.
			if c, ok := parseCall(m[1] + " " + strings.TrimSuffix(m[2], ",") + ") = 0"); ok {
				h.answer(c, isAnswer)
			}
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			head := begun[m[1]]
			if head == "" {
				continue
			}
			line = m[1] + " " + head + m[3]
			entered = syncs[m[1]]
			delete(begun, m[1])
		}
		c, ok := parseCall(line)
		if !ok {
			continue // the end of a process
		}
		h.answer(c, isAnswer)
		if err := h.add(c, dir, entered); err != nil {
			return nil, fmt.Errorf("%w in %.300s", err, line)
		}
	}
	return h, s.Err()
}

func (h *History) answer(c call, isAnswer func(string) (string, bool)) {
	if c.name != "write" || len(c.args) < 2 || !strings.HasPrefix(c.fd, "socket:") && !strings.HasPrefix(c.fd, "TCP:") {
		return
	}
	if name, ok := isAnswer(c.args[1]); ok {
		h.events = append(h.events, event{kind: answered, path: name})
	}
}

// inside returns a path relative to dir, if it is in it.
func inside(dir, path string) (string, bool) {
	relative, err := filepath.Rel(dir, path)
	return relative, err == nil && relative != ".." && !strings.HasPrefix(relative, "../") && filepath.IsAbs(path)
}
