package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrInterrupted reports a directory in which an export was interrupted. Errors that wrap it wrap
// [ErrNoSet] too.
var ErrInterrupted = errors.New("the export was interrupted")

// readSet returns the description of the set in a directory, and its content. A damaged set.json may still
// make sense, with another tag for instance, so it counts only if it is signed, listed in SHA256SUMS, or
// equal to its copy. So a set with parity survives that one of the three is damaged or missing.
func readSet(dir string, opts ReadOptions) (Set, []byte, error) {
	path := filepath.Join(dir, SetFile)
	set, err := files.Read(path, MaxSetFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(dir, journalFile)); err == nil {
			return Set{}, nil, fmt.Errorf("%w: %w", ErrNoSet, ErrInterrupted)
		}
	}
	second, secondErr := files.Read(filepath.Join(dir, setCopyFile), MaxSetFile)
	if err != nil && secondErr != nil {
		return Set{}, nil, fmt.Errorf("%w: %w", ErrNoSet, err)
	}
	var data []byte
	if opts.Verify != nil {
		data, err = readSigned(dir, opts, set, second)
	} else {
		data, err = readListed(dir, set, second)
	}
	if err != nil {
		return Set{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := decodeSet(data, false)
	if err != nil {
		return Set{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, data, nil
}

// readSigned returns which of set.json and its copy is signed; nil is one that cannot be read. What
// SHA256SUMS lists is tried first.
func readSigned(dir string, opts ReadOptions, set, second []byte) ([]byte, error) {
	var signatures [][]byte
	for _, name := range signatureFiles {
		signature, err := files.Read(filepath.Join(dir, name), maxSignature)
		if err == nil {
			signatures = append(signatures, signature)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if len(signatures) == 0 {
		signatures = [][]byte{nil}
	}
	listed, _ := readListed(dir, set, second) // the signature decides
	var refused error                         // of the first
	for _, data := range [][]byte{listed, set, second} {
		if data == nil {
			continue
		}
		var errs []error
		for _, signature := range signatures {
			err := opts.Verify(data, signature)
			if err == nil {
				return data, nil
			}
			errs = append(errs, err)
		}
		if refused == nil {
			refused = errors.Join(errs...)
		}
	}
	return nil, refused
}

// readListed returns which of set.json and its copy counts; nil is one that cannot be read.
func readListed(dir string, set, second []byte) ([]byte, error) {
	sums, err := files.Read(filepath.Join(dir, sumsFile), MaxSetFile)
	listed := func(data []byte) bool { return data != nil && digest.FromBytes(data).Encoded() == sumOf(sums, SetFile) }
	switch {
	case listed(set) || set != nil && string(set) == string(second):
		return set, nil
	case listed(second):
		return second, nil
	case err != nil:
		return nil, fmt.Errorf("%w: its sum cannot be read: %w", content.ErrIntegrity, err)
	}
	return nil, fmt.Errorf("%w: %s lists another sum", content.ErrIntegrity, sumsFile)
}

// sumOf returns the sum of a file in the text of SHA256SUMS, "" if it has none.
func sumOf(sums []byte, file string) string {
	for line := range strings.Lines(string(sums)) {
		if sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok && name == file {
			return sum
		}
	}
	return ""
}
