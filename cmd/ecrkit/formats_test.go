package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/internal/test/formats"
)

// makeDockerArchive is "dockerarchive FILE NAME:TAG...": what `docker save` writes
// of images with one layer each, which is not compressed.
func makeDockerArchive(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(w *tar.Writer, name string, data []byte) {
		ts.Check(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		ts.Check(err)
	}
	addJSON := func(name string, content any) {
		data, err := json.Marshal(content)
		ts.Check(err)
		add(w, name, data)
	}
	var images []map[string]any
	for _, name := range args[1:] {
		var layer bytes.Buffer
		lw := tar.NewWriter(&layer)
		add(lw, "name", []byte(name))
		ts.Check(lw.Close())
		dir := digest.FromString(name).Encoded()
		add(w, dir+"/layer.tar", layer.Bytes())
		addJSON(dir+".json", map[string]any{
			"architecture": "amd64", "os": "linux",
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest.FromBytes(layer.Bytes()).String()}},
		})
		images = append(images, map[string]any{"Config": dir + ".json", "RepoTags": []string{name}, "Layers": []string{dir + "/layer.tar"}})
	}
	addJSON("manifest.json", images)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// makeFormat is "made TOOL PATH": what the tool writes, as package formats makes it.
func makeFormat(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(formats.Write(args[0], ts.MkAbs(args[1])))
}
