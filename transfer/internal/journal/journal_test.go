package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

const key = "host/app@sha256:1"

func open(t *testing.T, d Dir) *Entry {
	t.Helper()
	e, err := d.Open(key)
	check(t, err)
	if e == nil {
		t.Fatal("another has the entry")
	}
	return e
}

// list returns what is in the directory.
func list(t *testing.T, d Dir) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(string(d))
	check(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEntry(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "state", "uploads"))
	e := open(t, d)
	if e.upload != (Upload{}) {
		t.Errorf("a new entry says %+v", e.upload)
	}
	if other, err := d.Open(key); err != nil || other != nil {
		t.Errorf("a second process got the entry: %v, %v", other, err)
	}
	check(t, e.Begin("id-1", 10))
	check(t, e.Acknowledge(10))
	check(t, e.Acknowledge(20))
	check(t, e.Close())

	e = open(t, d)
	if want := (Upload{"id-1", 10, 20}); e.upload != want {
		t.Errorf("got %+v, want %+v", e.upload, want)
	}
	check(t, e.Acknowledge(25))
	check(t, e.Close())
	e = open(t, d)
	if want := (Upload{"id-1", 10, 25}); e.upload != want {
		t.Errorf("got %+v, want %+v", e.upload, want)
	}
	check(t, e.Begin("id-2", 7)) // forgets the first
	check(t, e.Close())
	e = open(t, d)
	if want := (Upload{"id-2", 7, 0}); e.upload != want {
		t.Errorf("got %+v, want %+v", e.upload, want)
	}
	check(t, e.Remove())
	if left := list(t, d); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, id := range []string{"", "a b", "a\nb"} {
		e := open(t, d)
		if err := e.Begin(id, 1); err == nil {
			t.Errorf("the ID %q was written", id)
		}
		check(t, e.Close()) // says nothing: it goes
	}
	if left := list(t, d); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEntryIsPrivate(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "uploads"))
	e := open(t, d)
	check(t, e.Begin("id", 1))
	check(t, e.Close())
	for _, name := range append(list(t, d), ".") {
		info, err := os.Stat(filepath.Join(string(d), name))
		check(t, err)
		if name != "." && !strings.HasSuffix(name, lockSuffix) && info.Mode().Perm() != 0o600 || name == "." && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		if strings.Contains(name, "host") {
			t.Errorf("%s tells where the layer goes", name)
		}
	}
}

func TestParse(t *testing.T) {
	begin := header + "\nupload id 10\n"
	tests := map[string]struct {
		text string
		want Upload
		ok   bool
	}{
		"begun":              {begin, Upload{"id", 10, 0}, true},
		"acknowledged":       {begin + "acknowledged 10\nacknowledged 12\n", Upload{"id", 10, 12}, true},
		"being written":      {begin + "acknowledged 10\nacknow", Upload{"id", 10, 10}, true},
		"appended to that":   {begin + "acknowledged 10\nacknowacknowledged 20\n", Upload{"id", 10, 10}, true},
		"goes back":          {begin + "acknowledged 10\nacknowledged 9\n", Upload{"id", 10, 10}, true},
		"negative":           {begin + "acknowledged -1\n", Upload{"id", 10, 0}, true},
		"too large a number": {begin + "acknowledged 99999999999999999999\n", Upload{"id", 10, 0}, true},
		"zeros":              {begin + "\x00\x00\x00\n", Upload{"id", 10, 0}, true},
		"empty":              {"", Upload{}, false},
		"only zeros":         {strings.Repeat("\x00", 100), Upload{}, false},
		"another version":    {"ecrkit-upload 2\nupload id 10\n", Upload{}, false},
		"no upload":          {header + "\n", Upload{}, false},
		"half an upload":     {header + "\nupload id 1", Upload{}, false},
		"no part size":       {header + "\nupload id\n", Upload{}, false},
		"part size 0":        {header + "\nupload id 0\n", Upload{}, false},
		"part size negative": {header + "\nupload id -5\n", Upload{}, false},
		"long ID":            {header + "\nupload " + strings.Repeat("x", 1025) + " 5\n", Upload{}, false},
		"endless line":       {header + "\nupload " + strings.Repeat("x", 1<<20), Upload{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(strings.NewReader(tt.text))
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
			// A damaged entry is one that is not there, and can be begun.
			d := Dir(t.TempDir())
			check(t, os.WriteFile(d.path(key), []byte(tt.text), 0o600))
			e := open(t, d)
			if e.upload != tt.want {
				t.Errorf("opened %+v, want %+v", e.upload, tt.want)
			}
			check(t, e.Begin("new", 5))
			check(t, e.Close())
			e = open(t, d)
			if e.upload.ID != "new" {
				t.Errorf("opened %+v", e.upload)
			}
			check(t, e.Remove())
		})
	}
}

