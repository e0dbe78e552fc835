package ref

import (
	"archive/tar"
	"bufio"
	"bytes"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Detect returns, by its content, what kind of image file or directory is at
// path; "" means none.
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

// maxDetected bounds what is held in memory of a packed tar to detect what it is.
const maxDetected = 64 << 20

// detectPacked reads a compressed tar to its end: the answer is that for the tar itself,
// whatever the order of its members. Documents are kept, of all other members the sizes.
func detectPacked(r io.Reader, format compress.Format) Kind {
	plain, err := compress.NewReader(bufio.NewReaderSize(r, 128<<10), format)
	if err != nil {
		return ""
	}
	defer plain.Close()
	files := tarball.Files{Files: map[string]*io.SectionReader{}, Links: map[string]string{}}
	kept := 0
	err = tarball.Walk(plain, func(h *tar.Header, name string, r io.Reader) error {
		delete(files.Files, name)
		delete(files.Links, name)
		if target, ok := tarball.LinkOf(h, name); ok {
			files.Links[name] = target
			return nil
		}
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		data, err := io.ReadAll(io.LimitReader(r, compress.MagicSize))
		if err == nil && len(data) > 0 && bytes.IndexByte([]byte("{[ \t\r\n"), data[0]) >= 0 && h.Size <= content.MaxManifestSize && kept < maxDetected {
			var rest []byte
			rest, err = io.ReadAll(r)
			data = append(data, rest...)
		}
		kept += len(data)
		files.Files[name] = io.NewSectionReader(bytes.NewReader(data), 0, h.Size)
		return err
	})
	if err != nil {
		return ""
	}
	return kindOf(files)
}
