package media

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/internal/test/layers"
	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// layerOfVersion is a layer of twelve files, of which one differs from version to version.
func layerOfVersion(t *testing.T, version int) []byte {
	t.Helper()
	plain, err := layers.Tar(version, 400)
	check(t, err)
	layer, err := layers.Compress(plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) })
	check(t, err)
	return layer
}

// framesOfVersion is the same with a zstd frame for each file, as zstd:chunked is written.
func framesOfVersion(t *testing.T, version int) (layer []byte) {
	t.Helper()
	plain, err := layers.Tar(version, 400)
	check(t, err)
	for i := 11; i >= 0; i-- {
		at := bytes.Index(plain, fmt.Appendf(nil, "etc/conf%d\x00", i))
		frame, err := layers.Compress(plain[at:], func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) })
		check(t, err)
		layer, plain = append(frame, layer...), plain[:at]
	}
	return layer
}

// putLayer stores an image of one layer and returns the layer's digest.
func (r *repository) putLayer(t *testing.T, tag string, layer []byte) digest.Digest {
	t.Helper()
	put := func(mediaType string, data []byte) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		check(t, r.PutBlob(t.Context(), d, bytes.NewReader(data)))
		return d
	}
	mediaType := ocispec.MediaTypeImageLayerGzip
	if bytes.HasPrefix(layer, []byte("\x28\xb5\x2f\xfd")) {
		mediaType = ocispec.MediaTypeImageLayerZstd
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: put(ocispec.MediaTypeImageConfig, []byte(`{"v":"`+tag+`"}`)),
		Layers: []content.Descriptor{put(mediaType, layer)}}
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	check(t, err)
	check(t, r.PutTagged(t.Context(), content.Manifest{Descriptor: content.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, Content: data}, tag))
	r.tags = append(r.tags, tag)
	return m.Layers[0].Digest
}

// gap is two sides, and what is carried from one to the other.
type gap struct {
	near, far world
	config    mirror.Config
	temp      string
	tried     []LayerDelta
	wrong     digest.Digest // a base that the far side has with other bytes
}

func newGap(t *testing.T) *gap {
	return &gap{near: world{"a.example/web": {Store: memory.New("web")}}, far: world{},
		config: mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}, temp: t.TempDir()}
}

func (g *gap) inventory(t *testing.T) inventory.Inventory {
	t.Helper()
	v, err := TakeInventory(t.Context(), mirror.Config{Images: []mirror.ImageRules{{From: "far/web", Name: "web"}}}, renamed{g.far}, mirror.Options{})
	check(t, err)
	return v
}

func (g *gap) export(t *testing.T, dir string, have ...inventory.Inventory) Set {
	t.Helper()
	g.tried = nil
	s, err := Export(t.Context(), g.config, g.near, dir, ExportOptions{Have: have, Delta: &DeltaOptions{TempDir: g.temp, Report: func(d LayerDelta) { g.tried = append(g.tried, d) }}})
	check(t, err)
	return s
}

func (g *gap) load(t *testing.T, dir string) error {
	t.Helper()
	r, err := Open(dir, ReadOptions{})
	check(t, err)
	defer func() { check(t, r.Close()) }()
	target := func(ctx context.Context, name string) (content.Target, error) { return g.far.Target(ctx, name) }
	if err := r.CheckNeeds(t.Context(), target); err != nil {
		return err
	}
	if err := r.CheckDeltas(t.Context()); err != nil {
		return err
	}
	r.UseDestination(g.temp, func(ctx context.Context, name string) (content.Source, error) {
		src, err := g.far.Source(ctx, name)
		return wrongBlob{src, g.wrong}, err
	})
	src, err := r.Repository("a.example/web")
	check(t, err)
	for _, image := range r.Images {
		dst, err := g.far.Target(t.Context(), image.Name)
		check(t, err)
		if _, err := transfer.Copy(t.Context(), src, dst, transfer.Options{Reference: string(image.Digest), Tags: image.Tags}); err != nil {
			return err
		}
		for _, tag := range image.Tags {
			if !slices.Contains(g.far[image.Name].tags, tag) {
				g.far[image.Name].tags = append(g.far[image.Name].tags, tag)
			}
		}
	}
	return nil
}

