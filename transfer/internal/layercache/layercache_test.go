package layercache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

var (
	now   = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	key   = Key{digest.FromString("layer"), "gzip-1"}
	layer = Layer{digest.FromString("compressed"), 7}
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCache(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "a", "layers"))
	if _, ok := d.Get(key, now); ok {
		t.Error("something in an empty cache")
	}
	check(t, d.Drop(key))
	check(t, d.Sweep(now))
	check(t, d.Put(key, layer))
	if got, ok := d.Get(key, now); !ok || got != layer {
		t.Errorf("got %v %v", got, ok)
	}
	if _, ok := d.Get(Key{key.DiffID, "gzip-2"}, now); ok {
		t.Error("the layer of another version")
	}
	check(t, d.Drop(key))
	if _, ok := d.Get(key, now); ok {
		t.Error("a layer that was dropped")
	}
	check(t, Dir("").Put(key, layer))
	check(t, Dir("").Sweep(now))
}

func TestCorruptEntry(t *testing.T) {
	d := Dir(t.TempDir())
	check(t, d.Put(key, layer))
	good, err := os.ReadFile(d.path(key))
	check(t, err)
	for _, bad := range []string{
		"", "null", "{", string(good[:len(good)-2]),
		strings.Replace(string(good), string(key.DiffID), digest.FromString("x").String(), 1),
		strings.Replace(string(good), string(layer.Digest), "sha256:..", 1),
		strings.Replace(string(good), ":7", ":-7", 1),
		string(good) + strings.Repeat(" ", maxEntry),
	} {
		check(t, os.WriteFile(d.path(key), []byte(bad), 0o600))
		if got, ok := d.Get(key, now); ok {
			t.Errorf("%.100q gives %v", bad, got)
		}
	}
	check(t, d.Put(key, layer))
	if _, ok := d.Get(key, now); !ok {
		t.Error("not mended")
	}
}

func TestSweep(t *testing.T) {
	d := Dir(t.TempDir())
	age := func(name string, age time.Duration) {
		t.Helper()
		check(t, os.Chtimes(name, now.Add(-age), now.Add(-age)))
	}
	put := func(i int, old time.Duration) Key {
		t.Helper()
		k := Key{digest.FromString(fmt.Sprint(i)), "v"}
		check(t, d.Put(k, layer))
		age(d.path(k), old)
		return k
	}
	old, recent := put(1, maxAge+1), put(2, maxAge-1)
	for name, a := range map[string]time.Duration{"a.tmp": 0, "b.tmp": tempAge + 1} {
		check(t, os.WriteFile(filepath.Join(string(d), name), nil, 0o600))
		age(filepath.Join(string(d), name), a)
	}
	used := put(3, maxAge-1)
	d.Get(used, now)
	check(t, d.Sweep(now))
	left, err := os.ReadDir(string(d))
	check(t, err)
	if _, ok := d.Get(old, now.Add(-maxAge)); ok || len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	check(t, d.Sweep(now.Add(2*time.Hour)))
	_, recentLeft := d.Get(recent, now)
	if _, usedLeft := d.Get(used, now); recentLeft || !usedLeft {
		t.Errorf("an entry that was used is kept: %v, one that was not: %v", usedLeft, recentLeft)
	}
	for i := range maxEntries + 10 {
		put(100+i, time.Duration(maxEntries+20-i)*time.Second)
	}
	check(t, d.Sweep(now))
	left, err = os.ReadDir(string(d))
	check(t, err)
	if _, ok := d.Get(Key{digest.FromString("100"), "v"}, now); ok || len(left) != maxEntries {
		t.Errorf("%d entries are left", len(left))
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"diffID":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","version":"v","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parse(data)
		if err == nil && (e.Size <= 0 || e.Digest.Validate() != nil) {
			t.Errorf("took %q", data)
		}
	})
}
