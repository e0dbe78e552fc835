package deflate

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"

	"github.com/ecrkit/ecrkit/internal/test/layers"
)

// text is plaintext that compresses like code: words of a small vocabulary, and runs.
func text(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var words []string
	for range 3000 {
		word := make([]byte, 2+rng.IntN(9))
		for i := range word {
			word[i] = "etaoinshrdlucmfwypvbgkjqxz"[min(rng.IntN(26), rng.IntN(26))]
		}
		words = append(words, string(word))
	}
	var out bytes.Buffer
	for out.Len() < size {
		switch rng.IntN(50) {
		case 0:
			out.WriteString(strings.Repeat("\x00", rng.IntN(2000)))
		case 1:
			fmt.Fprintf(&out, "%x", rng.Uint64())
		case 2:
			from := rng.IntN(out.Len() + 1)
			from = max(from, out.Len()-40000)
			out.Write(bytes.Clone(out.Bytes()[from:min(from+rng.IntN(300), out.Len())]))
		default:
			out.WriteString(words[min(rng.IntN(3000), rng.IntN(3000), rng.IntN(3000))] + " ")
		}
	}
	return out.Bytes()[:size]
}

func noise(size int) []byte {
	rng := rand.NewChaCha8([32]byte{1})
	p := make([]byte, size)
	_, _ = rng.Read(p)
	return p
}

// roundTrip describes a stream and rebuilds it.
func roundTrip(t *testing.T, stream []byte, e Encoder) Result {
	t.Helper()
	var plain, description, rebuilt bytes.Buffer
	s, err := Inspect(bytes.NewReader(stream), &plain)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Describe(bytes.NewReader(stream), s, e, &description, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := Rebuild(&plain, bytes.NewReader(description.Bytes()), e, &rebuilt, int64(len(stream))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rebuilt.Bytes(), stream) {
		i := 0
		for i < min(rebuilt.Len(), len(stream)) && rebuilt.Bytes()[i] == stream[i] {
			i++
		}
		t.Fatalf("%d bytes were rebuilt as %d, different from byte %d on", len(stream), rebuilt.Len(), i)
	}
	t.Logf("%v: %d tokens, %d misses, %d of %d bytes (%.2f %%)", e, result.Tokens, result.Misses, result.Size, len(stream), 100*float64(result.Size)/float64(len(stream)))
	return result
}

func compress(t *testing.T, data []byte, open func(w io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	out, err := layers.Compress(data, open)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func goGzip(t *testing.T, data []byte, level int) []byte {
	return compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return stdgzip.NewWriterLevel(w, level) })
}

// TestEstimate finds the encoder, the size of its segments, and how much of the one before they refer to, also where one
// model is the best at once.
func TestEstimate(t *testing.T) {
	t.Parallel()
	data := text(700 << 10)
	for want, stream := range map[Encoder][]byte{
		{Model: "go-6"}: goGzip(t, data, 6),
		{Model: "klauspost-5", Segment: 128 << 10, Dictionary: 16 << 10}: compress(t, data, func(w io.Writer) (io.WriteCloser, error) {
			z := pgzip.NewWriter(w)
			return z, z.SetConcurrency(128<<10, 2)
		}),
	} {
		s, err := Inspect(bytes.NewReader(stream), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream)), nil }
		if e, err := Estimate(open, s); err != nil || e != want {
			t.Errorf("%+v instead of %+v, %v", e, want, err)
		}
	}
}

// TestFlushedMembers takes flushes before the ends of members, as eStargz has them, for no segments.
func TestFlushedMembers(t *testing.T) {
	t.Parallel()
	data := text(200 << 10)
	var stream []byte
	for _, size := range []int{2 << 10, 150 << 10, 48 << 10} {
		stream = append(stream, compress(t, data[:size], func(w io.Writer) (io.WriteCloser, error) {
			z := stdgzip.NewWriter(w)
			return flushed{z}, nil
		})...)
		data = data[size:]
	}
	s, err := Inspect(bytes.NewReader(stream), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := Encoder{Model: "go-6"}
	e, err := Estimate(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream)), nil }, s)
	if err != nil || e != want {
		t.Errorf("%+v instead of %+v, %v", e, want, err)
	}
	if result := roundTrip(t, stream, e); result.Misses > 5 {
		t.Errorf("%d of %d tokens are missed", result.Misses, result.Tokens)
	}
}

// flushed is flushed before it is closed.
type flushed struct{ *stdgzip.Writer }

func (f flushed) Close() error { return errors.Join(f.Flush(), f.Writer.Close()) }

// TestPredicted has models predict what the encoders write that they are of: all tokens but a few at the
// ends of segments.
func TestPredicted(t *testing.T) {
	t.Parallel()
	data := append(text(300<<10), append(noise(70<<10), text(430<<10)...)...)
	for _, level := range []int{1, 2, 6} {
		t.Run(fmt.Sprint("go ", level), func(t *testing.T) {
			t.Parallel()
			if r := roundTrip(t, goGzip(t, data, level), Encoder{Model: fmt.Sprintf("go-%d", level)}); r.Misses*10000 > r.Tokens {
				t.Errorf("%d of %d tokens were not predicted", r.Misses, r.Tokens)
			}
		})
	}
	t.Run("klauspost", func(t *testing.T) {
		t.Parallel()
		stream := compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 5) })
		if r := roundTrip(t, stream, Encoder{Model: "klauspost-5"}); r.Misses*10000 > r.Tokens {
			t.Errorf("%d of %d tokens were not predicted", r.Misses, r.Tokens)
		}
	})
	t.Run("pgzip", func(t *testing.T) {
		t.Parallel()
		stream := compress(t, data, func(w io.Writer) (io.WriteCloser, error) {
			z := pgzip.NewWriter(w)
			return z, z.SetConcurrency(128<<10, 2)
		})
		if r := roundTrip(t, stream, Encoder{Model: "klauspost-5", Segment: 128 << 10, Dictionary: 16 << 10}); r.Misses*10000 > r.Tokens {
			t.Errorf("%d of %d tokens were not predicted", r.Misses, r.Tokens)
		}
	})
}

