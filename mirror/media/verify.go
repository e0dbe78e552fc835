package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Verify reads the whole set in a directory once, compares each file with its sum, and the layout with the description; one in
// a file is read by [VerifyStream]. The error has a line for each file that is damaged, short or missing, and wraps
// [content.ErrIntegrity], or [ErrNoSet], or what opts.Verify returned.
func Verify(ctx context.Context, dir string, opts ReadOptions) (Set, error) {
	if f, err := openFile(dir); err != nil {
		return Set{}, err
	} else if f != nil {
		defer f.Close() // opened for reading
		s, err := VerifyStream(ctx, f, opts)
		if err != nil {
			err = fmt.Errorf("%s: %w", dir, err)
		}
		return s, err
	}
	s, data, err := readSet(dir, opts)
	if err != nil {
		return Set{}, err
	}
	var errs []error
	for _, p := range s.Files() {
		if err := checkFile(ctx, filepath.Join(dir, p.Name), p); err != nil {
			errs = append(errs, fmt.Errorf("part %s: %w", p.Name, err))
		}
		if err := context.Cause(ctx); err != nil {
			return s, err
		}
	}
	sums, err := s.Parity.readSums(dir)
	errs = append(errs, err)
	for name, want := range s.derived(data, digest.FromBytes(data), sums) {
		errs = append(errs, checkDerived(dir, name, want))
	}
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	// Whoever made the set has made the sums, too: what an import would refuse is no good set.
	r, err := Open(dir, ReadOptions{})
	if err != nil {
		return s, err
	}
	return s, errors.Join(r.checkSubjects(ctx), r.Close())
}

// checkSubjects compares what images refer to with their manifests, as far as the set has them.
func (r *Reader) checkSubjects(ctx context.Context) error {
	for _, image := range r.Images {
		if image.leftOut() {
			continue
		}
		manifests, err := r.archive.Manifests(ctx, []content.Descriptor{image.descriptor()})
		if err != nil {
			return err
		}
		if _, subject, err := content.ReferrerOf(manifests[0]); err != nil || subject != image.Subject {
			return errors.Join(damaged("%s: %s@%s has the subject %q, but its manifest %q", SetFile, image.Repository, image.Digest, image.Subject, subject), err)
		}
	}
	return nil
}

// Files returns the parts of the set and the files with its parity.
func (s Set) Files() []SetPart {
	if s.Parity == nil {
		return s.Parts
	}
	return append(s.Parts[:len(s.Parts):len(s.Parts)], s.Parity.Parts...)
}

// checkFile reads a file and compares it. The error wraps [content.ErrIntegrity] unless ctx has ended.
func checkFile(ctx context.Context, path string, p SetPart) error {
	err := files.CheckRegular(path)
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	defer f.Close() // opened for reading
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	if info.Size() != p.Size {
		return fmt.Errorf("%w: it has %d bytes, not %d", content.ErrIntegrity, info.Size(), p.Size)
	}
	h, buffer := sha256.New(), make([]byte, pieceSize)
	for left := p.Size; left > 0; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(f, buffer[:min(left, pieceSize)])
		if err != nil {
			return fmt.Errorf("%w: %w", content.ErrIntegrity, err) // a bad place on the medium
		}
		h.Write(buffer[:n])
		left -= int64(n)
	}
	if d := digest.NewDigest(digest.SHA256, h); d != p.Digest {
		return fmt.Errorf("%w: it has the digest %s, not %s", content.ErrIntegrity, d, p.Digest)
	}
	return nil
}

// derived returns set.json, whose content is data and has the digest set, and the files that follow from it, and from the sums of
// the blocks, if they could be read.
func (s Set) derived(data []byte, set digest.Digest, sums []byte) map[string][]byte {
	derived := map[string][]byte{SetFile: data, sumsFile: s.sums(set)}
	if s.Parity == nil {
		return derived
	}
	derived[setCopyFile] = data
	if sums != nil {
		derived[paritySumsFile], derived[paritySumsCopy] = sums, sums
	}
	return derived
}

func checkDerived(dir, name string, want []byte) error {
	data, err := files.Read(filepath.Join(dir, name), MaxSetFile)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", name, content.ErrIntegrity, err)
	}
	if !bytes.Equal(data, want) {
		return fmt.Errorf("%s: %w: it is not what belongs to the set", name, content.ErrIntegrity)
	}
	return nil
}
