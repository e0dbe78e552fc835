package media

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/klauspost/reedsolomon"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	paritySumsFile = "parity.sums"
	paritySumsCopy = "parity.sums.copy"
	setCopyFile    = "set.json.copy"

	// maxShards is how many shards the code of 8 bits has.
	maxShards     = 256
	maxDataShards = 200
	maxBlock      = 64 << 10
	minBlock      = 512
	// blocksAtOnce of each shard are read together, as a disk is slow to seek.
	blocksAtOnce = 4
	sumSize      = 4
)

// Parity describes the Reed–Solomon parity of a set: the tar, filled up with zeros, is DataShards runs of
// ShardSize bytes. Byte i of each parity shard is computed from byte i of all of them (the matrix is that
// of github.com/klauspost/reedsolomon). Damage is found and repaired by blocks: of those at the same
// offset in all shards, as many can be lost as there are parity shards.
type Parity struct {
	DataShards   int       `json:"dataShards"`
	ParityShards int       `json:"parityShards"`
	ShardSize    int64     `json:"shardSize"` // in bytes, a multiple of BlockSize
	BlockSize    int64     `json:"blockSize"` // in bytes
	Parts        []SetPart `json:"parts"`     // files with the parity shards, one after the other
	// Sums is the digest of the file parity.sums, which has a copy: the CRC-32C of all blocks, 4 bytes each,
	// big-endian, shard by shard.
	Sums digest.Digest `json:"sums"`
}

// newParity returns the parity for so many bytes that survives the loss of the share, from 0 to 1, of
// them in one piece.
func newParity(size int64, share float64) *Parity {
	k := int64(min(maxDataShards, float64(maxShards-2)/(1+share)))
	k = max(1, min(k, size/(2*minBlock)))
	shard := (size + k - 1) / k
	p := &Parity{BlockSize: min(maxBlock, max(minBlock, shard/8/minBlock*minBlock))}
	p.ShardSize = (shard + p.BlockSize - 1) / p.BlockSize * p.BlockSize
	p.DataShards = int((size + p.ShardSize - 1) / p.ShardSize) // rounding up may have left the last ones empty
	// A piece can begin and end inside of a shard.
	p.ParityShards = min(int(share*float64(p.DataShards)+0.999999)+1, maxShards-p.DataShards)
	return p
}

func (p *Parity) size() int64     { return int64(p.ParityShards) * p.ShardSize }
func (p *Parity) blocks() int64   { return p.ShardSize / p.BlockSize } // of a shard
func (p *Parity) shards() int     { return p.DataShards + p.ParityShards }
func (p *Parity) sumsSize() int64 { return int64(p.shards()) * p.blocks() * sumSize }

// check returns an error unless the parity can be that of so many bytes.
func (p *Parity) check(size int64) error {
	if p.DataShards < 1 || p.ParityShards < 1 || p.DataShards > maxShards || p.ParityShards > maxShards || p.shards() > maxShards {
		return fmt.Errorf("%d data and %d parity shards cannot be right", p.DataShards, p.ParityShards)
	}
	if size > math.MaxInt64/maxShards/2 || p.BlockSize < minBlock || p.BlockSize > maxBlock || p.ShardSize < p.BlockSize || p.ShardSize%p.BlockSize != 0 ||
		p.ShardSize > size+maxBlock || int64(p.DataShards) != (size+p.ShardSize-1)/p.ShardSize {
		return fmt.Errorf("parity in shards of %d bytes and blocks of %d cannot be right", p.ShardSize, p.BlockSize)
	}
	if p.Sums.Validate() != nil {
		return fmt.Errorf("sums of the parity: %q is not a digest", p.Sums)
	}
	return checkParts(p.Parts, p.size(), parityName)
}

// parityName is the name of a file with parity, from 0 on.
func parityName(i, _ int) string { return fmt.Sprintf("parity.%03d", i+1) }

func (p *Parity) encoder() (reedsolomon.Encoder, error) {
	return reedsolomon.New(p.DataShards, p.ParityShards, reedsolomon.WithAutoGoroutines(blocksAtOnce*maxBlock))
}

// blockTable is the polynomial of the sums of blocks.
var blockTable = crc32.MakeTable(crc32.Castagnoli)

// blockSums are the sums of blocks, by shard and block.
type blockSums struct {
	parity *Parity
	data   []byte
}

func (s blockSums) at(shard int, block int64) []byte {
	first := (int64(shard)*s.parity.blocks() + block) * sumSize
	return s.data[first : first+sumSize]
}

func (s blockSums) set(shard int, block int64, b []byte) {
	binary.BigEndian.PutUint32(s.at(shard, block), crc32.Checksum(b, blockTable))
}

func (s blockSums) match(shard int, block int64, b []byte) bool {
	return binary.BigEndian.Uint32(s.at(shard, block)) == crc32.Checksum(b, blockTable)
}

