package ref

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Detect tells by its content what kind of image file or directory is at
// path; "" is none.
func Detect(path string) Kind {
	if path == "" {
		return ""
	}
	if layout.Is(path) {
		return KindLayout
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	first := make([]byte, compress.MagicSize)
	n, err := f.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	if format := compress.Detect(first[:n]); format != compress.None {
		return detectPacked(f, format)
	}
	files, err := tarball.Index(f)
	if err != nil {
		return ""
	}
	return kindOf(files)
}

// dockerMember is what docker calls the files of an image, other than those of
// an OCI layout.
var dockerMember = lazyregexp.New(`^(sha256:)?[0-9a-f]{64}(/|\.|$)`)

var errDetected = errors.New("detected")

// detectPacked reads a compressed tar no further than needed. In one that is both,
// docker has its manifest.json first, and what is first an OCI layout is a whole
// one.
func detectPacked(r io.Reader, format compress.Format) Kind {
	plain, err := compress.NewReader(bufio.NewReaderSize(r, 128<<10), format)
	if err != nil {
		return ""
	}
	defer plain.Close()
	var kind Kind
	err = tarball.Walk(plain, func(_ *tar.Header, name string, _ io.Reader) error {
		switch {
		case name == tarball.DockerManifestFile, dockerMember.MatchString(name):
			kind = KindDockerArchive
			return errDetected
		case name == ocispec.ImageLayoutFile:
			kind = KindArchive
			return errDetected
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDetected) {
		return ""
	}
	return kind
}
