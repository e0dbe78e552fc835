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

// SetFile is the name of the file with the description of a set.
const SetFile = "set.json"

// MaxSetFile is the largest size of that file, in bytes.
const MaxSetFile = 256 << 20

const (
	sumsFile = "SHA256SUMS"
	tarFile  = "images.tar"

	// maxSignature bounds the signature, in bytes.
	maxSignature = 32 << 20
)

// SignatureFile is the name of the file with the signature of set.json, a Sigstore bundle, if a set is
// signed: its caller's to write.
const SignatureFile = SetFile + ".sigstore.json"

// MinisignFile is the name of the file with a signature of set.json in the format of minisign, instead of
// that in [SignatureFile] or beside it.
const MinisignFile = SetFile + ".minisig"

// signatureFiles are the names of files with signatures.
var signatureFiles = []string{SignatureFile, MinisignFile}

// ErrNoSet reports a directory without a complete set.
var ErrNoSet = errors.New("there is no complete set")

// Set describes what is in a directory. Its JSON form is stable: fields are only added.
type Set struct {
	Version int `json:"version"`
	// ID is of the content: sets with the same ID have the same images in the same bytes.
	ID     digest.Digest `json:"id"`
	Size   int64         `json:"size"`  // of the tar in bytes, without the description in a set in one file
	Parts  []SetPart     `json:"parts"` // [] inside of a set in one file
	Images []Image       `json:"images"`
	Blobs  int           `json:"blobs"`
	// Head is, of a set in one file, how many blobs at its beginning are manifests, deltas, or of up to 64
	// KiB. Who imports it from a stream keeps them in a temporary file.
	Head int `json:"head,omitempty"`
	// Needs are blobs that were left out because the destination has them, sorted.
	Needs []RequiredBlob `json:"needs,omitempty"`
	// Deltas are layers that the set does not have, but what they are rebuilt from.
	Deltas []Delta `json:"deltas,omitempty"`
	// Parity rebuilds damaged files; nil if there is none.
	Parity *Parity `json:"parity,omitempty"`
}

// SetPart is a file of the set: the next bytes of the tar.
type SetPart struct {
	Name   string        `json:"name"`
	Size   int64         `json:"size"`
	Digest digest.Digest `json:"digest"`
}

// Image is an image, an index, or something that refers to one.
type Image struct {
	Repository string        `json:"repository"` // HOST/REPOSITORY at the source
	Name       string        `json:"name"`       // repository under a destination
	Tags       []string      `json:"tags"`       // sorted; [] if it has none
	Digest     digest.Digest `json:"digest"`
	// Original is the digest at the source, if a choice of platforms has changed it.
	Original     digest.Digest `json:"original,omitempty"`
	MediaType    string        `json:"mediaType"`
	Size         int64         `json:"size"` // of the manifest
	ArtifactType string        `json:"artifactType,omitempty"`
	Subject      digest.Digest `json:"subject,omitempty"` // that it refers to
	// ContentSize is 0 if the set has the manifest of the image. Otherwise the destination has all of it, in so many bytes: its
	// manifests and blobs.
	ContentSize int64 `json:"contentSize,omitempty"`
}

// leftOut reports whether the set does not have the image, since the destination has it.
func (i Image) leftOut() bool { return i.ContentSize > 0 }

func (i Image) descriptor() content.Descriptor {
	return content.Descriptor{MediaType: i.MediaType, Digest: i.Digest, Size: i.Size, ArtifactType: i.ArtifactType}
}

// ReadOptions are how a set is read.
type ReadOptions struct {
	// Verify returns an error unless signature, the content of [SignatureFile] or [MinisignFile], is a
	// signature of set, that of set.json. If the set has both files, one of them is enough. If it is not
	// signed, signature is nil. Nothing else of the set is used before. A nil Verify requires no signature.
	Verify func(set, signature []byte) error
}

// ReadSet reads the description of the set in a directory. The error wraps [ErrNoSet] if there is none,
// and [content.ErrIntegrity] if it cannot be right.
func ReadSet(dir string) (Set, error) {
	s, _, err := readSet(dir, ReadOptions{})
	return s, err
}

