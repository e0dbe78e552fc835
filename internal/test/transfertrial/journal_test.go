//go:build linux

package transfertrial

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	notes(t, "cut off", "garbage", "upload expired")
}

// notes kills a push and then damages what it has left behind: the note of the
// upload, or the upload. The next push gets the layer there all the same, and leaves
// nothing behind. Only the cases with these names run, if there are any.
func notes(t *testing.T, only ...string) {
	const size = 24 * mib
	m := makeImage(t, random, size)
	rewrite := func(f func(data []byte) []byte) func(*testing.T, *site) {
		return func(t *testing.T, s *site) {
			data, err := os.ReadFile(s.note(t))
			check(t, err)
			check(t, os.WriteFile(s.note(t), f(data), 0o600))
		}
	}
	tests := map[string]struct {
		spoil  func(*testing.T, *site)
		resume bool // what the server has is of use
	}{
		"untouched": {func(*testing.T, *site) {}, true},
		"cut off":   {rewrite(func(data []byte) []byte { return append(data, "acknow"...) }), true},
		"garbage":   {rewrite(func(data []byte) []byte { return bytes.Repeat([]byte{0}, len(data)) }), false},
		"empty":     {rewrite(func([]byte) []byte { return nil }), false},
		"another version": {rewrite(func(data []byte) []byte {
			return bytes.Replace(data, []byte(" 1\n"), []byte(" 2\n"), 1)
		}), false},
		"upload that never was": {rewrite(func([]byte) []byte {
			return []byte("ecrkit-upload 1\nupload 11111111-2222-3333-4444-555555555555 10485760\nacknowledged 41943040\n")
		}), false},
		"no note": {func(t *testing.T, s *site) { check(t, os.Remove(s.note(t))) }, false},
		"upload expired": {func(t *testing.T, s *site) {
			s.server.Clock().Advance(25 * time.Hour)
			check(t, s.server.Expire())
		}, false},
	}
	for name, tt := range tests {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, localecr.Options{})
			s.half(t, m)
			old := filepath.Join(s.uploads(), "0000000000000000000000000000000000000000000000000000000000000000.upload")
			check(t, os.WriteFile(old, nil, 0o600))
			check(t, os.Chtimes(old, time.Time{}, time.Now().Add(-8*24*time.Hour)))
			before := s.taken()
			tt.spoil(t, s)
			s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
			if got := s.taken(); tt.resume && got != size || !tt.resume && got != before+size {
				t.Errorf("the server took parts of %d bytes in all, %d of them before the kill", got, before)
			}
			s.nothingLeft()
			s.checkPushed(t, m)
		})
	}
}

// TestSourceChanges has the bytes of the source change while they are uploaded.
func TestSourceChanges(t *testing.T) {
	t.Parallel()
	m := makeImage(t, random, 24*mib)
	file := filepath.Join(m.dir, "blobs", "sha256", m.layers[0].Digest.Encoded())
	flip := func(t *testing.T) {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		check(t, err)
		defer f.Close()
		b := make([]byte, 1)
		_, err = f.ReadAt(b, 5*mib)
		check(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b, 5*mib)
		check(t, err)
	}
	push := func(s *site) []string { return []string{"push", "-q", "oci:" + m.dir, s.image("app", "x")} }

	t.Run("for the worse", func(t *testing.T) {
		s := start(t, localecr.Options{})
		s.half(t, m)
		flip(t)
		out, err := s.command(push(s)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 4 || !bytes.Contains(out, []byte("another digest")) {
			t.Errorf("a source with other bytes: %v\n%s", err, out)
		}
		s.nothingLeft()
		flip(t)
		s.run(push(s)...)
		s.nothingLeft()
		s.checkPushed(t, m)
	})
	t.Run("for the better", func(t *testing.T) {
		s := start(t, localecr.Options{})
		flip(t)
		s.half(t, m)
		flip(t)
		s.run(push(s)...) // what the server has is of no use
		s.nothingLeft()
		s.checkPushed(t, m)
	})
}

// half kills a push after its first part of three.
func (s *site) half(t *testing.T, m made) {
	t.Helper()
	killed := s.killAfter(partSize/3*4+5*mib, "push", "-q", "--connections", "1", "oci:"+m.dir, s.image("app", "x"))
	if got := s.taken(); !killed || got != partSize {
		t.Fatalf("the server took parts of %d bytes before the kill (%v)", got, killed)
	}
}

// uploads is where uploads are noted.
func (s *site) uploads() string {
	return filepath.Join(s.home, ".local", "state", "ecrkit", "uploads")
}

// note is the file of the only upload that is noted.
func (s *site) note(t *testing.T) string {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(s.uploads(), "*[1-9a-f]*.upload"))
	check(t, err)
	if len(notes) != 1 {
		t.Fatalf("notes of uploads: %v", notes)
	}
	return notes[0]
}

// checkPushed pulls the image back.
func (s *site) checkPushed(t *testing.T, m made) {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	m.checkLayout(t, dst)
}
