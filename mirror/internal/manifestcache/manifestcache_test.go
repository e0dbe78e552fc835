package manifestcache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const imageType = "application/vnd.oci.image.manifest.v1+json"

func manifest(text string) content.Manifest { return content.NewManifest([]byte(text), imageType) }

func TestGet(t *testing.T) {
	t.Parallel()
	dir := Dir(filepath.Join(t.TempDir(), "manifests"))
	web, db := dir.Of("HOST/web"), dir.Of("HOST/db")
	m := manifest(`{"schemaVersion":2}`)
	if _, ok := web.Get(m.Descriptor.Digest); ok {
		t.Error("an empty cache has a manifest")
	}
	web.Put(m)
	got, ok := web.Get(m.Descriptor.Digest)
	if !ok || string(got.Content) != string(m.Content) || got.Descriptor.MediaType != imageType || content.VerifyManifest(got, m.Descriptor) != nil {
		t.Errorf("got %v, %+v", ok, got)
	}
	if _, ok := db.Get(m.Descriptor.Digest); ok {
		t.Error("another repository has the manifest")
	}
	for _, name := range []digest.Digest{"", "1.0", "sha256:12", "../../x"} {
		if _, ok := web.Get(name); ok {
			t.Errorf("the cache has %q", name)
		}
	}
	wrong := m
	wrong.Content = []byte("other")
	db.Put(wrong)
	if _, ok := db.Get(m.Descriptor.Digest); ok {
		t.Error("a manifest with another digest was kept")
	}
	none := Dir("").Of("HOST/web")
	none.Put(m)
	if _, ok := none.Get(m.Descriptor.Digest); ok || !none.IsZero() {
		t.Error("a manifest was kept without a directory")
	}
	for _, damage := range []string{"", "x", imageType + "\n", imageType + "\n{}", strings.Repeat("x", 5<<20)} {
		check(t, os.WriteFile(web.path(m.Descriptor.Digest), []byte(damage), 0o600))
		if _, ok := web.Get(m.Descriptor.Digest); ok {
			t.Errorf("%.20q was read", damage)
		}
	}
	web.Put(m) // in place of the damaged one
	if _, ok := web.Get(m.Descriptor.Digest); !ok {
		t.Error("a damaged file was not replaced")
	}
	info, err := os.Stat(web.path(m.Descriptor.Digest))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir, now := Dir(filepath.Join(t.TempDir(), "manifests")), time.Now()
	check(t, dir.Sweep(now)) // without the directory
	check(t, Dir("").Sweep(now))
	r := dir.Of("HOST/web")
	aged := func(text string, age time.Duration) digest.Digest {
		m := manifest(text)
		r.Put(m)
		check(t, os.Chtimes(r.path(m.Descriptor.Digest), now.Add(-age), now.Add(-age)))
		return m.Descriptor.Digest
	}
	has := func(d digest.Digest) bool { _, err := os.Stat(r.path(d)); return err == nil }
	old, used, young := aged("old", maxAge+time.Hour), aged("used", maxAge+time.Hour), aged("young", time.Hour)
	if _, ok := r.Get(used); !ok {
		t.Error("an old manifest is not there")
	}
	check(t, dir.Sweep(now))
	if has(old) || !has(used) || !has(young) {
		t.Errorf("left: old %v, used %v, young %v", has(old), has(used), has(young))
	}
	old = aged("old", maxAge+time.Hour)
	check(t, dir.Sweep(now)) // again on the same day
	if !has(old) {
		t.Error("swept twice")
	}

	var large []digest.Digest // more than there may be, the first one the oldest
	for i := range 4 {
		large = append(large, aged(strings.Repeat(string(rune('a'+i)), 1000), time.Duration(100-i)*time.Hour))
	}
	check(t, dir.sweep(now.Add(sweptEvery+time.Hour), 2500))
	if has(large[0]) || has(large[1]) || !has(large[2]) || !has(young) {
		t.Errorf("of many: %v %v %v, young %v", has(large[0]), has(large[1]), has(large[2]), has(young))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
