//go:build interop

package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// verifyLayout returns the digest of the only manifest that the OCI layout's index.json names, once it and
// all that it names below have been read and have their digests.
func verifyLayout(t *testing.T, dir string) string {
	t.Helper()
	var index manifest
	readJSON(t, filepath.Join(dir, "index.json"), &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("the layout has %d manifests, want 1: %v", len(index.Manifests), index.Manifests)
	}

	verifyBelow(t, index.Manifests[0].Digest, func(digest string, _ bool) string { return layoutFile(dir, digest) })
	return index.Manifests[0].Digest
}

// layoutFile is the file of a blob in an OCI layout.
func layoutFile(dir, digest string) string {
	return filepath.Join(dir, "blobs", strings.Replace(digest, ":", "/", 1))
}

// verifySkopeoDir is verifyLayout for a directory that skopeo has written as dir:.
func verifySkopeoDir(t *testing.T, dir string) string {
	t.Helper()
	root := fileDigest(t, filepath.Join(dir, "manifest.json"))
	verifyBelow(t, root, func(digest string, isManifest bool) string { return skopeoFile(dir, root, digest, isManifest) })
	return root
}

// skopeoFile is the file of a blob or manifest in a directory of skopeo, which holds the image or index root.
func skopeoFile(dir, root, digest string, isManifest bool) string {
	name := strings.TrimPrefix(digest, "sha256:")
	switch {
	case digest == root:
		name = "manifest.json"
	case isManifest:
		name += ".manifest.json"
	}
	return filepath.Join(dir, name)
}

// skopeoDir is the example as a directory for skopeo.
func (k kind) skopeoDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "version"), []byte("Directory Transport Version: 1.1\n"))
	verifyBelow(t, k.digest, func(digest string, isManifest bool) string {
		file := layoutFile(k.layout, digest)
		if err := os.Link(file, skopeoFile(dir, k.digest, digest, isManifest)); err != nil {
			t.Fatal(err)
		}
		return file
	})
	return dir
}

// A manifest is that of an image or an index.
type manifest struct {
	Manifests, Layers []descriptor
	Config            descriptor
}

type descriptor struct{ Digest string }

// verifyBelow reads the manifest with this digest and all that it names from the files where it should be.
func verifyBelow(t *testing.T, digest string, file func(digest string, isManifest bool) string) {
	t.Helper()
	read := func(digest string, isManifest bool) string {
		path := file(digest, isManifest)
		if got := fileDigest(t, path); got != digest {
			t.Errorf("%s has the digest %s, want %s", path, got, digest)
		}
		return path
	}
	var m manifest
	readJSON(t, read(digest, true), &m)
	for _, child := range m.Manifests {
		verifyBelow(t, child.Digest, file)
	}
	for _, blob := range m.Layers {
		read(blob.Digest, false)
	}
	if m.Config.Digest != "" {
		read(m.Config.Digest, false)
	}
}

// fileDigest is the digest of what a file holds.
func fileDigest(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return digest.FromBytes(data).String()
}

// readJSON decodes a file.
func readJSON(t *testing.T, path string, out any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
