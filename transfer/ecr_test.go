package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// world is a local ECR with the repository "app".
type world struct {
	t        *testing.T
	server   *localecr.Server
	calls    *localecr.Recorder
	registry auth.Registry
	cfg      aws.Config
}

func newWorld(t *testing.T, options localecr.Options) *world {
	t.Helper()
	calls := &localecr.Recorder{}
	options.Audit = calls
	server, err := localecr.New(options)
	check(t, err)
	server.Start(t)
	none := filepath.Join(t.TempDir(), "none")
	environment := append(server.Env(), "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none, "AWS_PROFILE=", "AWS_SESSION_TOKEN=", "AWS_CA_BUNDLE=")
	for _, e := range environment {
		key, value, _ := strings.Cut(e, "=")
		t.Setenv(key, value)
	}
	mapping, err := auth.ParseMapping(os.Getenv(auth.MappingVariable))
	check(t, err)
	registry, err := auth.ParseRegistry(server.Registry, mapping)
	check(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg, err := auth.AWS{HTTPClient: &http.Client{Transport: transport}}.Config(t.Context(), registry)
	check(t, err)
	w := &world{t, server, calls, registry, cfg}
	w.create("app", types.ImageTagMutabilityMutable)
	calls.Reset()
	return w
}

func (w *world) create(name string, mutability types.ImageTagMutability) {
	w.t.Helper()
	_, err := auth.NewClient(w.cfg, w.registry).CreateRepository(w.t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName: &name, ImageTagMutability: mutability,
	})
	check(w.t, err)
}

func (w *world) repository(name string) *ECR {
	e := NewECR(w.cfg, w.registry, name)
	e.Limits = &Limits{Rates: map[string]float64{}} // the local ECR has no quotas unless the test sets some
	e.patience.throttled, e.patience.pause = time.Second, 5*time.Millisecond
	return e
}

// expectCalls compares the numbers of calls since the last time.
func (w *world) expectCalls(want map[string]int) {
	w.t.Helper()
	got := map[string]int{}
	for _, c := range w.calls.Calls() {
		got[c.Op]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("calls %v, want %v", got, want)
	}
	w.calls.Reset()
}

func TestPushPull(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, index := newFixture(t, 3)
	opts := Options{Reference: "index", Tags: []string{"1.0"}}

	pushed := mustCopy(t, NewLayout(src), w.repository("app"), opts)
	if pushed.Digest != digestOf(t, index) || pushed.BlobsSent != 8 || pushed.BlobsSkipped != 0 || pushed.MediaType != manifestMediaTypes()[1] {
		t.Errorf("push: %+v", pushed)
	}
	// The least that the ECR API can do with: one check, three calls a blob, one a manifest.
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 8, "UploadLayerPart": 8, "CompleteLayerUpload": 8, "PutImage": 3})

	again := mustCopy(t, NewLayout(src), w.repository("app"), opts)
	if again.BlobsSent != 0 || again.BytesSkipped != pushed.BytesSent {
		t.Errorf("second push: %+v", again)
	}
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "BatchGetImage": 1})

	for _, reference := range []string{"1.0", string(pushed.Digest)} {
		dst := filepath.Join(t.TempDir(), "dst")
		pulled := mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: reference, Tags: []string{"x"}})
		if pulled.Digest != pushed.Digest || pulled.BlobsSent != 8 || pulled.BytesSent != pushed.BytesSent {
			t.Errorf("pull: %+v", pulled)
		}
		validateLayout(t, dst)
		// All children in one call.
		w.expectCalls(map[string]int{"BatchGetImage": 2, "GetDownloadUrlForLayer": 8, "GET /layers/{digest}": 8})
	}

	w.create("other", types.ImageTagMutabilityMutable)
	copied := mustCopy(t, w.repository("app"), w.repository("other"), Options{Reference: "1.0", Tags: []string{"a", "b"}})
	if copied.Digest != pushed.Digest {
		t.Errorf("copy: %+v", copied)
	}
	for _, tag := range copied.Tags {
		m, err := w.repository("other").Resolve(t.Context(), tag)
		check(t, err)
		if m.Descriptor.Digest != pushed.Digest {
			t.Errorf("%s is %s", tag, m.Descriptor.Digest)
		}
	}
}

func TestPushDockerImage(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	image, err := random.Image(100, 1)
	check(t, err)
	image = mutate.ConfigMediaType(mutate.MediaType(image, ggcrtypes.DockerManifestSchema2), ggcrtypes.DockerConfigJSON)
	src := filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(src, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image))
	result := mustCopy(t, NewLayout(src), w.repository("app"), Options{})
	if result.Digest != digestOf(t, image) || result.MediaType != mediaTypeDockerManifest || len(result.Tags) != 0 {
		t.Errorf("push: %+v", result)
	}
	m, err := w.repository("app").Resolve(t.Context(), string(result.Digest))
	check(t, err)
	want, err := image.RawManifest()
	check(t, err)
	if string(m.Content) != string(want) {
		t.Error("the manifest is not the same, byte for byte")
	}
}

// TestPushManyLayers goes over the 100 digests that one call takes.
func TestPushManyLayers(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	image, err := random.Image(10, 120)
	check(t, err)
	src := filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(src, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image))
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Tags: []string{"x"}})
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 2, "InitiateLayerUpload": 121, "UploadLayerPart": 121, "CompleteLayerUpload": 121, "PutImage": 1})
}

