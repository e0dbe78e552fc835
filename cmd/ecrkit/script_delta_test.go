package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
)

// makeVersions is "versions DIR TAG...": an OCI layout with an image of one layer for each tag. The layers
// have the same files but for one.
func makeVersions(ts *testscript.TestScript, _ bool, args []string) {
	path, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	for n, tag := range args[1:] {
		var files bytes.Buffer
		w := tar.NewWriter(&files)
		for i := range 12 {
			seed := uint64(i)
			if i == 5 {
				seed = uint64(100 + n)
			}
			rng := rand.New(rand.NewPCG(seed, 0))
			var text bytes.Buffer
			for range 300 {
				fmt.Fprintf(&text, "key%d = %x\n", rng.IntN(100), rng.Uint64())
			}
			ts.Check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("etc/conf%d", i), Size: int64(text.Len()), Mode: 0o644}))
			_, err := w.Write(text.Bytes())
			ts.Check(err)
		}
		ts.Check(w.Close())
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
		ts.Check(err)
		image, err := mutate.AppendLayers(empty.Image, layer)
		ts.Check(err)
		ts.Check(path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})))
	}
}
