package parity

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const sumSize = 4

// blockTable is the polynomial of the sums of blocks.
var blockTable = crc32.MakeTable(crc32.Castagnoli)

// blockSums are the sums of all blocks: the CRC-32C of each, 4 bytes, big-endian, shard by shard.
type blockSums struct {
	code Code
	data []byte
}

func (c Code) newSums() blockSums { return blockSums{c, make([]byte, c.SumsSize())} }

// readSums returns the sums in data.
func (c Code) readSums(data []byte) (blockSums, error) {
	if want := c.SumsSize(); int64(len(data)) != want {
		return blockSums{}, fmt.Errorf("the sums of the blocks have %d bytes, not %d", len(data), want)
	}
	return blockSums{c, data}, nil
}

func (s blockSums) at(shard int, block int64) []byte {
	first := (int64(shard)*s.code.blocks() + block) * sumSize
	return s.data[first : first+sumSize]
}

func (s blockSums) set(shard int, block int64, b []byte) {
	binary.BigEndian.PutUint32(s.at(shard, block), crc32.Checksum(b, blockTable))
}

func (s blockSums) match(shard int, block int64, sum uint32) bool {
	return binary.BigEndian.Uint32(s.at(shard, block)) == sum
}

// Matcher compares parity with the sums of its blocks, from the first byte to the last.
type Matcher struct {
	sums   blockSums
	crc    uint32
	filled int64 // bytes of the block
	block  int64 // of the parity
}

// NewMatcher returns a matcher for parity with these sums, which [Code.Encode] has returned.
func (c Code) NewMatcher(sums []byte) (*Matcher, error) {
	s, err := c.readSums(sums)
	return &Matcher{sums: s}, err
}

// Match takes the next bytes, and reports whether all blocks that they complete are what was written.
func (m *Matcher) Match(b []byte) bool {
	c := m.sums.code
	for len(b) > 0 {
		n := min(int64(len(b)), c.BlockSize-m.filled)
		m.crc, m.filled, b = crc32.Update(m.crc, blockTable, b[:n]), m.filled+n, b[n:]
		if m.filled < c.BlockSize {
			continue
		}
		shard := c.DataShards + int(m.block/c.blocks())
		if shard >= c.shards() || !m.sums.match(shard, m.block%c.blocks(), m.crc) {
			return false
		}
		m.crc, m.filled, m.block = 0, 0, m.block+1
	}
	return true
}