// TestManyManifests goes over the 100 images that one call takes.
func TestManyManifests(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	index, err := random.Index(10, 1, 101)
	check(t, err)
	src := filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(src, emptyIndex(t))
	check(t, err)
	check(t, p.AppendIndex(index))
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Tags: []string{"x"}})
	w.calls.Reset()
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "x"})
	if n := w.calls.Count("BatchGetImage"); n != 3 {
		t.Errorf("%d calls of BatchGetImage", n)
	}
	validateLayout(t, dst)
}

func TestPushLayerInParts(t *testing.T) {
	limits := localecr.DefaultLimits()
	limits.PartSize = minPartSize
	w := newWorld(t, localecr.Options{Limits: &limits})
	image, err := random.Image(2*minPartSize+1, 1)
	check(t, err)
	src := filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(src, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image))
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Tags: []string{"x"}})
	if n := w.calls.Count("UploadLayerPart"); n != 1+3 {
		t.Errorf("%d parts", n)
	}
	mustCopy(t, w.repository("app"), NewLayout(filepath.Join(t.TempDir(), "dst")), Options{Reference: "x"})
}

func TestPartSize(t *testing.T) {
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
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	want := "repository none does not exist in 000000000000/us-east-1; create it with `ecrkit repo create " + w.registry.Host + "/none`, or push with --create-repository"
	_, err := Copy(t.Context(), NewLayout(src), w.repository("none"), Options{Reference: "image", Tags: []string{"x"}})
	if !errors.Is(err, ErrNotFound) || err.Error() != want {
		t.Errorf("push: %v", err)
	}
	// The second is whether Amazon ECR creates it.
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1, "InitiateLayerUpload": 1})
	_, err = Copy(t.Context(), w.repository("none"), NewLayout(filepath.Join(t.TempDir(), "d")), Options{Reference: "x"})
	if !errors.Is(err, ErrNotFound) || err.Error() != want {
		t.Errorf("pull: %v", err)
	}
}

func TestImageMissing(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dst := filepath.Join(t.TempDir(), "d")
	for _, reference := range []string{"none", someSHA} {
		_, err := Copy(t.Context(), w.repository("app"), NewLayout(dst), Options{Reference: reference})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), reference) || !strings.Contains(err.Error(), w.registry.Host+"/app") {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the directory: %v", err)
	}
}

func TestImmutableTag(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("fixed", types.ImageTagMutabilityImmutable)
	src, image, index := newFixture(t, 1)
	push := func(reference string) error {
		_, err := Copy(t.Context(), NewLayout(src), w.repository("fixed"), Options{Reference: reference, Tags: []string{"1.0"}})
		return err
	}
	check(t, push("image"))
	check(t, push("image")) // the same image is no conflict
	err := push("index")
	var conflict *ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, ErrConflict) {
		t.Fatalf("got %v", err)
	}
	if conflict.Have != digestOf(t, image) || conflict.Want != digestOf(t, index) || !strings.Contains(err.Error(), "fixed:1.0") {
		t.Errorf("got %v", err)
	}
}

func TestPushEmptyLayer(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src := NewLayout(filepath.Join(t.TempDir(), "src"))
	layer := Descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: someSHA}
	config := Descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest.FromString("{}"), Size: 2}
	check(t, src.PutBlob(t.Context(), layer, strings.NewReader("")))
	check(t, src.PutBlob(t.Context(), config, strings.NewReader("{}")))
	doc, err := json.Marshal(map[string]any{"schemaVersion": 2, "config": config, "layers": []Descriptor{layer}})
	check(t, err)
	check(t, src.PutTagged(t.Context(), Manifest{Content: doc, Descriptor: Descriptor{
		MediaType: manifestMediaTypes()[0], Digest: digest.FromBytes(doc), Size: int64(len(doc)),
	}}, ""))
	_, err = Copy(t.Context(), src, w.repository("app"), Options{Tags: []string{"x"}})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "takes no empty layer") {
		t.Errorf("got %v", err)
	}
}

// TestPushDamagedSource has the local layout damaged: nothing may be tagged.
func TestPushDamagedSource(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := newFixture(t, 1)
	layers, err := image.Layers()
	check(t, err)
	file := blobFile(src, digestOf(t, layers[0]))
	data, err := os.ReadFile(file)
	check(t, err)
	data[0] ^= 1
	check(t, os.WriteFile(file, data, 0o666))
	_, err = Copy(t.Context(), NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	if !errors.Is(err, ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	if w.calls.Count("PutImage") != 0 {
		t.Error("a manifest was put")
	}
}

func TestConcurrentPushes(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 4)
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			_, err := Copy(t.Context(), NewLayout(src), w.repository("app"), Options{Reference: "index", Tags: []string{fmt.Sprint(i)}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestGetRefusesOtherURLs(t *testing.T) {
	e := &ECR{}
	for _, u := range []string{"", "file:///etc/passwd", "ftp://x/y", "http://", "::"} {
		if _, err := e.get(t.Context(), u, ""); err == nil || !strings.Contains(err.Error(), "not an http(s) URL") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// TestLayerRequest checks what goes to the store of the layers, which refuses
// requests with an Authorization header.
func TestLayerRequest(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	e := w.repository("app")
	body, err := e.Blob(t.Context(), Descriptor{Digest: digest.Digest(someLayer(t, w))})
	check(t, err)
	_, err = io.Copy(io.Discard, body)
	check(t, err)
	check(t, body.Close())
	_, err = e.Blob(t.Context(), Descriptor{Digest: someSHA})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown layer: %v", err)
	}
}
