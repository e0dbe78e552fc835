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
