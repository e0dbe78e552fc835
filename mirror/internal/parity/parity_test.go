package parity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestNew has the code cover all bytes, and the loss of the share in one piece at any place.
func TestNew(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, 511, 1024, 10_240, 1 << 20, 206_300_160, 4 << 40} {
		for _, share := range []float64{0.001, 0.05, 0.1, 0.5, 1} {
			c := New(size, share)
			if err := c.Check(size); err != nil {
				t.Errorf("%d, %v: %v", size, share, err)
			}
			// Such a piece has blocks at one offset of so many shards at most.
			piece := int64(share * float64(size))
			if worst := (piece+2*c.BlockSize-2)/c.ShardSize + 1; size > 1<<20 && worst > int64(c.ParityShards) {
				t.Errorf("%d, %v: %d shards can be hit, %d be rebuilt", size, share, worst, c.ParityShards)
			}
			if size > 1<<20 && float64(c.Size()) > (share+0.03)*float64(size)+float64(2*maxBlock) {
				t.Errorf("%d, %v: %d bytes of parity", size, share, c.Size())
			}
		}
	}
}

// memory is a file of fixed size.
type memory []byte

func (m memory) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, offset)
}

func (m memory) WriteAt(p []byte, offset int64) (int, error) {
	if offset > int64(len(m)) {
		return 0, io.ErrShortWrite
	}
	n := copy(m[offset:], p)
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// cut returns the bytes as files of unequal sizes.
func cut(all memory, sizes ...int) (files []*File) {
	for len(all) > 0 {
		size := len(all)
		if len(sizes) > 0 {
			size, sizes = min(size, sizes[0]), sizes[1:]
		}
		files = append(files, &File{Size: int64(size), In: memory(bytes.Clone(all[:size]))})
		all = all[size:]
	}
	return files
}

// encoded returns random data with its parity and sums.
func encoded(t *testing.T, size int, share float64) (c Code, data, parity memory, sums []byte) {
	t.Helper()
	c = New(int64(size), share)
	data, parity = make(memory, size), make(memory, c.Size())
	random := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	sums, err := c.Encode(t.Context(), data, int64(size), parity)
	if err != nil {
		t.Fatal(err)
	}
	return c, data, parity, sums
}

// TestRebuild loses a file of the data, and some bytes of the parity, and rebuilds both; intact files are not written.
func TestRebuild(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 700, 30_001} {
		c, data, parity, sums := encoded(t, size, 0.5)
		dataFiles, parityFiles := cut(data, size/3, size/4+1), cut(parity, len(parity)/2+7)
		if again, err := c.Sums(t.Context(), dataFiles, parityFiles); err != nil || !bytes.Equal(again, sums) {
			t.Errorf("%d: other sums, %v", size, err)
		}
		gone, flipped := dataFiles[len(dataFiles)/2], parityFiles[0]
		want := bytes.Clone(gone.In.(memory))
		gone.In, gone.Out = nil, make(memory, gone.Size)
		flipped.In.(memory)[3] ^= 4
		flipped.Out = make(memory, flipped.Size)
		if err := c.Rebuild(t.Context(), sums, dataFiles, parityFiles); err != nil {
			t.Fatal(err)
		}
		if gone.Lost != 0 || !bytes.Equal(gone.Out.(memory), want) {
			t.Errorf("%d: the data was not rebuilt: %d bytes are lost", size, gone.Lost)
		}
		if flipped.Lost != 0 || !bytes.Equal(flipped.Out.(memory), parity[:flipped.Size]) {
			t.Errorf("%d: the parity was not rebuilt: %d bytes are lost", size, flipped.Lost)
		}
	}
}

// TestRebuildTooMuch loses more than the parity can rebuild, and counts it.
func TestRebuildTooMuch(t *testing.T) {
	t.Parallel()
	c, data, parity, sums := encoded(t, 30_000, 0.1)
	files := cut(data, 15_000)
	files[1].In, files[1].Out = nil, make(memory, files[1].Size)
	if err := c.Rebuild(t.Context(), sums, files, cut(parity)); err != nil || files[1].Lost != files[1].Size || files[0].Lost != 0 {
		t.Errorf("%v, lost %d and %d", err, files[0].Lost, files[1].Lost)
	}
	if err := c.Rebuild(t.Context(), sums[1:], files, cut(parity)); err == nil {
		t.Error("sums of another size were accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Rebuild(ctx, sums, files, cut(parity)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestMatcher takes parity in pieces of any size, and no other bytes.
func TestMatcher(t *testing.T) {
	t.Parallel()
	c, _, parity, sums := encoded(t, 30_001, 0.2)
	match := func(parity []byte, size int) bool {
		m, err := c.NewMatcher(sums)
		if err != nil {
			t.Fatal(err)
		}
		for piece := range slices.Chunk(parity, size) {
			if !m.Match(piece) {
				return false
			}
		}
		return true
	}
	changed := bytes.Clone(parity)
	changed[len(changed)-1] ^= 1
	for _, size := range []int{1, 511, 4096, len(parity)} {
		if !match(parity, size) {
			t.Errorf("%d: the parity is not accepted", size)
		}
		if match(changed, size) {
			t.Errorf("%d: a changed byte is accepted", size)
		}
	}
	if match(append(bytes.Clone(parity), make([]byte, c.BlockSize)...), 4096) {
		t.Error("more than the parity is accepted")
	}
	if _, err := c.NewMatcher(sums[:8]); err == nil {
		t.Error("sums of another size were accepted")
	}
}