// What is acknowledged after a process was killed while it wrote counts, whatever that
// process left behind.
func TestAcknowledgeAfterTorn(t *testing.T) {
	const start = header + "\nupload id 10\nacknowledged 10\n"
	for _, torn := range []string{"", "a", "acknowledged", "acknowledged 1", "acknowledged 20", "\x00\x00", "\x00\n", "acknowledged 5\n", "acknowledged 1acknowledged 20\n"} {
		d := Dir(t.TempDir())
		check(t, os.WriteFile(d.path(key), []byte(start+torn), 0o600))
		for _, acknowledged := range []int64{30, 40} { // each by a process that is killed
			e := open(t, d)
			check(t, e.Acknowledge(acknowledged))
			check(t, e.Acknowledge(acknowledged+5))
			check(t, e.file.Close())
			e.lock.Release()
			e = open(t, d)
			if want := (Upload{"id", 10, acknowledged + 5}); e.upload != want {
				t.Errorf("%q: got %+v, want %+v", torn, e.upload, want)
			}
			check(t, e.Close())
		}
	}
}

// An entry that is a link is not followed, nor is its lock, and there is no entry then.
func TestLinkedEntry(t *testing.T) {
	for name, link := range map[string]func(from, to string) error{"symbolic": os.Symlink, "hard": os.Link} {
		for _, suffix := range []string{"", lockSuffix} {
			d, secret := Dir(t.TempDir()), filepath.Join(t.TempDir(), "secret")
			text := header + "\nupload id 10\n"
			check(t, os.WriteFile(secret, []byte(text), 0o600))
			check(t, link(secret, d.path(key)+suffix))
			e, err := d.Open(key)
			if suffix == lockSuffix {
				if !errors.Is(err, files.ErrUntrusted) {
					t.Errorf("%s link as lock: %v", name, err)
				}
				continue
			}
			check(t, err)
			if e.upload != (Upload{}) {
				t.Errorf("%s link: opened %+v", name, e.upload)
			}
			check(t, e.Begin("new", 5))
			check(t, e.Acknowledge(5))
			check(t, e.Close())
			if got, err := os.ReadFile(secret); err != nil || string(got) != text {
				t.Errorf("%s link: the file is now %q, %v", name, got, err)
			}
			if e = open(t, d); e.upload.ID != "new" {
				t.Errorf("%s link: opened %+v", name, e.upload)
			}
		}
	}
}

// The acknowledgements of the largest layer are all read.
func TestLargestEntry(t *testing.T) {
	d := Dir(t.TempDir())
	e := open(t, d)
	check(t, e.Begin(strings.Repeat("x", 100), 12<<20))
	last := int64(0)
	for range 4200 {
		last += 12 << 20
		check(t, e.Acknowledge(last))
	}
	check(t, e.Close())
	if e = open(t, d); e.upload.Acknowledged != last {
		t.Errorf("got %d, want %d", e.upload.Acknowledged, last)
	}
	check(t, e.Remove())
}

func TestForget(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "uploads"))
	check(t, d.Forget(key)) // without the directory
	e := open(t, d)
	check(t, e.Begin("id", 1))
	check(t, d.Forget(key)) // it is in use
	if got := list(t, d); len(got) != 2 {
		t.Errorf("the entry of another process has gone: %v", got)
	}
	check(t, e.Close())
	check(t, d.Forget(key))
	if got := list(t, d); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestKilledWriter has a process be killed while it writes an entry: whoever ends the
// upload, or sweeps later, removes what is left of it.
func TestKilledWriter(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "uploads"))
	for name, end := range map[string]func(*Entry) error{
		"removed": (*Entry).Remove,
		"begun":   func(e *Entry) error { return errors.Join(e.Begin("id", 1), e.Remove()) },
		"swept": func(e *Entry) error {
			return errors.Join(e.Close(), os.WriteFile(d.path(key)+tempSuffix, []byte("ecrk"), 0o600), d.Sweep(time.Now().Add(maxAge+time.Hour)))
		},
	} {
		e := open(t, d)
		check(t, os.WriteFile(d.path(key)+tempSuffix, []byte("ecrk"), 0o600))
		check(t, end(e))
		if got := list(t, d); len(got) != 0 {
			t.Errorf("%s: left behind: %v", name, got)
		}
	}
}

func TestSweep(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "uploads"))
	now := time.Now()
	check(t, d.Sweep(now)) // without the directory
	for i := range 4 {
		e, err := d.Open(fmt.Sprint(i))
		check(t, err)
		check(t, e.Begin("id", 1))
		if i < 3 {
			check(t, e.Close())
		} else {
			defer e.Close()
		}
	}
	foreign := filepath.Join(string(d), "notes.txt")
	check(t, os.WriteFile(foreign, nil, 0o600))
	check(t, d.Sweep(now.Add(maxAge-time.Hour)))
	if got := list(t, d); len(got) != 9 {
		t.Errorf("what is young has gone: %v", got)
	}
	check(t, d.Sweep(now.Add(maxAge+time.Hour)))
	got := list(t, d)
	if len(got) != 3 || !strings.Contains(strings.Join(got, " "), "notes.txt") {
		t.Errorf("left are %v, want the file that is not ours and the entry in use", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(header + "\nupload id 10\nacknowledged 10\n"))
	f.Add([]byte(header + "\nupload id 10\nacknowledged 10\nackn"))
	f.Add([]byte("ecrkit-upload 2\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := parse(bytes.NewReader(data))
		if err != nil {
			if u != (Upload{}) {
				t.Errorf("%+v beside %v", u, err)
			}
			return
		}
		if u.ID == "" || len(u.ID) > 1024 || u.PartSize <= 0 || u.Acknowledged < 0 {
			t.Errorf("accepted %+v", u)
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
