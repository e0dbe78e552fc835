package media

import (
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/layout"
)

// blobs are the blobs of a set that was read, as an OCI image layout without its index: what the images are, the set says.
type blobs struct {
	layout.Reader
	files io.Closer // nil if the set could not be opened
}

func newBlobs(at *places, in io.ReaderAt, closer io.Closer, name string) blobs {
	at.in = in
	return blobs{layout.NewReader(at, "oci-archive:"+name), closer}
}

// places is where the blobs are in the tar, as the files of a layout. A set may have some hundred thousand, so their names
// are kept in binary form.
type places struct {
	in     io.ReaderAt
	sha256 map[[32]byte]extent
	others map[digest.Digest]extent // by other algorithms
}

// extent is a run of bytes.
type extent struct{ first, size int64 }

// add notes where a blob is.
func (p *places) add(d digest.Digest, at extent) {
	if key, ok := binarySHA256(d); ok {
		if p.sha256 == nil {
			p.sha256 = map[[32]byte]extent{}
		}
		p.sha256[key] = at
		return
	}
	if p.others == nil {
		p.others = map[digest.Digest]extent{}
	}
	p.others[d] = at
}

// binarySHA256 returns the bytes of a SHA-256 digest.
func binarySHA256(d digest.Digest) (key [32]byte, ok bool) {
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(d.Encoded()))
	return key, err == nil
}

// Open implements [fs.FS].
func (p *places) Open(name string) (fs.File, error) {
	d := digest.NewDigestFromEncoded(digest.Algorithm(path.Base(path.Dir(name))), path.Base(name))
	var at extent
	var found bool
	if key, ok := binarySHA256(d); ok {
		at, found = p.sha256[key]
	} else {
		at, found = p.others[d]
	}
	if !found || blobName(d) != name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return blobFile{io.NewSectionReader(p.in, at.first, at.size), path.Base(name)}, nil
}

// blobFile is an open blob and its own [fs.FileInfo].
type blobFile struct {
	*io.SectionReader
	name string
}

func (blobFile) Close() error { return nil }

func (f blobFile) Stat() (fs.FileInfo, error) { return f, nil }

func (f blobFile) Name() string { return f.name }

func (blobFile) Mode() fs.FileMode { return 0o444 }

func (blobFile) ModTime() time.Time { return time.Time{} }

func (blobFile) IsDir() bool { return false }

func (blobFile) Sys() any { return nil }

// Close closes the set's files.
func (b blobs) Close() error {
	if b.files == nil {
		return nil
	}
	return b.files.Close()
}
