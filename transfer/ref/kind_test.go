package ref

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
)

func FuzzIndexTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "oci-layout", Mode: 0o644, Size: 3})
	_, _ = w.Write([]byte("abc"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := tarball.Index(bytes.NewReader(data))
		if err != nil {
			return
		}
		for name := range files.Files {
			_, _ = imagefs.ReadFile(files, name, 1<<10)
		}
		for name := range files.Links {
			_, _ = imagefs.ReadFile(files, name, 1<<10)
		}
		kindOf(files)
	})
}
