package media

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/pgzip"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/layers"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// first carries one image to the far side, whole.
func (g *gap) first(t *testing.T, layer []byte) (base digest.Digest, dir string) {
	t.Helper()
	base = g.near["a.example/web"].putLayer(t, "v0", layer)
	dir = t.TempDir()
	_, err := Export(t.Context(), g.config, g.near, dir, ExportOptions{})
	check(t, err)
	check(t, g.load(t, dir))
	return base, dir
}

// receipt is the inventory that follows from the import of a set.
func receipt(t *testing.T, dir string) inventory.Inventory {
	t.Helper()
	r, err := Open(dir, ReadOptions{})
	check(t, err)
	defer r.Close() // opened for reading
	v, err := r.Receipt(t.Context())
	check(t, err)
	return v
}

// sameAsDirect compares the far side with a direct mirror of all images of the near side.
func (g *gap) sameAsDirect(t *testing.T) {
	t.Helper()
	near, direct := g.near["a.example/web"], memory.New("direct")
	for _, tag := range near.tags {
		_, err := transfer.Copy(t.Context(), near, direct, transfer.Options{Reference: tag, Tags: []string{tag}})
		check(t, err)
		want, err := direct.Resolve(t.Context(), tag)
		check(t, err)
		got, err := g.far["web"].Resolve(t.Context(), tag)
		check(t, err)
		if got.Descriptor.Digest != want.Descriptor.Digest || !bytes.Equal(got.Content, want.Content) {
			t.Errorf("%s is %s, and by a direct mirror %s", tag, got.Descriptor.Digest, want.Descriptor.Digest)
		}
		contents, err := transfer.ReadContents(t.Context(), direct, transfer.Options{Reference: tag})
		check(t, err)
		for _, blob := range contents.Blobs {
			if want, got := read(t, direct, blob), read(t, g.far["web"], blob); !bytes.Equal(got, want) {
				t.Errorf("%s: blob %s is not the same", tag, blob.Digest)
			}
		}
	}
}

func read(t *testing.T, src content.Source, d content.Descriptor) []byte {
	t.Helper()
	in, err := src.Blob(t.Context(), d)
	check(t, err)
	defer in.Close() // opened for reading
	data, err := io.ReadAll(in)
	check(t, err)
	return data
}

// TestDeltaZstd carries a zstd layer as a patch between compressed bytes, and refuses a base with other bytes, or none,
// by its name.
func TestDeltaZstd(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	base, _ := g.first(t, framesOfVersion(t, 0))
	layer := framesOfVersion(t, 1)
	want := g.near["a.example/web"].putLayer(t, "v1", layer)
	dir := t.TempDir()
	s := g.export(t, dir, g.inventory(t))
	if len(s.Deltas) != 1 || s.Deltas[0].Layer != want || s.Deltas[0].Encoder != "zstd-ranges" || len(s.Deltas[0].Bases) != 1 || s.Deltas[0].Bases[0].Digest != base {
		t.Fatalf("%+v, tried %+v", s.Deltas, g.tried)
	}
	if s.Deltas[0].Bytes*5 > int64(len(layer)) {
		t.Errorf("%d bytes for a layer of %d", s.Deltas[0].Bytes, len(layer))
	}
	_, err := Verify(t.Context(), dir, ReadOptions{})
	check(t, err)

	elsewhere := *g
	elsewhere.far = world{}
	if err := elsewhere.load(t, dir); !errors.Is(err, ErrRequiredBlobs) || !strings.Contains(err.Error(), string(base)) || elsewhere.far["web"].Sent() != 0 {
		t.Errorf("without the base: %v, %d bytes were written", err, elsewhere.far["web"].Sent())
	}
	g.wrong = base
	if err := g.load(t, dir); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(base)) || !strings.Contains(err.Error(), string(want)) {
		t.Errorf("a base with other bytes: %v", err)
	}
	if _, err := g.far["web"].Resolve(t.Context(), "v1"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("the image of a wrong base: %v", err)
	}
	g.wrong = ""
	check(t, g.load(t, dir))
	g.sameAsDirect(t)
	if left, _ := os.ReadDir(g.temp); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// TestDeltaChain carries ten versions across, by several encoders, each with the receipt of the import before it as the
