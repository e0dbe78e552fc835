package deflate

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/mutate"
)

// TestHostileDescriptions rebuilds from damaged descriptions.
func TestHostileDescriptions(t *testing.T) {
	t.Parallel()
	hostileDescriptions(t, 1000)
}

// hostileDescriptions rebuilds from so many descriptions: no more bytes than the layer has, and only errors of the
// description.
func hostileDescriptions(t *testing.T, executions int) {
	t.Helper()
	plain := append(text(600), bytes.Repeat([]byte("again "), 60)...)
	var encoders []Encoder
	for _, name := range []string{"zlib-6", "go-1", "klauspost-5"} {
		encoders = append(encoders, Encoder{Model: name}, Encoder{Model: name, Segment: 1 << 10, Dictionary: 300})
	}
	var seeds [][]byte
	for _, e := range encoders {
		for _, level := range []int{-2, 0, 1, 6} {
			stream := append(goGzip(t, plain, level), goGzip(t, plain[:100], level)...)
			s, err := Inspect(bytes.NewReader(stream), &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			var description bytes.Buffer
			if _, err := Describe(bytes.NewReader(stream), s, e, &description, 0); err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, description.Bytes())
		}
	}
	plain = append(plain, plain[:100]...)
	windows, models := map[string]*window{}, map[string]model{} // made once: their memory is most of the time
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	const limit = 2 << 10
	rebuilt := 0
	var out bytes.Buffer
	for range executions {
		description := mutate.Bytes(rng, seeds)
		e := encoders[rng.IntN(len(encoders))]
		w := windows[e.Model]
		if w == nil {
			w = newWindow()
			windows[e.Model], models[e.Model] = w, e.model(w)
		}
		w.buf, w.base = w.buf[:0], 0
		out.Reset()
		in := newRangeDecoder(bytes.NewReader(description))
		r := &rebuilder{codec: newCodec(in, e, w, models[e.Model]), in: in, plain: bytes.NewReader(plain), out: newBitWriter(&out, limit)}
		err := r.run()
		if err == nil {
			rebuilt++
		}
		if err != nil && !errors.Is(err, ErrDescription) && !errors.Is(err, ErrFormat) || out.Len() > limit {
			t.Fatalf("%d bytes by %s from %x: %v", out.Len(), e, description, err)
		}
	}
	t.Logf("%d of %d made a stream", rebuilt, executions)
}

// TestEmptyTrailing refuses a description of bytes behind the end that are none: any number of them would be in a few bits.
func TestEmptyTrailing(t *testing.T) {
	t.Parallel()
	var description bytes.Buffer
	out, window := newRangeEncoder(&description), newWindow()
	e := Encoder{Model: "zlib-6"}
	d := &describer{codec: newCodec(out, e, window, e.model(window))}
	for range 1000 {
		if err := d.describe(&event{kind: kindTrailing}); err != nil {
			t.Fatal(err)
		}
	}
	d.c.bit(&d.more, 0)
	if err := out.close(); err != nil {
		t.Fatal(err)
	}
	if err := Rebuild(bytes.NewReader(nil), &description, e, io.Discard, 1000); !errors.Is(err, ErrDescription) {
		t.Errorf("%d bytes: %v", description.Len(), err)
	}
}
