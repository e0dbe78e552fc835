// Package parity computes Reed–Solomon parity of a run of bytes, finds damaged blocks by their sums, and rebuilds them. It knows no
// names of files, digests or sets of images.
//
// The data, filled up with zeros, is cut into shards of equal size. Byte i of each parity shard is computed from byte i of all data
// shards (the matrix is that of github.com/klauspost/reedsolomon). Each shard is cut into blocks, each of which has a sum: of the
// blocks at the same offset in all shards, as many can be lost as there are parity shards.
package parity

import (
	"fmt"
	"math"

	"github.com/klauspost/reedsolomon"
)

const (
	// maxShards is how many shards the code of 8 bits has.
	maxShards     = 256
	maxDataShards = 200
	maxBlock      = 64 << 10
	minBlock      = 512
	// blocksAtOnce of each shard are read together, as a disk is slow to seek.
	blocksAtOnce = 4
)

// Code is how data is cut into shards and blocks.
type Code struct {
	DataShards   int
	ParityShards int
	ShardSize    int64 // in bytes, a multiple of BlockSize
	BlockSize    int64 // in bytes
}

// New returns the code for so many bytes that survives the loss of the share, from 0 to 1, of
// them in one piece.
func New(size int64, share float64) Code {
	k := int64(min(maxDataShards, float64(maxShards-2)/(1+share)))
	k = max(1, min(k, size/(2*minBlock)))
	shard := (size + k - 1) / k
	c := Code{BlockSize: min(maxBlock, max(minBlock, shard/8/minBlock*minBlock))}
	c.ShardSize = (shard + c.BlockSize - 1) / c.BlockSize * c.BlockSize
	c.DataShards = int((size + c.ShardSize - 1) / c.ShardSize) // rounding up may have left the last ones empty
	// A piece can begin and end inside of a shard.
	c.ParityShards = min(int(share*float64(c.DataShards)+0.999999)+1, maxShards-c.DataShards)
	return c
}

// Check returns an error unless the code can be that of so many bytes of data.
func (c Code) Check(size int64) error {
	if c.DataShards < 1 || c.ParityShards < 1 || c.DataShards > maxShards || c.ParityShards > maxShards || c.shards() > maxShards {
		return fmt.Errorf("%d data and %d parity shards cannot be right", c.DataShards, c.ParityShards)
	}
	if size > math.MaxInt64/maxShards/2 || c.BlockSize < minBlock || c.BlockSize > maxBlock || c.ShardSize < c.BlockSize || c.ShardSize%c.BlockSize != 0 ||
		c.ShardSize > size+maxBlock || int64(c.DataShards) != (size+c.ShardSize-1)/c.ShardSize {
		return fmt.Errorf("parity in shards of %d bytes and blocks of %d cannot be right", c.ShardSize, c.BlockSize)
	}
	return nil
}

// Size returns the size of the parity shards together, in bytes.
func (c Code) Size() int64 { return int64(c.ParityShards) * c.ShardSize }

// SumsSize returns the size of the sums of all blocks, in bytes.
func (c Code) SumsSize() int64 { return int64(c.shards()) * c.blocks() * sumSize }

func (c Code) blocks() int64 { return c.ShardSize / c.BlockSize } // of a shard
func (c Code) shards() int   { return c.DataShards + c.ParityShards }

func (c Code) encoder() (reedsolomon.Encoder, error) {
	return reedsolomon.New(c.DataShards, c.ParityShards, reedsolomon.WithAutoGoroutines(blocksAtOnce*maxBlock))
}
