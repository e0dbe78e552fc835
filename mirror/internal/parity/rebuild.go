package parity

import (
	"context"
	"hash/crc32"
	"io"
)

// File is one of the files that have the data, or one of those that have the parity: the next Size bytes.
type File struct {
	Size int64
	In   io.ReaderAt // nil if the file is missing
	Out  io.WriterAt // nil unless the file is rebuilt
	Lost int64       // bytes that [Code.Rebuild] could not rebuild

	first int64 // its first byte in the data or the parity
}

// Rebuild goes through the blocks at the same offset in all shards, rebuilds those that are damaged, and writes all of each file that
// has an Out. sums are those of all blocks; data and parity are all files, in their order.
func (c Code) Rebuild(ctx context.Context, sums []byte, data, parity []*File) error {
	s, err := c.readSums(sums)
	if err != nil {
		return err
	}
	encoder, err := c.encoder()
	if err != nil {
		return err
	}
	r := c.placed(s, data, parity)
	memory := make([]byte, int64(c.shards())*c.BlockSize)
	shards := make([][]byte, c.shards())
	for block := range c.blocks() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		bad := 0
		for i := range shards {
			buffer := memory[int64(i)*c.BlockSize : int64(i+1)*c.BlockSize]
			shards[i] = buffer
			if !r.intact(i, block, buffer) {
				shards[i] = buffer[:0]
				bad++
			}
		}
		if 0 < bad && bad <= c.ParityShards {
			if err := encoder.Reconstruct(shards); err != nil {
				return err
			}
		}
		for i, shard := range shards {
			if err := r.write(i, block, shard); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sums computes the sums of all blocks again. What cannot be read counts as zeros.
func (c Code) Sums(ctx context.Context, data, parity []*File) ([]byte, error) {
	sums := c.newSums()
	r := c.placed(sums, data, parity)
	buffer := make([]byte, c.BlockSize)
	for shard := range c.shards() {
		for block := range c.blocks() {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			r.read(shard, block, buffer)
			sums.set(shard, block, buffer)
		}
	}
	return sums.data, nil
}

// placed are files in which each block has its place.
type placed struct {
	code         Code
	sums         blockSums
	data, parity []*File
}

func (c Code) placed(sums blockSums, data, parity []*File) placed {
	for _, list := range [][]*File{data, parity} {
		first := int64(0)
		for _, f := range list {
			f.first = first
			first += f.Size
		}
	}
	return placed{c, sums, data, parity}
}

// each calls f for each file that has some of the block, with the range of it and where that is in the file.
func (p placed) each(shard int, block int64, f func(file *File, from, to, at int64)) {
	list, offset := p.data, block*p.code.BlockSize
	if shard >= p.code.DataShards {
		list, shard = p.parity, shard-p.code.DataShards
	}
	offset += int64(shard) * p.code.ShardSize
	for _, file := range list {
		from, to := max(offset, file.first), min(offset+p.code.BlockSize, file.first+file.Size)
		if from < to {
			f(file, from-offset, to-offset, from-file.first)
		}
	}
}

// read reads a block, and reports whether it could.
func (p placed) read(shard int, block int64, buffer []byte) bool {
	clear(buffer)
	ok := true
	p.each(shard, block, func(f *File, from, to, at int64) {
		if f.In == nil {
			ok = false
			return
		}
		if n, _ := f.In.ReadAt(buffer[from:to], at); int64(n) < to-from {
			ok = false // the file is short, or the medium is bad here
		}
	})
	return ok
}

// intact reads a block, and reports whether it is what was written.
func (p placed) intact(shard int, block int64, buffer []byte) bool {
	return p.read(shard, block, buffer) && p.sums.match(shard, block, crc32.Checksum(buffer, blockTable))
}

// write writes a block to the files that are rebuilt; an empty one is lost.
func (p placed) write(shard int, block int64, data []byte) (err error) {
	p.each(shard, block, func(f *File, from, to, at int64) {
		switch {
		case f.Out == nil || err != nil:
		case len(data) == 0:
			f.Lost += to - from
		default:
			_, err = f.Out.WriteAt(data[from:to], at)
		}
	})
	return err
}
