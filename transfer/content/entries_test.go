package content

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestEmptyEntries decodes lists of empty entries, which take a hundred times their text in memory.
func TestEmptyEntries(t *testing.T) { // not parallel: it measures memory
	for name, decode := range map[string]func(entries string) error{
		"entries": func(entries string) error {
			_, err := DecodeEntries([]byte(`{"schemaVersion":2,"manifests":`+entries+`}`), ErrIntegrity)
			return err
		},
		"index": func(entries string) error {
			_, err := DecodeManifest([]byte(`{"schemaVersion":2,"manifests":`+entries+`}`), "")
			return err
		},
		"layers": func(entries string) error {
			_, err := DecodeManifest([]byte(`{"schemaVersion":2,"config":{},"layers":`+entries+`}`), "")
			return err
		},
	} {
		text := "[" + strings.Repeat("{},", 1<<20) + "{}]"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decode(text)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrIntegrity) {
			t.Errorf("%s: %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(8*len(text)) {
			t.Errorf("%s: %d bytes of memory for %d bytes of text", name, grown, len(text))
		}
		if err := decode(`{}`); err == nil || !strings.Contains(err.Error(), "not a list") {
			t.Errorf("%s: an object: %v", name, err)
		}
		digest := "sha512:" + strings.Repeat("0", 128)
		if err := decode(`[{"digest":"` + digest + `"}]`); !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrIntegrity) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLargeManifestMemory decodes manifests of the largest size: what that takes is in proportion to what it returns.
func TestLargeManifestMemory(t *testing.T) { // not parallel: it measures memory
	for name, c := range map[string]struct{ begin, entry string }{
		"image": {`{"schemaVersion":2,"config":` + configJSON + `,"layers":[`, layerJSON},
		"index": {`{"schemaVersion":2,"manifests":[`, strings.Replace(childJSON, `,"platform":{"os":"linux","architecture":"arm64"}`, "", 1)},
	} {
		n := (MaxManifestSize - len(c.begin)) / (len(c.entry) + 1)
		data := []byte(c.begin + strings.Repeat(c.entry+",", n-1) + c.entry + "]}")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := DecodeManifest(data, "")
		runtime.ReadMemStats(&after)
		if err != nil || len(m.Blobs)+len(m.Manifests) < n {
			t.Fatalf("%s: %d entries of %d, %v", name, len(m.Blobs)+len(m.Manifests), n, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2*MaxManifestSize {
			t.Errorf("%s: a manifest of %d bytes took %d", name, len(data), used)
		}
	}
}
