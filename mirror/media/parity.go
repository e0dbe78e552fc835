package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/mirror/internal/parity"
	"github.com/ecrkit/ecrkit/mirror/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	paritySumsFile = "parity.sums"
	paritySumsCopy = "parity.sums.copy"
	setCopyFile    = "set.json.copy"
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

func (p *Parity) code() parity.Code {
	return parity.Code{DataShards: p.DataShards, ParityShards: p.ParityShards, ShardSize: p.ShardSize, BlockSize: p.BlockSize}
}

// check returns an error unless the parity can be that of so many bytes.
func (p *Parity) check(size int64) error {
	if err := p.code().Check(size); err != nil {
		return err
	}
	if p.Sums.Validate() != nil {
		return fmt.Errorf("sums of the parity: %q is not a digest", p.Sums)
	}
	return checkParts(p.Parts, p.code().Size(), parityName)
}

// parityName is the name of a file with parity, from 0 on.
func parityName(i, _ int) string { return fmt.Sprintf("parity.%03d", i+1) }

// protect adds parity to a complete set, unless it has that.
func (s *Set) protect(ctx context.Context, dir string, opts ExportOptions) error {
	want := parity.New(s.Size, opts.Parity)
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
		if err := s.write(dir, nil); err != nil {
			return err
		}
	}
	sums, err := s.addParity(ctx, dir, want, opts.PartSize)
	if err != nil {
		return room(dir, err)
	}
	return s.write(dir, sums)
}

// addParity writes the parity of a complete set, describes it in s, and returns the sums of the blocks. A killed process leaves
// a set without parity.
func (s *Set) addParity(ctx context.Context, dir string, code parity.Code, partSize int64) (sums []byte, err error) {
	r := &Reader{Set: *s, dir: dir}
	defer func() { _ = r.parts.Close() }() // opened for reading
	if err := r.openParts(); err != nil {
		return nil, err
	}
	out, err := createParity(dir, code.Size(), partSize)
	defer func() { _ = out.Close() }() // after an error; else they are closed
	if err != nil {
		return nil, err
	}
	sums, err = code.Encode(ctx, r.parts, s.Size, out)
	if err != nil {
		return nil, err
	}
	digests, err := checkParity(ctx, out, code, sums)
	if err != nil {
		return nil, err
	}
	p := &Parity{DataShards: code.DataShards, ParityShards: code.ParityShards, ShardSize: code.ShardSize, BlockSize: code.BlockSize, Sums: digest.FromBytes(sums)}
	for i, f := range out {
		name := parityName(i, len(out))
		p.Parts = append(p.Parts, SetPart{Name: name, Size: f.Size, Digest: digests[i]})
		if err := files.Publish(f.File, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	s.Parity = p
	return sums, nil
}

// createParity creates the files of so many bytes of parity.
func createParity(dir string, size, partSize int64) (out parts.Parts, err error) {
	sizes := parts.Split(size, partSize)
	first := int64(0)
	for i, size := range sizes {
		path := filepath.Join(dir, parityName(i, len(sizes))+partialSuffix)
		f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return out, err
		}
		out = append(out, parts.Part{File: f, First: first, Size: size})
		if err := f.Truncate(size); err != nil {
			return out, err
		}
		first += size
	}
	return out, nil
}

// checkParity reads the parity back, compares it with its sums, and returns the digests of the files.
func checkParity(ctx context.Context, out parts.Parts, code parity.Code, sums []byte) ([]digest.Digest, error) {
	for _, part := range out {
		if err := part.File.Sync(); err != nil {
			return nil, err
		}
	}
	matcher, err := code.NewMatcher(sums)
	if err != nil {
		return nil, err
	}
	return out.Hash(ctx, func(b []byte) error {
		if !matcher.Match(b) {
			return fmt.Errorf("parity: %w: what was read back is not what was written; the disk may be bad: export again", content.ErrIntegrity)
		}
		return nil
	})
}

// readSums reads the sums of the blocks, from one file or the other; nil if p is nil. The error wraps
// [content.ErrIntegrity] if both are damaged.
func (p *Parity) readSums(dir string) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	size := p.code().SumsSize()
	var errs []error
	for _, name := range []string{paritySumsFile, paritySumsCopy} {
		data, err := files.Read(filepath.Join(dir, name), size)
		if err == nil && int64(len(data)) == size && digest.FromBytes(data) == p.Sums {
			return data, nil
		}
		if err == nil {
			err = errors.New("it does not have the right digest")
		}
		errs = append(errs, fmt.Errorf("%s: %w: %w", name, content.ErrIntegrity, err))
	}
	return nil, errors.Join(errs...)
}