// inventory.
func TestDeltaChain(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	g.first(t, layerOfVersion(t, 0))
	have := g.inventory(t)
	encoders := []func(w io.Writer) (io.WriteCloser, error){
		func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) },
		func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		func(w io.Writer) (io.WriteCloser, error) { return pgzip.NewWriter(w), nil },
	}
	var bases []digest.Digest
	for n := 1; n <= 10; n++ {
		plain, err := layers.Tar(n, 400)
		check(t, err)
		layer, err := layers.Compress(plain, encoders[n%len(encoders)])
		check(t, err)
		want := g.near["a.example/web"].putLayer(t, fmt.Sprint("v", n), layer)
		dir := t.TempDir()
		s := g.export(t, dir, have)
		if len(s.Deltas) != 1 || s.Deltas[0].Layer != want || s.Deltas[0].Bytes*5 > int64(len(layer)) {
			t.Fatalf("version %d, a layer of %d bytes: %+v, tried %+v", n, len(layer), s.Deltas, g.tried)
		}
		for _, b := range s.Deltas[0].Bases {
			bases = append(bases, b.Digest)
		}
		_, err = Verify(t.Context(), dir, ReadOptions{})
		check(t, err)
		check(t, g.load(t, dir))
		have = receipt(t, dir)
	}
	slices.Sort(bases)
	if len(slices.Compact(bases)) < 2 {
		t.Errorf("all versions are made from %v", bases)
	}
	g.sameAsDirect(t)
}