// TestAnyStream rebuilds streams that no model is of, and odd ones.
func TestAnyStream(t *testing.T) {
	t.Parallel()
	data := append(text(30<<10), noise(20<<10)...)
	nine := goGzip(t, data, 9)
	named := compress(t, data, func(w io.Writer) (io.WriteCloser, error) {
		z := stdgzip.NewWriter(w)
		z.Name, z.Comment, z.Extra = "layer.tar", "a comment", []byte("extra")
		return z, nil
	})
	wrongSum := bytes.Clone(nine)
	wrongSum[len(wrongSum)-6] ^= 1
	flushed := compress(t, data, func(w io.Writer) (io.WriteCloser, error) {
		z := stdgzip.NewWriter(w)
		for i := range 20 {
			if _, err := z.Write(data[i*1000 : i*1017]); err != nil {
				return nil, err
			}
			if err := z.Flush(); err != nil {
				return nil, err
			}
		}
		return z, nil
	})
	for name, stream := range map[string][]byte{
		"another model": nine, "named": named, "wrong sum": wrongSum, "flushed": flushed,
		"two members":  append(bytes.Clone(nine), goGzip(t, data, 1)...),
		"trailing":     append(bytes.Clone(nine), "something else"...),
		"zeros behind": append(bytes.Clone(nine), make([]byte, 1000)...),
		"empty":        goGzip(t, nil, 6), "one byte": goGzip(t, data[:1], 6), "stored": goGzip(t, data, 0),
		"huffman only": goGzip(t, data, -2), "empty members": bytes.Repeat(goGzip(t, nil, 6), 5),
		"fixed": fixedBlock(), "long codes of 258": altLengthBlock(),
	} {
		for _, e := range []Encoder{{Model: "zlib-6"}, {Model: "klauspost-5"}, {Model: "go-1"}, {Model: "go-5", Segment: 128 << 10, Dictionary: 32 << 10}} {
			t.Run(name+" "+e.String(), func(t *testing.T) {
				t.Parallel()
				roundTrip(t, stream, e)
			})
		}
	}
}

// member is a gzip member of bits.
func member(plain []byte, write func(b *bitWriter)) []byte {
	var out bytes.Buffer
	out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3})
	b := newBitWriter(&out, 1<<20)
	write(b)
	b.put(0, b.padding())
	b.flush()
	out.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(plain)))
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(plain))))
	return out.Bytes()
}

func fixedBlock() []byte {
	return member([]byte("aaaa"), func(b *bitWriter) { fixedTokens(b, 'a', matchToken(3, 1)) })
}

// altLengthBlock has 258 bytes in the code of 257.
func altLengthBlock() []byte {
	return member(bytes.Repeat([]byte("a"), 259), func(b *bitWriter) { fixedTokens(b, 'a', matchToken(altLength, 1)) })
}

func fixedTokens(b *bitWriter, tokens ...Token) {
	r := &rebuilder{codec: newCodec(nil, Encoder{Model: "go-6"}, nil, nil), out: b}
	lit, dist := fixedLengths()
	r.lit.init(lit)
	r.dist.init(dist)
	b.put(3, 3)
	for _, t := range tokens {
		_ = r.put(t)
	}
	b.put(0, 7)
}

// TestDamaged refuses streams that are cut off or no streams.
func TestDamaged(t *testing.T) {
	t.Parallel()
	whole := goGzip(t, text(50<<10), 6)
	for _, n := range []int{0, 1, 9, 10, 11, 500, len(whole) - 1} {
		if _, err := Inspect(bytes.NewReader(whole[:n]), io.Discard); !errors.Is(err, ErrFormat) {
			t.Errorf("cut off after %d bytes: %v", n, err)
		}
	}
	if _, err := Inspect(strings.NewReader("PK\x03\x04, a zip file"), io.Discard); !errors.Is(err, ErrFormat) {
		t.Errorf("a zip file: %v", err)
	}
}

// TestDamagedDescription never makes more bytes than the stream had, whatever is in the description.
func TestDamagedDescription(t *testing.T) {
	t.Parallel()
	data := text(30 << 10)
	stream := goGzip(t, data, 6)
	var description bytes.Buffer
	e := Encoder{Model: "zlib-4"}
	s, err := Inspect(bytes.NewReader(stream), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(bytes.NewReader(stream), s, e, &description, 0); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		damaged := bytes.Clone(description.Bytes())
		damaged[rng.IntN(len(damaged))] ^= 1 << rng.IntN(8)
		damaged = damaged[:len(damaged)-rng.IntN(2)*rng.IntN(len(damaged))]
		var out bytes.Buffer
		if err := Rebuild(bytes.NewReader(data), bytes.NewReader(damaged), e, &out, int64(len(stream))); err != nil && !errors.Is(err, ErrDescription) && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		if out.Len() > len(stream) {
			t.Fatalf("%d bytes of %d", out.Len(), len(stream))
		}
	}
}
