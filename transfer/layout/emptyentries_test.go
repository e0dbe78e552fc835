package layout

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestDecodeIndexEndsEarly decodes an index of empty entries, which take fifty times their text in memory.
func TestDecodeIndexEndsEarly(t *testing.T) { // not parallel: it measures memory
	data := []byte(`{"manifests":[` + strings.Repeat("{},", 1<<20) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	entries, err := DecodeIndex(data)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(8*len(data)) {
		t.Errorf("%d bytes of memory for %d bytes of text", grown, len(data))
	}
	for text, want := range map[string]string{`{"manifests":{}}`: "not a list", `{"manifests":[[]]}`: "cannot unmarshal array"} {
		if _, err := DecodeIndex([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`{}`, `{"manifests":null}`, `{"manifests":[]}`} {
		if entries, err := DecodeIndex([]byte(text)); err != nil || len(entries) != 0 {
			t.Errorf("%s: %v, %v", text, entries, err)
		}
	}
}
