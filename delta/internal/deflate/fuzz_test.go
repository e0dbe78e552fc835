package deflate

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"testing"
)

// FuzzStream describes whatever can be read and rebuilds it, bit for bit.
func FuzzStream(f *testing.F) {
	for _, level := range []int{-2, 0, 1, 6} {
		var out bytes.Buffer
		z, err := stdgzip.NewWriterLevel(&out, level)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = z.Write(text(300)) // a buffer does not fail
		_ = z.Close()
		f.Add(out.Bytes(), uint8(level))
	}
	f.Add(fixedBlock(), uint8(0))
	f.Add(altLengthBlock(), uint8(1))
	models := Models()
	f.Fuzz(func(t *testing.T, stream []byte, model uint8) {
		e := Encoder{Model: models[int(model)%len(models)]}
		if model >= 128 {
			e.Segment, e.Dictionary = 1<<10, 300
		}
		var plain, description, rebuilt bytes.Buffer
		s, err := Inspect(bytes.NewReader(stream), &plain)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if plain.Len() > 1<<20 {
			return
		}
		if _, err := Describe(bytes.NewReader(stream), s, e, &description, 0); err != nil {
			t.Fatal(err)
		}
		if err := Rebuild(&plain, &description, e, &rebuilt, int64(len(stream))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(rebuilt.Bytes(), stream) {
			t.Fatal("the stream is not the same")
		}
	})
}

// FuzzRebuild rebuilds from hostile descriptions.
func FuzzRebuild(f *testing.F) {
	f.Add([]byte{0x80, 1, 2, 3, 4, 5, 6, 7, 8}, text(300), uint8(0))
	f.Add(bytes.Repeat([]byte{0}, 100), text(300), uint8(3))
	f.Add(bytes.Repeat([]byte{0xff}, 100), text(300), uint8(13))
	models := Models()
	f.Fuzz(func(t *testing.T, description, plain []byte, model uint8) {
		e := Encoder{Model: models[int(model)%len(models)]}
		if model >= 128 {
			e.Segment, e.Dictionary = 1<<10, 300
		}
		if len(description) > 1<<10 || len(plain) > 4<<10 {
			return // more of the same, at less executions a second
		}
		const limit = 4 << 10
		var out bytes.Buffer
		err := Rebuild(bytes.NewReader(plain), bytes.NewReader(description), e, &out, limit)
		if err != nil && !errors.Is(err, ErrDescription) && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if out.Len() > limit {
			t.Fatalf("%d bytes", out.Len())
		}
	})
}
