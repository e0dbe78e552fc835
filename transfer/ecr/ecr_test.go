package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestPushPull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, index := fixture.Layout(t, 3)
	opts := transfer.Options{Reference: "index", Tags: []string{"1.0"}}

	pushed := mustCopy(t, layout.New(src), w.repository("app"), opts)
	if pushed.Digest != fixture.DigestOf(t, index) || pushed.BlobsSent != 8 || pushed.BlobsSkipped != 0 || pushed.MediaType != content.ManifestMediaTypes()[1] {
		t.Errorf("push: %+v", pushed)
	}
	// The least that the ECR API can do with: one check, three calls a blob, one a manifest.
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 8, "UploadLayerPart": 8, "CompleteLayerUpload": 8, "PutImage": 3})

	again := mustCopy(t, layout.New(src), w.repository("app"), opts)
	if again.BlobsSent != 0 || again.BytesSkipped != pushed.BytesSent {
		t.Errorf("second push: %+v", again)
	}
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "BatchGetImage": 1})

	for _, reference := range []string{"1.0", string(pushed.Digest)} {
		dst := filepath.Join(t.TempDir(), "dst")
		pulled := mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: reference, Tags: []string{"x"}})
		if pulled.Digest != pushed.Digest || pulled.BlobsSent != 8 || pulled.BytesSent != pushed.BytesSent {
			t.Errorf("pull: %+v", pulled)
		}
		fixture.ValidateLayout(t, dst)
		// All children in one call.
		w.ExpectCalls(map[string]int{"BatchGetImage": 2, "GetDownloadUrlForLayer": 8, "GET /layers/{digest}": 8})
	}

	w.Create("other", types.ImageTagMutabilityMutable)
	copied := mustCopy(t, w.repository("app"), w.repository("other"), transfer.Options{Reference: "1.0", Tags: []string{"a", "b"}})
	if copied.Digest != pushed.Digest {
		t.Errorf("copy: %+v", copied)
	}
	for _, tag := range copied.Tags {
		m, err := w.repository("other").Resolve(t.Context(), tag)
		fixture.Check(t, err)
		if m.Descriptor.Digest != pushed.Digest {
			t.Errorf("%s is %s", tag, m.Descriptor.Digest)
		}
	}
}

func TestPushDockerImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	image, err := random.Image(100, 1)
	fixture.Check(t, err)
	image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.DockerManifestSchema2), ggcrtypes.DockerConfigJSON)
	src := filepath.Join(t.TempDir(), "src")
	p, err := ggcrlayout.Write(src, fixture.EmptyIndex(t))
	fixture.Check(t, err)
	fixture.Check(t, p.AppendImage(image))
	result := mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{})
	if result.Digest != fixture.DigestOf(t, image) || result.MediaType != content.MediaTypeDockerManifest || len(result.Tags) != 0 {
		t.Errorf("push: %+v", result)
	}
	m, err := w.repository("app").Resolve(t.Context(), string(result.Digest))
	fixture.Check(t, err)
	want, err := image.RawManifest()
	fixture.Check(t, err)
	if string(m.Content) != string(want) {
		t.Error("the manifest is not the same, byte for byte")
	}
}

// TestPushManyLayers goes over the 100 digests that one call takes.
func TestPushManyLayers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _ := fixture.NewImage(t, make([]int64, 120)...)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Tags: []string{"x"}})
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 2, "InitiateLayerUpload": 121, "UploadLayerPart": 121, "CompleteLayerUpload": 121, "PutImage": 1})
}

// TestManyManifests goes over the 100 images that one call takes.
func TestManyManifests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	image := fixture.Image(t, 10)
	var children []mutate.IndexAddendum
	for i := range 101 {
		children = append(children, mutate.IndexAddendum{Add: mutate.Annotations(image, map[string]string{"number": fmt.Sprint(i)}).(v1.Image)})
	}
	index := mutate.AppendManifests(empty.Index, children...)
	src := filepath.Join(t.TempDir(), "src")
	p, err := ggcrlayout.Write(src, fixture.EmptyIndex(t))
	fixture.Check(t, err)
	fixture.Check(t, p.AppendIndex(index))
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Tags: []string{"x"}})
	w.Calls.Reset()
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x"})
	if n := w.Calls.Count("BatchGetImage"); n != 3 {
		t.Errorf("%d calls of BatchGetImage", n)
	}
	fixture.ValidateLayout(t, dst)
}

func TestPushLayerInParts(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.PartSize = minPartSize
	w := newWorld(t, localecr.Options{Limits: &limits})
	src, _ := fixture.NewImage(t, 2*minPartSize+1)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Tags: []string{"x"}})
	if n := w.Calls.Count("UploadLayerPart"); n != 1+3 {
		t.Errorf("%d parts", n)
	}
	mustCopy(t, w.repository("app"), layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "x"})
}