// TestDeltas carries two versions across, each as a delta against the one before it.
func TestDeltas(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	web := g.near["a.example/web"]
	web.putLayer(t, "v0", layerOfVersion(t, 0))
	first := t.TempDir()
	_, err := Export(t.Context(), g.config, g.near, first, ExportOptions{})
	check(t, err)
	check(t, g.load(t, first))
	for n := 1; n <= 2; n++ {
		layer := layerOfVersion(t, n)
		d := web.putLayer(t, fmt.Sprint("v", n), layer)
		dir := t.TempDir()
		s := g.export(t, dir, g.inventory(t))
		if len(s.Deltas) != 1 || s.Deltas[0].Layer != d || len(s.Deltas[0].Bases) == 0 || s.Deltas[0].Encoder != "go-1" {
			t.Fatalf("version %d: %+v", n, s.Deltas)
		}
		if s.Deltas[0].Bytes*5 > int64(len(layer)) {
			t.Errorf("version %d: %d bytes for a layer of %d", n, s.Deltas[0].Bytes, len(layer))
		}
		again := t.TempDir()
		if other := g.export(t, again, g.inventory(t)); other.ID != s.ID || other.Parts[0].Digest != s.Parts[0].Digest {
			t.Errorf("version %d: the same images made other bytes", n)
		}
		if _, err := Verify(t.Context(), dir, ReadOptions{}); err != nil {
			t.Error(err)
		}
		check(t, g.load(t, dir))
		in, err := g.far["web"].Blob(t.Context(), content.Descriptor{Digest: d, Size: int64(len(layer))})
		check(t, err)
		got, err := io.ReadAll(in)
		check(t, err)
		if !bytes.Equal(got, layer) {
			t.Errorf("version %d: the layer is not the same", n)
		}
	}
	if left, _ := os.ReadDir(g.temp); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// TestDeltaRefused writes nothing where a base is missing, and carries layers whole that could not be
// rebuilt there.
func TestDeltaRefused(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	web := g.near["a.example/web"]
	base := web.putLayer(t, "v0", layerOfVersion(t, 0))
	first := t.TempDir()
	_, err := Export(t.Context(), g.config, g.near, first, ExportOptions{})
	check(t, err)
	check(t, g.load(t, first))
	web.putLayer(t, "v1", layerOfVersion(t, 1))
	have := g.inventory(t)
	dir := t.TempDir()
	if s := g.export(t, dir, have); len(s.Deltas) != 1 || !slices.Contains(s.Needs, s.Deltas[0].Bases[0]) || s.Deltas[0].Bases[0].Digest != base {
		t.Fatalf("%+v", s)
	}
	elsewhere := *g
	elsewhere.far = world{}
	if err := elsewhere.load(t, dir); !errors.Is(err, ErrRequiredBlobs) {
		t.Errorf("without the base: %v", err)
	}
	if n := elsewhere.far["web"].Sent(); n != 0 {
		t.Errorf("%d bytes were written", n)
	}
	for name, deltas := range map[string]*inventory.DeltaSupport{
		"says nothing": nil, "another version": {Version: 2, Encoders: delta.Encoders()},
		"without the encoder": {Version: 1, Encoders: []string{"none", "zlib-6"}},
	} {
		old := have
		old.Deltas = deltas
		if s := g.export(t, t.TempDir(), old); len(s.Deltas) != 0 || len(g.tried) != 1 || g.tried[0].Whole == "" || s.Size < int64(len(layerOfVersion(t, 1))) {
			t.Errorf("an inventory that %s: %+v %+v", name, s.Deltas, g.tried)
		}
	}
}

// TestDeltaDamaged refuses a set whose deltas are damaged, or are of another encoder, before anything is written, and
// writes no image where the base has other bytes than its digest says.
func TestDeltaDamaged(t *testing.T) {
	t.Parallel()
	g := newGap(t)
	web := g.near["a.example/web"]
	base := web.putLayer(t, "v0", layerOfVersion(t, 0))
	first := t.TempDir()
	_, err := Export(t.Context(), g.config, g.near, first, ExportOptions{})
	check(t, err)
	check(t, g.load(t, first))
	layer := web.putLayer(t, "v1", layerOfVersion(t, 1))
	dir := t.TempDir()
	s := g.export(t, dir, g.inventory(t))
	path := filepath.Join(dir, "images.tar")
	good, err := os.ReadFile(path)
	check(t, err)
	at := bytes.Index(good, []byte("ecrkit delta 1"))
	if at < 0 || len(s.Deltas) != 1 {
		t.Fatalf("%+v", s.Deltas)
	}
	sent := g.far["web"].Sent()
	for n := range 24 {
		bad := bytes.Clone(good)
		bad[at+n*int(s.Deltas[0].Bytes)/24] ^= 1 << (n % 8)
		check(t, os.WriteFile(path, bad, 0o600))
		if err := g.load(t, dir); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(layer)) {
			t.Errorf("flip %d: %v", n, err)
		}
	}
	check(t, os.WriteFile(path, good, 0o600))
	changed := s
	changed.Deltas = slices.Clone(s.Deltas)
	for want, change := range map[string]func(d *Delta){
		`it needs the encoder "go-1-new"`: func(d *Delta) { d.Encoder = "go-1-new" },
		"its encoder is go-1":             func(d *Delta) { d.Encoder = "go-6" },
		"other bases":                     func(d *Delta) { d.Bases = nil },
	} {
		changed.Deltas[0] = s.Deltas[0]
		change(&changed.Deltas[0])
		check(t, changed.write(dir, nil))
		if err := g.load(t, dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), string(layer)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if now := g.far["web"].Sent(); now != sent {
		t.Errorf("%d bytes were written", now-sent)
	}
	check(t, s.write(dir, nil))
	g.wrong = base
	if err := g.load(t, dir); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), string(base)) {
		t.Errorf("a base with other bytes: %v", err)
	}
	if _, err := g.far["web"].Resolve(t.Context(), "v1"); err == nil {
		t.Error("the image is there")
	}
	g.wrong = ""
	check(t, g.load(t, dir))
}

// wrongBlob has other bytes in one blob.
type wrongBlob struct {
	content.Source
	digest digest.Digest
}

func (w wrongBlob) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	in, err := w.Source.Blob(ctx, d)
	if err != nil || d.Digest != w.digest {
		return in, err
	}
	defer in.Close() // opened for reading
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	data[len(data)/2] ^= 1
	return io.NopCloser(bytes.NewReader(data)), nil
}
