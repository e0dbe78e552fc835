//go:build interop

package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layoutOf is a copy of the suite's images that has only this tag.
func (s *suite) layoutOf(t *testing.T, tag string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := os.CopyFS(dir, os.DirFS(s.images)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "index.json")
	var index struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		Manifests     []map[string]any `json:"manifests"`
	}
	readJSON(t, path, &index)
	for _, manifest := range index.Manifests {
		if manifest["digest"] == s.digests[tag] {
			index.Manifests = []map[string]any{manifest}
			break
		}
	}
	data, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// verifyLayout returns the digest of the only manifest that the OCI layout's index.json names, once it and
// all that it names below have been read and have their digests.
func verifyLayout(t *testing.T, dir string) string {
	t.Helper()
	type descriptor struct{ Digest string }
	type manifest struct {
		Manifests, Layers []descriptor
		Config            *descriptor
	}
	var index manifest
	readJSON(t, filepath.Join(dir, "index.json"), &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("the layout has %d manifests, want 1: %v", len(index.Manifests), index.Manifests)
	}

	read := func(d descriptor) []byte {
		data, err := os.ReadFile(filepath.Join(dir, "blobs", strings.Replace(d.Digest, ":", "/", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); "sha256:"+hex.EncodeToString(sum[:]) != d.Digest {
			t.Errorf("blob %s of the layout has other content", d.Digest)
		}
		return data
	}
	pending := index.Manifests
	for len(pending) > 0 {
		var m manifest
		if err := json.Unmarshal(read(pending[0]), &m); err != nil {
			t.Fatalf("manifest %s: %v", pending[0].Digest, err)
		}
		pending = append(pending[1:], m.Manifests...)
		for _, layer := range m.Layers {
			read(layer)
		}
		if m.Config != nil {
			read(*m.Config)
		}
	}
	return index.Manifests[0].Digest
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
