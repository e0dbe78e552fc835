package codepages

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release removes the pages of the program's file from the resident set of the process. The operating system maps those
// that are used again, with the same content. Where it cannot be done, nothing happens: it only saves memory.
func Release() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	mapped, err := unchanged(f, path)
	if err != nil {
		return
	}
	for _, r := range mapped {
		// An error leaves the pages where they are.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, r.start, r.end-r.start, unix.MADV_DONTNEED)
	}
}

// addresses are those of a mapping, from start to before end.
type addresses struct{ start, end uintptr }

// unchanged returns the mappings of the file at path in smaps (proc(5)) whose pages are all as in the file: the process
// cannot write to them, and has no page of its own in them, as relocations and breakpoints of a debugger make.
func unchanged(smaps io.Reader, path string) ([]addresses, error) {
	var found []addresses
	candidate := false // the last of found is of the file, and nothing of its own was seen
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		key, rest, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasSuffix(key, ":") {
			candidate = false
			if r, ok := ofFile(key, rest, path); ok {
				found, candidate = append(found, r), true
			}
			continue
		}
		if candidate && (key == "Anonymous:" || key == "Swap:") && strings.TrimSpace(rest) != "0 kB" {
			found, candidate = found[:len(found)-1], false
		}
	}
	return found, lines.Err()
}

// ofFile returns the addresses of a mapping, by the two parts of its first line, if it is of the file at path and
// cannot be written to.
func ofFile(span, rest, path string) (addresses, bool) {
	// Permissions, offset, device and inode come before the path, which may have spaces.
	permissions, rest, _ := strings.Cut(rest, " ")
	if !strings.HasSuffix(rest, " "+path) || len(permissions) != 4 || permissions[1] != '-' || permissions[3] != 'p' {
		return addresses{}, false
	}
	first, last, _ := strings.Cut(span, "-")
	start, err := strconv.ParseUint(first, 16, strconv.IntSize)
	if err != nil {
		return addresses{}, false
	}
	end, err := strconv.ParseUint(last, 16, strconv.IntSize)
	return addresses{uintptr(start), uintptr(end)}, err == nil && start < end
}