// TestDeltaForeignVersion carries a layer whole where the importer cannot rebuild it, and refuses, before anything is
// written, a set by an ecrkit that can do more: the model of the delta, or its format, is unknown here.
func TestDeltaForeignVersion(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	g.first(t, layerOfVersion(t, 0))
	layer := layerOfVersion(t, 1)
	want := g.near["a.example/web"].putLayer(t, "v1", layer)
	have := g.inventory(t)
	dir := t.TempDir()
	s := g.export(t, dir, have)
	if len(s.Deltas) != 1 || s.Deltas[0].Encoder != "go-1" {
		t.Fatalf("%+v", s.Deltas)
	}
	sent := g.far["web"].Sent()
	for _, c := range []struct{ name, from, to, encoder, want string }{
		{"a later model", `"model":"go-1"`, `"model":"go-1-v2"`, "go-1-v2", `it needs the encoder "go-1-v2", which this version does not have`},
		{"a model that only the delta names", `"model":"go-1"`, `"model":"go-1-v2"`, "go-1", "its encoder is go-1-v2, not go-1"},
		{"a later format", `"version":1`, `"version":2`, "go-1", "it has version 2; this ecrkit reads version 1"},
		{"a member that is unknown", `"version":1`, `"version":1,"window":32`, "go-1", "window"},
		{"a member twice", `"version":1`, `"version":1,"version":1`, "go-1", "version"},
		{"another encoding", `"encoding":"gzip"`, `"encoding":"brotli"`, "go-1", `encoding "brotli"`},
		{"the delta of another layer", string(want), string(digest.FromString("another")), "go-1", "it is the delta of " + string(digest.FromString("another"))},
	} {
		changed := t.TempDir()
		remake(t, dir, changed, s, c.encoder, func(d []byte) []byte { return changeHeader(t, d, c.from, c.to) })
		err := g.load(t, changed)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "delta of layer "+string(want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if now := g.far["web"].Sent(); now != sent {
		t.Errorf("%d bytes were written", now-sent)
	}
	have.Deltas = &inventory.DeltaSupport{Version: inventory.DeltaVersion, Encoders: []string{"none", "go-1-v2"}}
	whole := t.TempDir()
	if s := g.export(t, whole, have); len(s.Deltas) != 0 || len(g.tried) != 1 || !strings.Contains(g.tried[0].Whole, "does not have the encoder go-1") {
		t.Errorf("for an importer with another model: %+v, tried %+v", s.Deltas, g.tried)
	}
	check(t, g.load(t, whole))
	g.sameAsDirect(t)
}

// TestDeltaForged takes no layer of a delta that its set is right about and whose bytes make another layer: neither the
// layer nor its image is there afterwards.
func TestDeltaForged(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	_, first := g.first(t, layerOfVersion(t, 0))
	want := g.near["a.example/web"].putLayer(t, "v1", layerOfVersion(t, 1))
	dir := t.TempDir()
	s := g.export(t, dir, g.inventory(t))
	if len(s.Deltas) != 1 {
		t.Fatalf("%+v", s.Deltas)
	}
	refused := 0
	for n := range 16 {
		forged := t.TempDir()
		remake(t, dir, forged, s, s.Deltas[0].Encoder, func(d []byte) []byte {
			d = bytes.Clone(d)
			parts := bytes.IndexByte(d, '}') // behind the header, somewhere in the description or the patch
			d[parts+(len(d)-parts-1)*(2*n+1)/32] ^= 1 << (n % 8)
			return d
		})
		_, err := Verify(t.Context(), forged, ReadOptions{})
		check(t, err)
		there := *g
		there.far = world{}
		check(t, there.load(t, first))
		if err = there.load(t, forged); err == nil {
			continue // a bit that does not count, such as the last ones of a range coder
		}
		refused++
		if !strings.Contains(err.Error(), string(want)) {
			t.Errorf("flip %d: %v", n, err)
		}
		missing, err := there.far["web"].MissingBlobs(t.Context(), []content.Descriptor{{Digest: want}})
		check(t, err)
		if _, err := there.far["web"].Resolve(t.Context(), "v1"); len(missing) != 1 || !errors.Is(err, content.ErrNotFound) {
			t.Errorf("flip %d: the layer is there, or the image: %v", n, err)
		}
	}
	if refused < 8 {
		t.Errorf("%d of 16 were refused", refused)
	}
}

// TestDeltaBasesAreNeeded refuses a set whose deltas have bases that it does not ask the destination for, so that a
// missing one would show late, and two deltas of one layer.
func TestDeltaBasesAreNeeded(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	base, _ := g.first(t, layerOfVersion(t, 0))
	layer := g.near["a.example/web"].putLayer(t, "v1", layerOfVersion(t, 1))
	dir := t.TempDir()
	s := g.export(t, dir, g.inventory(t))
	for name, c := range map[string]struct {
		change func(s *Set)
		want   string
	}{
		"not asked for":         {func(s *Set) { s.Needs = nil }, string(base)},
		"of another repository": {func(s *Set) { s.Deltas[0].Bases[0].Name = "secret/db" }, string(base)},
		"of another size":       {func(s *Set) { s.Deltas[0].Bases[0].Size++ }, string(base)},
		"the layer itself":      {func(s *Set) { s.Deltas[0].Bases[0].Digest = s.Deltas[0].Layer }, string(layer)},
		"two of one layer":      {func(s *Set) { s.Deltas = append(s.Deltas, s.Deltas[0]) }, string(layer)},
		"too many bases":        {func(s *Set) { s.Deltas[0].Bases = slices.Repeat(s.Deltas[0].Bases, 5) }, string(layer)},
	} {
		changed := s
		changed.Needs = slices.Clone(s.Needs)
		changed.Deltas = slices.Clone(s.Deltas)
		changed.Deltas[0].Bases = slices.Clone(s.Deltas[0].Bases)
		c.change(&changed)
		check(t, changed.write(dir, nil))
		if _, err := Open(dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Verify(t.Context(), dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s is verified: %v", name, err)
		}
	}
	check(t, s.write(dir, nil))
	check(t, g.load(t, dir))
}

// changeHeader replaces text in the header of a delta.
func changeHeader(t *testing.T, d []byte, from, to string) []byte {
	t.Helper()
	const magic = "ecrkit delta 1\n"
	head := len(magic) + 4
	size := int(d[head-4])<<24 | int(d[head-3])<<16 | int(d[head-2])<<8 | int(d[head-1])
	if !bytes.Contains(d[head:head+size], []byte(from)) {
		t.Fatalf("%q is not in %s", from, d[head:head+size])
	}
	header := bytes.Replace(d[head:head+size], []byte(from), []byte(to), 1)
	out := append([]byte(magic), byte(len(header)>>24), byte(len(header)>>16), byte(len(header)>>8), byte(len(header)))
	return append(append(out, header...), d[head+size:]...)
}

// remake writes a set again with another delta, and all digests as they are then: whoever makes a set can do that.
func remake(t *testing.T, from, to string, s Set, encoder string, change func(d []byte) []byte) {
	t.Helper()
	in, err := os.Open(filepath.Join(from, tarFile))
	check(t, err)
	defer in.Close() // opened for reading
	old := blobName(s.Deltas[0].Delta)
	s.Deltas = slices.Clone(s.Deltas)
	var out, headers bytes.Buffer
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		data, err := io.ReadAll(r)
		check(t, err)
		if h.Name == old {
			data = change(data)
			s.Deltas[0].Delta, s.Deltas[0].Bytes, s.Deltas[0].Encoder = digest.FromBytes(data), int64(len(data)), encoder
			h.Name = blobName(s.Deltas[0].Delta)
		}
		header, err := headerOf(h.Name, int64(len(data)))
		check(t, err)
		headers.Write(header)
		out.Write(header)
		out.Write(data)
		out.Write(make([]byte, (block-len(data)%block)%block))
	}
	out.Write(make([]byte, 2*block))
	check(t, writeIdentity(&headers, s.Images, len(s.Deltas)))
	s.ID, s.Size = digest.FromBytes(headers.Bytes()), int64(out.Len())
	s.Parts = []SetPart{{tarFile, s.Size, digest.FromBytes(out.Bytes())}}
	check(t, os.WriteFile(filepath.Join(to, tarFile), out.Bytes(), 0o600))
	check(t, s.write(to, nil))
}
