package tokenfile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestShortcutFile(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "a file"), filepath.Join(dir, "absent")}
	if err := os.WriteFile(paths[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := Snap(paths)
	if err != nil {
		t.Fatal(err)
	}
	want := Shortcut{Key: Key{Source: Digest("k")}, Files: files, Until: time.Unix(5, 7).UTC()}
	data, err := want.Encode(time.Unix(9, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, expires, ok := decodeShortcut(data)
	if !ok || !reflect.DeepEqual(got, want) || !expires.Equal(time.Unix(9, 0)) {
		t.Errorf("%s\n%+v, %v, %t", data, got, expires, ok)
	}
	want.Files.Paths[0] += "\nfile /etc/passwd"
	if data, err := want.Encode(time.Unix(9, 0)); err == nil {
		t.Errorf("a line break was written: %q", data)
	}
}

func TestSnap(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	seen := make(map[string]string)
	snap := func(state string) {
		t.Helper()
		s, err := Snap([]string{a, b})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.sum]; ok {
			t.Errorf("%s is like %s", state, other)
		}
		seen[s.sum] = state
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	snap("neither")
	write(a, "")
	snap("a is empty")
	write(a, "text")
	snap("a has a text")
	write(b, "")
	snap("b is empty")
	write(a, "")
	write(b, "text")
	snap("b has a text")
	if _, err := Snap([]string{dir}); err == nil {
		t.Error("a directory has no error")
	}
	write(b, strings.Repeat("x", maxSnapshot+1))
	if _, err := Snap([]string{b}); err == nil {
		t.Error("a file that is too large has no error")
	}
}

func TestDigest(t *testing.T) {
	seen := make(map[string]bool)
	for _, list := range [][]string{nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"\x01a"}, {strings.Repeat("a", 200)}} {
		if d := Digest(list...); seen[d] || len(d) != 64 {
			t.Errorf("%q: %s", list, d)
		} else {
			seen[d] = true
		}
	}
}

func FuzzDecodeShortcut(f *testing.F) {
	good, err := Shortcut{Key: Key{Source: Digest("k")}, Files: Snapshot{Paths: []string{"/a", "/b"}, sum: Digest()}}.Encode(time.Unix(9, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(shortcutHead + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sc, expires, ok := decodeShortcut(data)
		if !ok {
			return
		}
		again, err := sc.Encode(expires)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if got, at, ok := decodeShortcut(again); !ok || !reflect.DeepEqual(got, sc) || !at.Equal(expires) {
			t.Fatalf("%q: %+v", data, got)
		}
	})
}
