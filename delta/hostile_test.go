package delta

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/mutate"
)

// smallBases are the plaintexts of two small layers.
func smallBases(t testing.TB) (bases []*Plaintext) {
	t.Helper()
	w := NewWorkspace(t.TempDir())
	for _, text := range []string{"The first base has a few words, a few words more, and numbers: 0123456789.", "Another one, which ends with zeros: 0000000000000000"} {
		p, err := w.Plaintext(t.Context(), Layer{Digest: digest.FromString(text), Size: int64(len(text)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(text))), nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() }) // it is removed
		bases = append(bases, p)
	}
	return bases
}

// smallPatches are patches against the bases, of 29 bytes for each operation.
func smallPatches(t testing.TB, bases []*Plaintext) (patches [][]byte) {
	t.Helper()
	for i := range 4 {
		var patch bytes.Buffer
		s := newSegmentWriter(&patch, bases)
		for j := range i + 1 {
			if i%2 == 1 {
				s.resemble(span{j % 2, int64(3 * j), 20})
			}
			if err := errors.Join(s.literal([]byte("new words")), s.copy(span{j % 2, int64(7 * j), 20})); err != nil {
				t.Fatal(err)
			}
			if j == 1 {
				if err := s.flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.flush(); err != nil {
			t.Fatal(err)
		}
		patches = append(patches, patch.Bytes())
	}
	return patches
}

// readHostile reads a patch: no more bytes than the layer has, and only errors of the patch.
func readHostile(t testing.TB, patch []byte, bases []*Plaintext, size int64) error {
	t.Helper()
	n, err := io.Copy(io.Discard, newPatchReader(context.Background(), bytes.NewReader(patch), bases, size))
	if err == nil && n != size || n > size || err != nil && !errors.Is(err, ErrPatch) {
		t.Fatalf("%d bytes of %d from %x: %v", n, size, patch, err)
	}
	return err
}

// FuzzPatch reads hostile patches against two small bases.
func FuzzPatch(f *testing.F) {
	bases := smallBases(f)
	for i, patch := range smallPatches(f, bases) {
		f.Add(patch, uint16(29*(i+1)))
	}
	f.Fuzz(func(t *testing.T, patch []byte, size uint16) { _ = readHostile(t, patch, bases, int64(size)) })
}

// TestHostilePatches reads damaged patches.
func TestHostilePatches(t *testing.T) {
	t.Parallel()
	hostilePatches(t, 5000)
}

// hostilePatches reads so many patches: every second one is a segment whose frame is right and whose operations are not.
func hostilePatches(t *testing.T, executions int) {
	t.Helper()
	bases := smallBases(t)
	patches := smallPatches(t, bases)
	operations := [][]byte{{9, 20, 0, 14, 9, 20, 1, 28}, {0, 30, 0, 0, 18, 0}, {1, 1, 1, 1, 1, 1, 1, 1, 16, 5, 0, 3}, {18, 0}}
	literals := []byte("new words, and old")
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	sizes := []int64{18, 29, 39, 48, 58, 87, 116}
	made := 0
	for i := range executions {
		patch := mutate.Bytes(rng, patches)
		if i%2 == 0 {
			patch = segmentOf(mutate.Bytes(rng, operations), literals)
		}
		if readHostile(t, patch, bases, sizes[rng.IntN(len(sizes))]) == nil {
			made++
		}
	}
	t.Logf("%d of %d made a plaintext", made, executions)
}

// TestPatchWork refuses patches that would be read for long and make nothing: operations of no bytes, and small segments
// with a large dictionary each. Those that a writer makes are read.
func TestPatchWork(t *testing.T) {
	t.Parallel()
	w := NewWorkspace(t.TempDir())
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise) // never fails
	base, err := w.Plaintext(t.Context(), Layer{Digest: digest.FromBytes(noise), Size: int64(len(noise)), Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(noise)), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() }) // it is removed
	bases := []*Plaintext{base}
	if err := readHostile(t, segmentOf([]byte{0, 0, 1, 0}, []byte("a")), bases, 1); err == nil || !strings.Contains(err.Error(), "does nothing") {
		t.Errorf("an operation of no bytes: %v", err)
	}
	for n := 1; n <= 3; n++ {
		var patch bytes.Buffer
		s := newSegmentWriter(&patch, bases)
		for i := range n {
			s.dictionary, s.dictSize = slices.Repeat([]span{{0, 0, 1 << 20}}, 4), maxDictionary
			if err := errors.Join(s.literal([]byte{byte(i)}), s.flush()); err != nil {
				t.Fatal(err)
			}
		}
		if err := readHostile(t, patch.Bytes(), bases, int64(n)); (err == nil) != (n == 1) {
			t.Errorf("%d small segments with all of a dictionary: %v", n, err)
		}
	}
	var patch bytes.Buffer
	s := newSegmentWriter(&patch, bases)
	for range 3 { // full segments
		s.dictionary, s.dictSize = slices.Repeat([]span{{0, 0, 1 << 20}}, 4), maxDictionary
		if err := s.literal(noise); err != nil {
			t.Fatal(err)
		}
	}
	if err := readHostile(t, patch.Bytes(), bases, 3<<20); err != nil {
		t.Errorf("full segments: %v", err)
	}
}

// segmentOf is a segment without a dictionary, in a zstd frame of one raw block.
func segmentOf(operations, literals []byte) []byte {
	content := append(bytes.Clone(operations), literals...)
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, byte(len(content))}
	frame = append(frame, byte(len(content)<<3|1), byte(len(content)>>5), byte(len(content)>>13))
	frame = append(frame, content...)
	out := binary.AppendUvarint(nil, uint64(len(operations)))
	out = append(binary.AppendUvarint(out, uint64(len(literals))), 0)
	return append(binary.AppendUvarint(out, uint64(len(frame))), frame...)
}
