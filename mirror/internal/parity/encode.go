package parity

import (
	"context"
	"io"
)

// Encode reads data, of size bytes, once, writes its parity to out, and returns the sums of all blocks: the CRC-32C of each, 4 bytes,
// big-endian, shard by shard, those of the data first.
func (c Code) Encode(ctx context.Context, data io.ReaderAt, size int64, out io.WriterAt) ([]byte, error) {
	encoder, err := c.encoder()
	if err != nil {
		return nil, err
	}
	sums := c.newSums()
	memory := make([]byte, int64(c.shards())*blocksAtOnce*c.BlockSize)
	shards := make([][]byte, c.shards())
	for at := int64(0); at < c.ShardSize; {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		length := min(blocksAtOnce*c.BlockSize, c.ShardSize-at)
		for i := range shards {
			shards[i] = memory[int64(i)*length : int64(i+1)*length]
			if i < c.DataShards {
				if err := readPadded(data, shards[i], int64(i)*c.ShardSize+at, size); err != nil {
					return nil, err
				}
			}
		}
		if err := encoder.Encode(shards); err != nil {
			return nil, err
		}
		for i, shard := range shards {
			for b := int64(0); b < length; b += c.BlockSize {
				sums.set(i, (at+b)/c.BlockSize, shard[b:b+c.BlockSize])
			}
			if i >= c.DataShards {
				if _, err := out.WriteAt(shard, int64(i-c.DataShards)*c.ShardSize+at); err != nil {
					return nil, err
				}
			}
		}
		at += length
	}
	return sums.data, nil
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