// readPadded reads from r, and zeros behind its end.
func readPadded(r io.ReaderAt, b []byte, offset, size int64) error {
	n := max(0, min(int64(len(b)), size-offset))
	clear(b[n:])
	if n == 0 {
		return nil
	}
	if got, err := r.ReadAt(b[:n], offset); int64(got) < n {
		return err
	}
	return nil
}

// protect adds parity to a complete set, unless it has that.
func (s *Set) protect(ctx context.Context, dir string, opts ExportOptions) error {
	want := newParity(s.Size, opts.Parity)
	if have := s.Parity; have != nil && have.DataShards == want.DataShards && have.ParityShards == want.ParityShards {
		return nil
	}
	lock, err := files.Acquire(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	defer lock.Remove()
	if s.Parity != nil { // its files are replaced
		s.Parity = nil
		if err := s.write(dir, blockSums{}); err != nil {
			return err
		}
	}
	sums, err := s.addParity(ctx, dir, want, opts.PartSize)
	if err != nil {
		return room(dir, err)
	}
	return s.write(dir, sums)
}

// addParity writes the parity of a complete set and describes it in s. A killed process leaves a set
// without parity.
func (s *Set) addParity(ctx context.Context, dir string, p *Parity, partSize int64) (sums blockSums, err error) {
	r := &Reader{Set: *s, dir: dir}
	defer func() { _ = r.parts.Close() }() // opened for reading
	if err := r.openParts(); err != nil {
		return sums, err
	}
	out, err := createParity(dir, p, partSize)
	defer func() { _ = out.Close() }() // after an error; else they are closed
	if err != nil {
		return sums, err
	}
	sums, err = encodeParity(ctx, r.parts, s.Size, out, p)
	if err != nil {
		return sums, err
	}
	digests, err := checkParity(ctx, out, p, sums)
	if err != nil {
		return sums, err
	}
	for i, f := range out {
		name := parityName(i, len(out))
		p.Parts = append(p.Parts, SetPart{Name: name, Size: f.size, Digest: digests[i]})
		if err := files.Publish(f.file, filepath.Join(dir, name)); err != nil {
			return sums, err
		}
	}
	p.Sums = digest.FromBytes(sums.data)
	s.Parity = p
	return sums, nil
}

// createParity creates the files of the parity.
func createParity(dir string, p *Parity, partSize int64) (out parts, err error) {
	sizes := split(p.size(), partSize)
	first := int64(0)
	for i, size := range sizes {
		path := filepath.Join(dir, parityName(i, len(sizes))+partialSuffix)
		f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return out, err
		}
		out = append(out, part{f, first, size})
		if err := f.Truncate(size); err != nil {
			return out, err
		}
		first += size
	}
	return out, nil
}

// encodeParity reads the tar once and writes the parity.
func encodeParity(ctx context.Context, in io.ReaderAt, size int64, out io.WriterAt, p *Parity) (blockSums, error) {
	sums := blockSums{p, make([]byte, p.sumsSize())}
	encoder, err := p.encoder()
	if err != nil {
		return sums, err
	}
	memory := make([]byte, int64(p.shards())*blocksAtOnce*p.BlockSize)
	shards := make([][]byte, p.shards())
	for at := int64(0); at < p.ShardSize; {
		if err := context.Cause(ctx); err != nil {
			return sums, err
		}
		length := min(blocksAtOnce*p.BlockSize, p.ShardSize-at)
		for i := range shards {
			shards[i] = memory[int64(i)*length : int64(i+1)*length]
			if i < p.DataShards {
				if err := readPadded(in, shards[i], int64(i)*p.ShardSize+at, size); err != nil {
					return sums, err
				}
			}
		}
		if err := encoder.Encode(shards); err != nil {
			return sums, err
		}
		for i, shard := range shards {
			for b := int64(0); b < length; b += p.BlockSize {
				sums.set(i, (at+b)/p.BlockSize, shard[b:b+p.BlockSize])
			}
			if i >= p.DataShards {
				if _, err := out.WriteAt(shard, int64(i-p.DataShards)*p.ShardSize+at); err != nil {
					return sums, err
				}
			}
		}
		at += length
	}
	return sums, nil
}

// checkParity reads the parity back, compares it with its sums, and returns the digests of the files.
func checkParity(ctx context.Context, out parts, p *Parity, sums blockSums) ([]digest.Digest, error) {
	for _, part := range out {
		if err := part.file.Sync(); err != nil {
			return nil, err
		}
	}
	crc, filled, block := uint32(0), int64(0), int64(0)
	return hashParts(ctx, out, func(b []byte) error {
		for len(b) > 0 {
			n := min(int64(len(b)), p.BlockSize-filled)
			crc, filled, b = crc32.Update(crc, blockTable, b[:n]), filled+n, b[n:]
			if filled < p.BlockSize {
				continue
			}
			shard := p.DataShards + int(block/p.blocks())
			if binary.BigEndian.Uint32(sums.at(shard, block%p.blocks())) != crc {
				return fmt.Errorf("parity: %w: what was read back is not what was written; the disk may be bad: export again", content.ErrIntegrity)
			}
			crc, filled, block = 0, 0, block+1
		}
		return nil
	})
}
