package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// repairedSuffix ends the names of files that are being rebuilt.
const repairedSuffix = ".repaired"

// Repair rebuilds the files of a set that [Verify] would name, and returns their names. A file is replaced
// when its new content has the right digest; what cannot be rebuilt stays as it is, and the error, which
// wraps [content.ErrIntegrity], says how much of it is lost.
func Repair(ctx context.Context, dir string, opts ReadOptions) (s Set, repaired []string, err error) {
	lock, err := files.Acquire(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return Set{}, nil, fmt.Errorf("rebuilt files go into the directory of the set, which must be writable: %w", err)
	}
	defer lock.Remove()
	s, data, err := readSet(dir, opts)
	if err != nil {
		return Set{}, nil, err
	}
	damaged := map[string]error{}
	for _, p := range s.Files() {
		if err := checkFile(ctx, filepath.Join(dir, p.Name), p); err != nil {
			damaged[p.Name] = err
		}
		if err := context.Cause(ctx); err != nil {
			return s, repaired, err
		}
	}
	var errs []error
	sums, err := readSums(dir, s.Parity)
	if err != nil && len(damaged) == 0 {
		sums, err = s.sumBlocks(ctx, dir)
	}
	errs = append(errs, err)
	if len(damaged) > 0 {
		names, err := s.rebuild(ctx, dir, damaged, sums)
		repaired, errs = append(repaired, names...), append(errs, err)
	}
	for name, want := range s.derived(data, digest.FromBytes(data), sums) {
		if checkDerived(dir, name, want) == nil {
			continue
		}
		if err := files.WriteFile(filepath.Join(dir, name), want, 0o666); err != nil {
			errs = append(errs, err)
			continue
		}
		repaired = append(repaired, name)
	}
	slices.Sort(repaired)
	return s, repaired, errors.Join(errs...)
}