func TestPartSize(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, tt := range []struct{ proposed, size, want int64 }{
		{10 * mib, 1, 1},
		{10 * mib, 10 * mib, 10 * mib},
		{10 * mib, 11 * mib, 10 * mib},
		{0, 100 * mib, 10 * mib},
		{1, 100 * mib, 10 * mib},
		{-5, 100 * mib, 10 * mib},
		{1 << 62, 100 * mib, 10 * mib},
		{20 * mib, 100 * mib, 20 * mib},
		{10 * mib, 42000 * mib, 10 * mib},
		{10 * mib, 42000*mib + 1, 10*mib + 1},
		{10 * mib, 52000 * mib, (52000*mib + maxParts - 1) / maxParts},
		{10 * mib, 1 << 50, 20 * mib},
	} {
		got := partSize(tt.proposed, tt.size)
		if got != tt.want {
			t.Errorf("partSize(%d, %d) = %d, want %d", tt.proposed, tt.size, got, tt.want)
		}
		if parts := (tt.size + got - 1) / got; tt.size <= 52000*mib && parts > maxParts {
			t.Errorf("partSize(%d, %d): %d parts", tt.proposed, tt.size, parts)
		}
	}
}

func TestRepositoryMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	want := "repository none does not exist in 000000000000/us-east-1"
	_, err := transfer.Copy(fixture.Context(t), layout.New(src), w.repository("none"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if !errors.Is(err, content.ErrNotFound) || err.Error() != want {
		t.Errorf("push: %v", err)
	}
	// The second is whether Amazon ECR creates it.
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 1})
	_, err = transfer.Copy(fixture.Context(t), w.repository("none"), layout.New(filepath.Join(t.TempDir(), "d")), transfer.Options{Reference: "x"})
	if !errors.Is(err, content.ErrNotFound) || err.Error() != want {
		t.Errorf("pull: %v", err)
	}
}

func TestImageMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	dst := filepath.Join(t.TempDir(), "d")
	for _, reference := range []string{"none", someSHA} {
		_, err := transfer.Copy(fixture.Context(t), w.repository("app"), layout.New(dst), transfer.Options{Reference: reference})
		if !errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), reference) || !strings.Contains(err.Error(), w.Registry.Host+"/app") {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the directory: %v", err)
	}
}

func TestImmutableTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	w.Create("fixed", types.ImageTagMutabilityImmutable)
	src, image, index := fixture.Layout(t, 1)
	push := func(reference string) error {
		_, err := transfer.Copy(fixture.Context(t), layout.New(src), w.repository("fixed"), transfer.Options{Reference: reference, Tags: []string{"1.0"}})
		return err
	}
	fixture.Check(t, push("image"))
	fixture.Check(t, push("image")) // the same image is no conflict
	err := push("index")
	var conflict *content.ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, content.ErrConflict) {
		t.Fatalf("got %v", err)
	}
	if conflict.Have != fixture.DigestOf(t, image) || conflict.Want != fixture.DigestOf(t, index) || !strings.Contains(err.Error(), "fixed:1.0") {
		t.Errorf("got %v", err)
	}
}

func TestPushEmptyLayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src := layout.New(filepath.Join(t.TempDir(), "src"))
	layer := content.Descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: someSHA}
	config := content.Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest.FromString("{}"), Size: 2}
	fixture.Check(t, src.PutBlob(t.Context(), layer, strings.NewReader("")))
	fixture.Check(t, src.PutBlob(t.Context(), config, strings.NewReader("{}")))
	doc, err := json.Marshal(map[string]any{"schemaVersion": 2, "config": config, "layers": []content.Descriptor{layer}})
	fixture.Check(t, err)
	fixture.Check(t, src.PutTagged(t.Context(), content.Manifest{Content: doc, Descriptor: content.Descriptor{
		MediaType: content.ManifestMediaTypes()[0], Digest: digest.FromBytes(doc), Size: int64(len(doc)),
	}}, ""))
	_, err = transfer.Copy(fixture.Context(t), src, w.repository("app"), transfer.Options{Tags: []string{"x"}})
	if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "takes no empty layer") {
		t.Errorf("got %v", err)
	}
}

// TestPushDamagedSource has the local layout damaged: nothing may be tagged.
func TestPushDamagedSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image, _ := fixture.Layout(t, 1)
	layers, err := image.Layers()
	fixture.Check(t, err)
	file := fixture.BlobFile(src, fixture.DigestOf(t, layers[0]))
	data, err := os.ReadFile(file)
	fixture.Check(t, err)
	data[0] ^= 1
	fixture.Check(t, os.WriteFile(file, data, 0o666))
	_, err = transfer.Copy(fixture.Context(t), layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), src+": blob sha256:") || strings.Contains(err.Error(), "repository app") {
		t.Errorf("got %v", err)
	}
	if w.Calls.Count("PutImage") != 0 {
		t.Error("a manifest was put")
	}
}

func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 4)
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			_, err := transfer.Copy(fixture.Context(t), layout.New(src), w.repository("app"), transfer.Options{Reference: "index", Tags: []string{fmt.Sprint(i)}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestGetRefusesOtherURLs(t *testing.T) {
	t.Parallel()
	e := &Repository{}
	for _, u := range []string{"", "file:///etc/passwd", "ftp://x/y", "http://", "::"} {
		if _, err := e.get(t.Context(), u, ""); err == nil || !strings.Contains(err.Error(), "not an http(s) URL") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// TestLayerRequest checks what goes to the store of the layers, which refuses
// requests with an Authorization header.
func TestLayerRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	e := w.repository("app")
	body, err := e.Blob(t.Context(), content.Descriptor{Digest: digest.Digest(someLayer(t, w))})
	fixture.Check(t, err)
	_, err = io.Copy(io.Discard, body)
	fixture.Check(t, err)
	fixture.Check(t, body.Close())
	_, err = e.Blob(t.Context(), content.Descriptor{Digest: someSHA})
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("unknown layer: %v", err)
	}
}
