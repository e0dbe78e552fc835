package compress

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// content is 5 MiB of which half can be compressed, and 100 bytes.
func content() []byte {
	data := make([]byte, 5<<20+100)
	random := rand.NewChaCha8([32]byte{1})
	for i := 0; i < len(data); i += 4096 {
		random.Read(data[i:min(i+2048, len(data))])
	}
	return data
}

func packed(t *testing.T, data []byte, f Format, cores int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := new(Compressor).Copy(t.Context(), &b, bytes.NewReader(data), f, cores); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// If this fails after an upgrade of a library, change Version: layers that users
// have pushed before are then compressed anew.
func TestSameBytesEverywhere(t *testing.T) {
	want := map[Format]string{
		Gzip: "b6254b1e802b01ea",
		Zstd: "bf83c8c07d5742d8",
	}
	for f, want := range want {
		for _, cores := range []int{1, 2, 7} {
			sum := sha256.Sum256(packed(t, content(), f, cores))
			if got := hex.EncodeToString(sum[:8]); got != want {
				t.Errorf("%s with %d cores: %s, want %s", f, cores, got, want)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, f := range []Format{None, Gzip, Zstd} {
		for _, data := range [][]byte{{}, {1}, content()} {
			p := packed(t, data, f, 2)
			if got := Detect(p); got != f {
				t.Errorf("%s is taken for %s", f, got)
			}
			r, err := NewReader(bytes.NewReader(p), f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: other bytes (%v)", f, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := NewReader(nil, XZ); err == nil {
		t.Error("unpacks xz")
	}
}

func TestCopyEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range []Format{None, Gzip, Zstd} {
		if err := new(Compressor).Copy(ctx, io.Discard, bytes.NewReader(content()), f, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", f, err)
		}
		broken := errors.New("disk full")
		c := &Compressor{}
		if err := c.Copy(t.Context(), failing{broken}, bytes.NewReader(content()), f, 2); !errors.Is(err, broken) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// What is used again gives the same bytes; after a failure it is not.
func TestCompressorAgain(t *testing.T) {
	c := &Compressor{}
	want := packed(t, content(), Gzip, 2)
	for i := range 4 {
		var b bytes.Buffer
		if err := c.Copy(t.Context(), &b, bytes.NewReader(content()), Gzip, 1+i%2); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Fatalf("other bytes in round %d (%v)", i, err)
		}
		if i == 1 {
			continue
		}
		_ = c.Copy(t.Context(), failing{io.ErrShortWrite}, bytes.NewReader(content()), Gzip, 2)
	}
	if len(c.free) != 0 {
		t.Errorf("%d writers are kept after a failure", len(c.free))
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
