package powerloss

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const dir = "/data"

// record reads a trace whose strings are written plainly.
func record(t *testing.T, lines ...string) *History {
	t.Helper()
	var trace strings.Builder
	for _, line := range lines {
		for i, part := range strings.Split(line, "'") {
			if i%2 == 0 {
				trace.WriteString(part)
				continue
			}
			for _, b := range []byte(part) {
				trace.WriteString(`\x` + string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]))
			}
		}
		trace.WriteByte('\n')
	}
	h, err := ReadTrace(strings.NewReader(trace.String()), dir, func(sent string) (string, bool) { return strings.CutPrefix(sent, "200 ") })
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// outcomes are the contents that a file has in many states at the end, "-" where it is missing.
func outcomes(h *History, name string, chance Chance) map[string]bool {
	r := rand.New(rand.NewPCG(1, 2))
	out := map[string]bool{}
	for range 300 {
		if n := h.At(h.Len()-1, chance, r).files[name]; n == nil {
			out["-"] = true
		} else {
			out[string(n.data)] = true
		}
	}
	return out
}

const (
	create   = `7 openat(AT_FDCWD<'/'>, "'/data/a'", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 3<'/data/a'>`
	write    = `7 write(3<'/data/a'>, "'text'", 4) = 4`
	fsync    = `7 fsync(3<'/data/a'>) = 0`
	fsyncDir = `7 fsync(4<'/data'>) = 0`
)

func TestWhatIsLostWithoutSync(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lines []string
		file  string
		want  []string // all that may be
	}{
		{"nothing synced", []string{create, write}, "a", []string{"-", "", "text"}},
		{"the file alone", []string{create, write, fsync}, "a", []string{"-", "text"}},
		{"its name alone", []string{create, write, fsyncDir}, "a", []string{"", "text"}},
		{"both", []string{create, write, fsync, fsyncDir}, "a", []string{"text"}},
		{"written while it was synced", []string{create, `7 fsync(3<'/data/a'> <unfinished ...>`, `8 write(3<'/data/a'>, "'text'", 4) = 4`, `7 <... fsync resumed>) = 0`, fsyncDir}, "a", []string{"", "text"}},
		{"written before it was synced", []string{create, `8 write(3<'/data/a'>, "'text'", 4 <unfinished ...>`, `8 <... write resumed>) = 4`, `7 fdatasync(3<'/data/a'> <unfinished ...>`, `7 <... fdatasync resumed>) = 0`, fsyncDir}, "a", []string{"text"}},
		{"renamed", []string{create, write, fsync, fsyncDir, `7 renameat(AT_FDCWD<'/'>, "'/data/a'", AT_FDCWD<'/'>, "'/data/b'") = 0`}, "b", []string{"-", "text"}},
		{"linked and synced", []string{create, write, fsync, `7 linkat(AT_FDCWD<'/'>, "'/data/a'", AT_FDCWD<'/'>, "'/data/b'", 0) = 0`, fsyncDir, `7 unlinkat(AT_FDCWD<'/'>, "'/data/a'", 0) = 0`}, "b", []string{"text"}},
		{"removed", []string{create, write, fsync, fsyncDir, `7 unlinkat(AT_FDCWD<'/'>, "'/data/a'", 0) = 0`}, "a", []string{"-", "text"}},
		{"in a directory whose name is not synced", []string{`7 mkdirat(AT_FDCWD<'/'>, "'/data/d'", 0700) = 0`, `7 openat(AT_FDCWD<'/'>, "'/data/d/a'", O_RDWR|O_CREAT, 0600) = 3<'/data/d/a'>`, `7 fsync(4<'/data/d'>) = 0`}, "d/a", []string{"-", ""}},
		{"failed calls", []string{create, fsyncDir, `7 pwrite64(3<'/data/a'>, "'text'", 4, 0) = -1 ENOSPC (No space left on device)`, `7 fsync(3<'/data/a'>) = -1 EIO (Input/output error)`}, "a", []string{""}},
	} {
		got := outcomes(record(t, c.lines...), c.file, Any)
		for _, want := range c.want {
			if !got[want] {
				t.Errorf("%s: never %q", c.name, want)
			}
			delete(got, want)
		}
		if len(got) > 0 {
			t.Errorf("%s: also %v", c.name, got)
		}
	}
}

func TestWritesTearAtSectors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*sector)
	h := record(t, create, fsyncDir, `7 pwrite64(3<'/data/a'>, "'`+long+`'", 1024, 0) = 1024`)
	zero := strings.Repeat("\x00", sector)
	got := outcomes(h, "a", Any)
	for _, want := range []string{"", long, long[:sector], zero + long[:sector]} {
		if !got[want] {
			t.Errorf("never %d bytes of x in %d", strings.Count(want, "x"), len(want))
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("also %v", got)
	}
}

func TestAnswersAndOrder(t *testing.T) {
	t.Parallel()
	h := record(t, create, write, `7 write(5<'socket:[1]'>, "'200 a is there'", 14 <unfinished ...>`, `9 write(3<'/data/a'>, "' more'", 5) = 5`, `7 <... write resumed>) = 14`)
	r := rand.New(rand.NewPCG(1, 2))
	for moment := range h.Len() {
		s := h.At(moment, InOrder, r)
		if got := s.Answered["a is there"]; got != (moment > 2) {
			t.Errorf("after %d events: answered %v", moment, got)
		}
	}
	if got := outcomes(h, "a", InOrder); len(got) != 1 || !got["text more"] {
		t.Errorf("as after a kill: %v", got)
	}
	if got := outcomes(h, "a", Nothing); len(got) != 1 || !got["-"] {
		t.Errorf("without anything that was not synced: %v", got)
	}
}

func TestCallsThatAreNotRecorded(t *testing.T) {
	t.Parallel()
	line := `7 fallocate(3<\x2f\x64\x61\x74\x61\x2f\x61>, 0, 0, 4096) = 0`
	if _, err := ReadTrace(strings.NewReader(line), dir, nil); err == nil {
		t.Error("a call that is not understood was left out")
	}
}
