package archive

import (
	"encoding/hex"
	"io"
	"io/fs"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Blobs are the places of the blobs of a layout in a tar, for a caller that has read the headers itself. Digests are kept in
// binary form: there may be some hundred thousand.
type Blobs struct {
	in     io.ReaderAt
	sha256 map[[32]byte]extent
	others map[digest.Digest]extent // by other algorithms
}

// extent is a run of bytes.
type extent struct{ first, size int64 }

// Add notes that a blob is size bytes from offset first on.
func (b *Blobs) Add(d digest.Digest, first, size int64) {
	if key, ok := binarySHA256(d); ok {
		if b.sha256 == nil {
			b.sha256 = map[[32]byte]extent{}
		}
		b.sha256[key] = extent{first, size}
		return
	}
	if b.others == nil {
		b.others = map[digest.Digest]extent{}
	}
	b.others[d] = extent{first, size}
}

// binarySHA256 returns the bytes of a SHA-256 digest.
func binarySHA256(d digest.Digest) (key [32]byte, ok bool) {
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(d.Encoded()))
	return key, err == nil
}

// Archive returns the archive with the blobs in a tar, but without its index: images are found by their descriptors only. Messages
// call it oci-archive:name. Closing the archive closes c.
func (b *Blobs) Archive(tar io.ReaderAt, c io.Closer, name string) *Archive {
	b.in = tar
	return &Archive{layout.NewReader(b, "oci-archive:"+name), &tarball.Image{ReaderAt: tar, Closer: c}}
}

// Open implements [fs.FS].
func (b *Blobs) Open(name string) (fs.File, error) {
	d := digest.NewDigestFromEncoded(digest.Algorithm(path.Base(path.Dir(name))), path.Base(name))
	var at extent
	var found bool
	if key, ok := binarySHA256(d); ok {
		at, found = b.sha256[key]
	} else {
		at, found = b.others[d]
	}
	if !found || layout.BlobPath(d) != name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return tarball.NewFile(io.NewSectionReader(b.in, at.first, at.size), name, b.in), nil
}
