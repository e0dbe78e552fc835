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
	"github.com/ecrkit/ecrkit/mirror/internal/parity"
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
	sums, err := s.Parity.readSums(dir)
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
func (s Set) rebuild(ctx context.Context, dir string, damaged map[string]error, sums []byte) (repaired []string, err error) {
	if sums == nil {
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
	r, err := s.openRepairing(dir, damaged)
	defer r.close()
	if err != nil {
		return nil, err
	}
	if err := s.Parity.code().Rebuild(ctx, sums, r.data, r.parity); err != nil {
		return nil, err
	}
	return r.commit(ctx)
}

// sumBlocks computes the sums of the blocks of an undamaged set.
func (s Set) sumBlocks(ctx context.Context, dir string) ([]byte, error) {
	r, err := s.openRepairing(dir, nil)
	defer r.close()
	if err != nil {
		return nil, err
	}
	sums, err := s.Parity.code().Sums(ctx, r.data, r.parity)
	if err != nil {
		return nil, err
	}
	if d := digest.FromBytes(sums); d != s.Parity.Sums {
		return nil, fmt.Errorf("%s: %w: computed again, it has the digest %s, not %s", paritySumsFile, content.ErrIntegrity, d, s.Parity.Sums)
	}
	return sums, nil
}

// repairing are the files of a set that is being rebuilt.
type repairing struct {
	files        []*repairedFile
	data, parity []*parity.File // the same files: the tar, and its parity
}

// repairedFile is a file of the set.
type repairedFile struct {
	SetPart
	in     *os.File    // nil if it is missing
	out    *files.File // nil unless it is damaged
	blocks *parity.File
}

// openRepairing opens all files of the set. The caller closes the result after an error, too.
func (s Set) openRepairing(dir string, damaged map[string]error) (*repairing, error) {
	r := &repairing{}
	for i, p := range s.Files() {
		f := &repairedFile{SetPart: p, blocks: &parity.File{Size: p.Size}}
		r.files = append(r.files, f)
		if i < len(s.Parts) {
			r.data = append(r.data, f.blocks)
		} else {
			r.parity = append(r.parity, f.blocks)
		}
		path := filepath.Join(dir, p.Name)
		if files.CheckRegular(path) == nil {
			if in, err := os.Open(path); err == nil {
				f.in, f.blocks.In = in, in
			}
		}
		if damaged[p.Name] == nil {
			if f.in == nil {
				return r, fmt.Errorf("part %s: it is gone: %w", p.Name, content.ErrIntegrity)
			}
			continue
		}
		out, err := files.CreateAs(path+repairedSuffix, path, 0o666)
		if err != nil {
			return r, err
		}
		f.out, f.blocks.Out = out, out
	}
	return r, nil
}

func (r *repairing) close() {
	for _, f := range r.files {
		if f.in != nil {
			_ = f.in.Close() // opened for reading
		}
		if f.out != nil {
			f.out.Discard()
		}
	}
}

// commit puts the files that are right into the place of the damaged ones.
func (r *repairing) commit(ctx context.Context) (repaired []string, err error) {
	var errs []error
	for _, f := range r.files {
		if f.out == nil {
			continue
		}
		if f.blocks.Lost > 0 {
			errs = append(errs, fmt.Errorf("part %s: %w: of its %d bytes %d are lost, more than the parity can rebuild", f.Name, content.ErrIntegrity, f.Size, f.blocks.Lost))
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return repaired, err
		}
		d, err := digest.SHA256.FromReader(io.NewSectionReader(f.out, 0, f.Size))
		if err == nil && d != f.Digest {
			err = fmt.Errorf("part %s: %w: what was rebuilt has the digest %s, not %s", f.Name, content.ErrIntegrity, d, f.Digest)
		}
		if err == nil {
			if f.in != nil { // Windows replaces no open file
				_ = f.in.Close()
				f.in = nil
			}
			err = f.out.Commit()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		repaired = append(repaired, f.Name)
	}
	return repaired, errors.Join(errs...)
}
