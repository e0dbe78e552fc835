package ui

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// jsonWriter writes one event a line. Of a blob that moves there is one a second,
// with the bytes of that time.
type jsonWriter struct {
	mu    sync.Mutex
	out   io.Writer
	moved map[blobName]content.Event // not written yet
}

func newJSONWriter(out io.Writer) *jsonWriter {
	return &jsonWriter{out: out, moved: map[blobName]content.Event{}}
}

func (w *jsonWriter) handle(e content.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := blobName{e.Target, e.Descriptor.Digest}
	moved, ok := w.moved[name]
	if e.Kind == content.EventMoved {
		e.Bytes += moved.Bytes
		w.moved[name] = e
		return
	}
	if ok {
		delete(w.moved, name)
		w.write(moved)
	}
	w.write(e)
}

// flush writes what has been moved since the last time.
func (w *jsonWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.SortedFunc(maps.Keys(w.moved), func(a, b blobName) int {
		return strings.Compare(a.target+string(a.digest), b.target+string(b.digest))
	}) {
		w.write(w.moved[name])
	}
	clear(w.moved)
}

// write writes a line. A display that cannot be written is no reason to end a copy.
func (w *jsonWriter) write(e content.Event) {
	if e.Kind == content.EventMoved && e.Bytes == 0 {
		return
	}
	if line, err := json.Marshal(e); err == nil {
		_, _ = w.out.Write(append(line, '\n'))
	}
}
