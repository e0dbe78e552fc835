// Package layers makes layers for tests.
package layers

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
)

// Tar returns the tar of a layer with twelve files of so many lines, of which one differs from version to
// version.
func Tar(version, lines int) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := range 12 {
		seed := uint64(i)
		if i == 5 {
			seed = uint64(1000 + version)
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var text bytes.Buffer
		for range lines {
			fmt.Fprintf(&text, "key%d = %x\n", rng.IntN(100), rng.Uint64())
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("etc/conf%d", i), Size: int64(text.Len()), Mode: 0o644}); err != nil {
			return nil, err
		}
		if _, err := w.Write(text.Bytes()); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// Compress returns what the writer that open returns makes of data.
func Compress(data []byte, open func(w io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var out bytes.Buffer
	w, err := open(&out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
