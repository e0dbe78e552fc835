package main

import (
	"bytes"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/internal/test/layers"
)

// makeVersions is "versions DIR TAG...": an OCI layout with an image of one layer for each tag. The layers
// have the same files but for one.
func makeVersions(ts *testscript.TestScript, _ bool, args []string) {
	path, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	for n, tag := range args[1:] {
		files, err := layers.Tar(n, 300)
		ts.Check(err)
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
		ts.Check(err)
		image, err := mutate.AppendLayers(empty.Image, layer)
		ts.Check(err)
		ts.Check(path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})))
	}
}
