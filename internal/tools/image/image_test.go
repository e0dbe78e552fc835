package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/index"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

var (
	standIns = []binary{{"amd64", []byte("program for amd64")}, {"arm64", []byte("program for arm64")}}
	built    = source{version: "1.2.3", revision: "0123abc", time: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)}
)

func TestImage(t *testing.T) {
	t.Parallel()
	ctx, out := t.Context(), filepath.Join(t.TempDir(), "dist", "image")
	sizes, err := write(ctx, out, standIns, built)
	if err != nil {
		t.Fatal(err)
	}
	l := layout.New(out)
	if entries, err := l.Index(); err != nil || len(entries) != 1 || entries[0].Annotations[ocispec.AnnotationRefName] != "local" {
		t.Errorf("index.json has %+v, %v; want the index as local, and nothing else", entries, err)
	}
	x, err := index.Open(ctx, l, tag)
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for i, entry := range x.Entries() {
		platforms = append(platforms, entry.Platform.OS+"/"+entry.Platform.Architecture)
		image, config := read(t, l, entry)
		if len(image.Layers) != 1 || image.Layers[0].Size != sizes[i] || image.Layers[0].MediaType != ocispec.MediaTypeImageLayerGzip {
			t.Fatalf("layers of %s are %+v; want one of %d bytes", platforms[i], image.Layers, sizes[i])
		}
		archive, err := gzip.NewReader(bytes.NewReader(blob(t, l, image.Layers[0])))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if want := []digest.Digest{digest.FromBytes(data)}; !slices.Equal(config.RootFS.DiffIDs, want) {
			t.Errorf("diff IDs are %v, want %v", config.RootFS.DiffIDs, want)
		}
		want := []string{
			"drwx------ 65532:65532 data/ ",
			fmt.Sprintf("-rwxr-xr-x 0:0 ecrkit %s", standIns[i].data),
			"dtrwxrwxrwx 0:0 tmp/ ",
		}
		if got := list(t, data); !slices.Equal(got, want) {
			t.Errorf("layer of %s has\n%q\nwant\n%q", platforms[i], got, want)
		}
		if config.OS+"/"+config.Architecture != platforms[i] || !config.Created.Equal(built.time) {
			t.Errorf("config is for %s/%s, created %v", config.OS, config.Architecture, config.Created)
		}
		wantConfig := dockerspec.DockerOCIImageConfig{ImageConfig: ocispec.ImageConfig{
			User:         "65532:65532",
			Entrypoint:   []string{"/ecrkit", "local", "--addr", "0.0.0.0:4510", "--download-addr", "0.0.0.0:4512", "--data", "/data"},
			WorkingDir:   "/",
			ExposedPorts: map[string]struct{}{"4510/tcp": {}, "4512/tcp": {}},
			Labels:       built.labels(),
		}}
		wantConfig.Healthcheck = &dockerspec.HealthcheckConfig{
			Test: []string{"CMD", "/ecrkit", "local", "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second,
			StartPeriod: 30 * time.Second, StartInterval: time.Second, Retries: 3,
		}
		if !reflect.DeepEqual(config.Config, wantConfig) {
			t.Errorf("config of %s is\n%+v\nwant\n%+v", platforms[i], config.Config, wantConfig)
		}
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("platforms are %v, want %v", platforms, want)
	}
	for name, want := range map[string]string{ocispec.AnnotationVersion: "1.2.3", ocispec.AnnotationRevision: "0123abc", ocispec.AnnotationCreated: "2026-11-22T01:02:03Z"} {
		if got := built.labels()[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
}

func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if _, err := write(t.Context(), filepath.Join(dir, name), standIns, built); err != nil {
			t.Fatal(err)
		}
	}
	a, b := tree(t, filepath.Join(dir, "a")), tree(t, filepath.Join(dir, "b"))
	if len(a) < 9 || !reflect.DeepEqual(a, b) {
		t.Errorf("two builds of the same binaries differ, or are not complete: %d and %d files", len(a), len(b))
	}
}

func TestReplacesALayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, fresh := filepath.Join(dir, "out"), filepath.Join(dir, "fresh")
	older := []binary{{"amd64", []byte("older")}, {"arm64", []byte("older")}}
	for _, w := range []struct {
		out      string
		binaries []binary
	}{{out, older}, {out, standIns}, {fresh, standIns}} {
		if _, err := write(t.Context(), w.out, w.binaries, built); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := tree(t, out), tree(t, fresh); !reflect.DeepEqual(got, want) {
		t.Errorf("the layout that was replaced has %d files, a new one %d", len(got), len(want))
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("beside the layouts there is %v, %v", entries, err)
	}
}

func TestKeepsWhatIsNoLayout(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	note := filepath.Join(out, "note")
	if err := os.WriteFile(note, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := write(t.Context(), out, standIns, built); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v, want one for an existing directory", err)
	}
	if got := tree(t, out); len(got) != 1 || got["note"] != "mine" {
		t.Errorf("the directory has %v", got)
	}
}

// read returns the manifest and the config of an image.
func read(t *testing.T, l *layout.Layout, d content.Descriptor) (image ocispec.Manifest, config dockerspec.DockerOCIImage) {
	t.Helper()
	manifests, err := l.Manifests(t.Context(), []content.Descriptor{d})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(manifests[0].Content, &image); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blob(t, l, image.Config), &config); err != nil {
		t.Fatal(err)
	}
	return image, config
}

func blob(t *testing.T, l *layout.Layout, d content.Descriptor) []byte {
	t.Helper()
	r, err := l.Blob(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if digest.FromBytes(data) != d.Digest {
		t.Errorf("blob %s has other content", d.Digest)
	}
	return data
}

// list returns mode, owner, name and content of each file in a tar.
func list(t *testing.T, archive []byte) (files []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(built.time) {
			t.Errorf("%s is of %v, want %v", h.Name, h.ModTime, built.time)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fmt.Sprintf("%v %d:%d %s %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Name, data))
	}
}

// tree returns the content of every file below dir by its path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
