package delta

import (
	"strconv"
	"strings"
)

// A plaintext is cut into chunks where its content says so, so that equal content makes equal chunks
// wherever it is: at the beginning and end of the files of a tar, and inside of them by a rolling hash.
const (
	minChunk = 512
	maxChunk = 16 << 10
	// chunkBits makes chunks of 2 KiB on average behind the smallest.
	chunkBits = 11
	tarBlock  = 512
)

// gear is the rolling hash's table, by splitmix64 from 0.
var gear = func() (table [256]uint64) {
	x := uint64(0)
	for i := range table {
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		table[i] = z ^ z>>31
	}
	return table
}()

// chunker cuts a plaintext.
type chunker struct {
	at int64
	// edge is where the current part of the tar ends: a header, the content of a file, its padding.
	edge int64
	// padded is where the next header is expected; negative where the plaintext is no tar.
	padded int64
	// name is the file whose content begins at begins.
	name   string
	begins int64
}

// next returns the size of the next chunk of p, the plaintext from here on. There are at least maxChunk
// bytes, unless it ends there.
func (c *chunker) next(p []byte) int {
	if c.at == c.padded && c.at >= c.edge {
		c.header(p)
	} else if c.at >= c.edge && c.padded > c.at {
		c.edge = c.padded // the padding
	}
	limit := min(len(p), maxChunk)
	if c.padded >= 0 && c.edge > c.at {
		limit = int(min(int64(limit), c.edge-c.at))
	}
	n := cut(p[:limit])
	c.at += int64(n)
	return n
}

// header reads the header of a file, if there is one.
func (c *chunker) header(p []byte) {
	size, name, ok := parseHeader(p)
	if !ok {
		if len(p) >= tarBlock && strings.Trim(string(p[:tarBlock]), "\x00") != "" {
			c.padded = -1 // no tar, or damaged: the rolling hash cuts the rest
		} else {
			c.edge, c.padded = c.at+tarBlock, c.at+tarBlock
		}
		return
	}
	c.name, c.begins = name, c.at+tarBlock
	c.edge = c.at + tarBlock
	c.padded = c.edge + (size+tarBlock-1)/tarBlock*tarBlock
	c.content(size)
}

// content has the chunk behind the header end with the file.
func (c *chunker) content(size int64) {
	if size == 0 {
		c.padded = c.edge
	}
}

// parseHeader returns the size of the content behind a tar header, and the name of the file.
func parseHeader(p []byte) (size int64, name string, ok bool) {
	if len(p) < tarBlock || string(p[257:262]) != "ustar" {
		return 0, "", false
	}
	text := strings.Trim(string(p[124:136]), " \x00")
	size, err := strconv.ParseInt(text, 8, 64)
	if p[124]&0x80 != 0 || err != nil || size < 0 {
		return 0, "", false
	}
	if kind := p[156]; kind >= '1' && kind <= '6' {
		size = 0 // links, devices and directories have no content
	}
	name, _, _ = strings.Cut(string(p[:100]), "\x00")
	prefix, _, _ := strings.Cut(string(p[345:500]), "\x00")
	return size, prefix + "/" + name, true
}

// cut returns the size of a chunk by the rolling hash.
func cut(p []byte) int {
	if len(p) <= minChunk {
		return len(p)
	}
	h := uint64(0)
	for i := minChunk - 64; i < len(p); i++ {
		h = h<<1 + gear[p[i]]
		if i >= minChunk && h>>(64-chunkBits) == 0 {
			return i + 1
		}
	}
	return len(p)
}