// checkParts returns an error unless the files have their names and the right size together.
func checkParts(list []SetPart, size int64, name func(i, of int) string) error {
	total := int64(0)
	for i, p := range list {
		// A name leads nowhere else: whoever made the set must not choose which file is read.
		if p.Name != name(i, len(list)) || p.Size <= 0 || p.Digest.Validate() != nil || p.Size > size-total {
			return fmt.Errorf("part %d, %q, cannot be right", i+1, p.Name)
		}
		total += p.Size
	}
	if total != size || total == 0 {
		return fmt.Errorf("the parts have %d bytes together, not %d", total, size)
	}
	return nil
}

func (s Set) check(inFile bool) error {
	switch {
	case s.ID.Validate() != nil:
		return fmt.Errorf("the identifier %q is not a digest", s.ID)
	case !inFile:
		if err := checkParts(s.Parts, s.Size, partName); err != nil {
			return err
		}
	case len(s.Parts) > 0 || s.Parity != nil || s.Size <= 0 || s.Head < 0 || s.Head > s.Blobs:
		return errors.New("what it says of its file cannot be right")
	}
	if s.Parity != nil {
		if err := s.Parity.check(s.Size); err != nil {
			return err
		}
	}
	for _, n := range s.Needs {
		if !content.IsRepositoryName(n.Name) || n.Digest.Validate() != nil || n.Size < 0 || n.Set != "" && n.Set.Validate() != nil || n.From != "" && !content.IsRepositoryName(n.From) {
			return fmt.Errorf("a blob that is left out, %s in %q, cannot be right", n.Digest, n.Name)
		}
	}
	if err := s.checkDeltas(); err != nil {
		return err
	}
	if s.Version != versionOf(s.Needs) {
		return fmt.Errorf("what it needs cannot be that of version %d", s.Version)
	}
	left := map[digest.Digest]bool{} // manifests
	for _, n := range s.Needs {
		if n.Manifest {
			left[n.Digest] = true
		}
	}
	for _, image := range s.Images {
		if image.ContentSize < 0 || image.leftOut() != left[image.Digest] {
			return fmt.Errorf("%s@%s: what the destination has of it cannot be right", image.Repository, image.Digest)
		}
		_, repository, ok := strings.Cut(image.Repository, "/")
		if !ok || !content.IsRepositoryName(repository) || !content.IsRepositoryName(image.Name) {
			return fmt.Errorf("repository %q, named %q, cannot be one", image.Repository, image.Name)
		}
		if err := content.CheckDescriptor(image.descriptor()); err != nil {
			return fmt.Errorf("%s: %w", image.Repository, err)
		}
		for _, tag := range image.Tags {
			if err := content.CheckTag(tag); err != nil {
				return fmt.Errorf("%s: %w", image.Repository, err)
			}
		}
		if image.Subject != "" && image.Subject.Validate() != nil || image.Original != "" && image.Original.Validate() != nil {
			return fmt.Errorf("%s@%s: subject %q is not a digest", image.Repository, image.Digest, image.Subject)
		}
	}
	return nil
}

// partName is the name of a part, from 0 on.
func partName(i, of int) string {
	if of == 1 {
		return tarFile
	}
	return fmt.Sprintf("%s.%03d", tarFile, i+1)
}

// sums is the content of SHA256SUMS, with the digest of set.json.
func (s Set) sums(set digest.Digest) []byte {
	var out strings.Builder
	for _, p := range s.Files() {
		fmt.Fprintf(&out, "%s  %s\n", p.Digest.Encoded(), p.Name)
	}
	fmt.Fprintf(&out, "%s  %s\n", set.Encoded(), SetFile)
	return []byte(out.String())
}

// write writes the description of the set and what follows from it into dir. sums are those of the
// parity, if it has one.
func (s Set) write(dir string, sums []byte) error {
	set := newSum()
	if err := s.encodeTo(&set); err != nil {
		return err
	}
	derived := s.derived(nil, set.digest(), sums)
	// A signature is of what was there before.
	for _, name := range signatureFiles {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// If a process is killed in between, two of set.json, its copy and SHA256SUMS are of the same set.
	for _, name := range []string{paritySumsFile, paritySumsCopy, setCopyFile, sumsFile, SetFile} {
		path := filepath.Join(dir, name)
		var err error
		if text, ok := derived[name]; text != nil {
			err = files.WriteFile(path, text, 0o666)
		} else if ok {
			err = files.WriteContent(path, s.encodeTo, 0o666)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