// rebuild writes the damaged files again.
func (s Set) rebuild(ctx context.Context, dir string, damaged map[string]error, sums blockSums) (repaired []string, err error) {
	if sums.data == nil {
		var errs []error
		for _, p := range s.Files() {
			if err := damaged[p.Name]; err != nil {
				errs = append(errs, fmt.Errorf("part %s: %w", p.Name, err))
			}
		}
		why := errors.New("the set was made without parity, so that nothing can be rebuilt")
		if s.Parity != nil {
			why = errors.New("without the sums of the blocks nothing can be rebuilt")
		}
		return nil, errors.Join(append(errs, why)...)
	}
	r := &repairing{set: s, dir: dir, sums: sums}
	defer r.close()
	if err := r.open(damaged); err != nil {
		return nil, err
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.commit(ctx)
}

// sumBlocks computes the sums of the blocks of an undamaged set.
func (s Set) sumBlocks(ctx context.Context, dir string) (blockSums, error) {
	p := s.Parity
	r := &repairing{set: s, dir: dir, sums: blockSums{p, make([]byte, p.sumsSize())}}
	defer r.close()
	if err := r.open(nil); err != nil {
		return blockSums{}, err
	}
	buffer := make([]byte, p.BlockSize)
	for shard := range p.shards() {
		for block := range p.blocks() {
			if err := context.Cause(ctx); err != nil {
				return blockSums{}, err
			}
			r.read(shard, block, buffer) // the sum decides
			r.sums.set(shard, block, buffer)
		}
	}
	if d := digest.FromBytes(r.sums.data); d != p.Sums {
		return blockSums{}, fmt.Errorf("%s: %w: computed again, it has the digest %s, not %s", paritySumsFile, content.ErrIntegrity, d, p.Sums)
	}
	return r.sums, nil
}

// repairing is a set that is being rebuilt.
type repairing struct {
	set    Set
	dir    string
	sums   blockSums
	data   []*repairedPart // the tar
	parity []*repairedPart
}

// repairedPart is a file of the set.
type repairedPart struct {
	SetPart
	first int64       // its first byte in the tar or the parity
	file  *os.File    // nil if it is missing
	out   *files.File // nil unless it is damaged
	lost  int64       // bytes that cannot be rebuilt
}

func (r *repairing) open(damaged map[string]error) (err error) {
	for _, list := range []struct {
		parts []SetPart
		to    *[]*repairedPart
	}{{r.set.Parts, &r.data}, {r.set.Parity.Parts, &r.parity}} {
		first := int64(0)
		for _, p := range list.parts {
			part := &repairedPart{SetPart: p, first: first}
			*list.to = append(*list.to, part)
			first += p.Size
			path := filepath.Join(r.dir, p.Name)
			if files.CheckRegular(path) == nil {
				if part.file, err = os.Open(path); err != nil {
					part.file = nil
				}
			}
			if damaged[p.Name] == nil {
				if part.file == nil {
					return fmt.Errorf("part %s: it is gone: %w", p.Name, content.ErrIntegrity)
				}
				continue
			}
			if part.out, err = files.CreateAs(path+repairedSuffix, path, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *repairing) close() {
	for _, p := range slices.Concat(r.data, r.parity) {
		if p.file != nil {
			_ = p.file.Close() // opened for reading
		}
		if p.out != nil {
			p.out.Discard()
		}
	}
}

// each calls f for each file that has some of the length bytes at offset, with the range of them and
// where they are in the file.
func each(list []*repairedPart, offset, length int64, f func(p *repairedPart, from, to, at int64)) {
	for _, p := range list {
		from, to := max(offset, p.first), min(offset+length, p.first+p.Size)
		if from < to {
			f(p, from-offset, to-offset, from-p.first)
		}
	}
}

// run goes through the blocks at the same offset in all shards, and rebuilds those that are damaged.
func (r *repairing) run(ctx context.Context) error {
	p := r.set.Parity
	encoder, err := p.encoder()
	if err != nil {
		return err
	}
	memory := make([]byte, int64(p.shards())*p.BlockSize)
	shards := make([][]byte, p.shards())
	for block := range p.blocks() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		bad := 0
		for i := range shards {
			buffer := memory[int64(i)*p.BlockSize : int64(i+1)*p.BlockSize]
			shards[i] = buffer
			if !r.read(i, block, buffer) {
				shards[i] = buffer[:0]
				bad++
			}
		}
		if 0 < bad && bad <= p.ParityShards {
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

// place is where a block is.
func (r *repairing) place(shard int, block int64) (list []*repairedPart, offset int64) {
	p := r.set.Parity
	if shard < p.DataShards {
		return r.data, int64(shard)*p.ShardSize + block*p.BlockSize
	}
	return r.parity, int64(shard-p.DataShards)*p.ShardSize + block*p.BlockSize
}

// read reads a block, and reports whether it is what was written.
func (r *repairing) read(shard int, block int64, buffer []byte) bool {
	list, offset := r.place(shard, block)
	clear(buffer)
	ok := true
	each(list, offset, int64(len(buffer)), func(p *repairedPart, from, to, at int64) {
		if p.file == nil {
			ok = false
			return
		}
		if n, _ := p.file.ReadAt(buffer[from:to], at); int64(n) < to-from {
			ok = false // the file is short, or the medium is bad here
		}
	})
	return ok && r.sums.match(shard, block, buffer)
}

// write writes a block to the files that are being rebuilt; an empty one is lost.
func (r *repairing) write(shard int, block int64, data []byte) (err error) {
	list, offset := r.place(shard, block)
	each(list, offset, r.set.Parity.BlockSize, func(p *repairedPart, from, to, at int64) {
		switch {
		case p.out == nil || err != nil:
		case len(data) == 0:
			p.lost += to - from
		default:
			_, err = p.out.WriteAt(data[from:to], at)
		}
	})
	return err
}

// commit puts the files that are right into the place of the damaged ones.
func (r *repairing) commit(ctx context.Context) (repaired []string, err error) {
	var errs []error
	for _, p := range slices.Concat(r.data, r.parity) {
		if p.out == nil {
			continue
		}
		if p.lost > 0 {
			errs = append(errs, fmt.Errorf("part %s: %w: of its %d bytes %d are lost, more than the parity can rebuild", p.Name, content.ErrIntegrity, p.Size, p.lost))
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return repaired, err
		}
		d, err := digest.SHA256.FromReader(io.NewSectionReader(p.out, 0, p.Size))
		if err == nil && d != p.Digest {
			err = fmt.Errorf("part %s: %w: what was rebuilt has the digest %s, not %s", p.Name, content.ErrIntegrity, d, p.Digest)
		}
		if err == nil {
			if p.file != nil { // Windows replaces no open file
				_ = p.file.Close()
				p.file = nil
			}
			err = p.out.Commit()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		repaired = append(repaired, p.Name)
	}
	return repaired, errors.Join(errs...)
}
