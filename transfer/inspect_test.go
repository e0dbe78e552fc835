package transfer

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func mustInspect(t *testing.T, src content.Source, reference string, platform *content.Platform) Inspection {
	t.Helper()
	m, err := ReadManifest(t.Context(), src, reference, platform)
	fixture.Check(t, err)
	in, err := Inspect(t.Context(), src, m)
	fixture.Check(t, err)
	return in
}

// TestInspectCalls counts what it takes to look into images of Amazon ECR.
func TestInspectCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, _, _ := fixture.PlatformIndex(t, "linux/amd64", "linux/arm64", "linux/arm/v7")
	e := w.repository("app")
	mustCopy(t, layout.New(dir), e, Options{Tags: []string{"index"}})
	w.Calls.Reset()

	in := mustInspect(t, e, "index", nil)
	w.ExpectCalls(map[string]int{"BatchGetImage": 2})
	if len(in.Images) != 6 || in.Images[2].Platform != "linux/arm64" || in.Images[2].Config == nil || in.Images[2].CreatedAt != nil || in.Images[3].Attests != in.Images[2].Digest {
		t.Errorf("index: %+v", in)
	}
	sum := int64(0)
	for _, i := range in.Images {
		sum += i.Size
	}
	if in.Size > sum || in.Size < in.Images[0].Size {
		t.Errorf("%d bytes of %d", in.Size, sum)
	}

	one := mustInspect(t, e, "index", &content.Platform{OS: "linux", Architecture: "arm64"})
	w.ExpectCalls(map[string]int{"BatchGetImage": 2, "GetDownloadUrlForLayer": 1, "GET /layers/{digest}": 1})
	if one.Digest != in.Images[2].Digest || one.Images[0].Platform != "linux/arm64" || one.Images[0].Execution == nil {
		t.Errorf("image: %+v", one)
	}

	described, err := e.DescribeImage(t.Context(), in.Digest)
	fixture.Check(t, err)
	if len(described.Tags) != 1 || described.Tags[0] != "index" || described.PushedAt == nil {
		t.Errorf("described as %+v", described)
	}
	w.ExpectCalls(map[string]int{"DescribeImages": 1})
	if _, err := e.DescribeImage(t.Context(), someSHA); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadManifest(t.Context(), e, "index", &content.Platform{OS: "linux", Architecture: "arm", Variant: content.AnyVariant}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// historyLayout has an image with a history and one with a step too few.
func historyLayout(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "history")
	p, err := ggcrlayout.Write(dir, fixture.EmptyIndex(t))
	fixture.Check(t, err)
	for tag, history := range map[string][]v1.History{
		"told":   {{CreatedBy: "COPY app /"}, {CreatedBy: "ENV A=b", EmptyLayer: true}, {CreatedBy: "RUN make"}},
		"untold": {{CreatedBy: "COPY app /"}},
	} {
		image, err := random.Image(100, 2)
		fixture.Check(t, err)
		config, err := image.ConfigFile()
		fixture.Check(t, err)
		config = config.DeepCopy()
		config.History = history
		config.Created = v1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		config.OS, config.Architecture = "linux", "amd64"
		config.Config = v1.Config{User: "65532", Entrypoint: []string{"/app"}}
		image, err = mutate.ConfigFile(image, config)
		fixture.Check(t, err)
		fixture.Check(t, p.AppendImage(image, ggcrlayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})))
	}
	return dir
}

func TestInspectConfig(t *testing.T) {
	src := layout.New(historyLayout(t))
	told := mustInspect(t, src, "told", nil).Images[0]
	if told.Layers[0].CreatedBy != "COPY app /" || told.Layers[1].CreatedBy != "RUN make" {
		t.Errorf("layers %+v", told.Layers)
	}
	if told.Platform != "linux/amd64" || told.Execution.User != "65532" || told.CreatedAt == nil || told.CreatedAt.Year() != 2026 {
		t.Errorf("config %+v", told)
	}
	if untold := mustInspect(t, src, "untold", nil).Images[0]; untold.Layers[0].CreatedBy != "" {
		t.Errorf("layers %+v", untold.Layers)
	}
	m, err := ReadManifest(t.Context(), src, "told", nil)
	fixture.Check(t, err)
	config, err := ReadConfig(t.Context(), src, m)
	fixture.Check(t, err)
	if digest.FromBytes(config) != told.Config.Digest {
		t.Error("other bytes than those of the config")
	}
	fixture.Check(t, os.WriteFile(fixture.BlobFile(src.Dir(), told.Config.Digest), make([]byte, told.Config.Size), 0o666))
	if _, err := ReadConfig(t.Context(), src, m); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
}

// TestInspectIncomplete has an index name an image that is not there.
func TestInspectIncomplete(t *testing.T) {
	dir, _, images := fixture.PlatformIndex(t, "linux/amd64", "linux/arm64")
	fixture.Check(t, os.Remove(fixture.BlobFile(dir, images[0])))
	in := mustInspect(t, layout.New(dir), "", nil)
	if !in.Images[0].Missing || in.Images[0].Platform != "linux/amd64" || in.Images[1].Missing || in.Images[1].Size == 0 {
		t.Errorf("%+v", in.Images)
	}
}

// TestInspectStable keeps the names of what programs read.
func TestInspectStable(t *testing.T) {
	in := mustInspect(t, layout.New(historyLayout(t)), "told", nil)
	data, err := json.Marshal(in)
	fixture.Check(t, err)
	var fields map[string]any
	fixture.Check(t, json.Unmarshal(data, &fields))
	for _, name := range []string{"digest", "mediaType", "manifestSize", "size", "images"} {
		if fields[name] == nil {
			t.Errorf("no %q in %s", name, data)
		}
	}
	image := fields["images"].([]any)[0].(map[string]any)
	for _, name := range []string{"digest", "mediaType", "manifestSize", "platform", "size", "config", "layers", "createdAt", "execution"} {
		if image[name] == nil {
			t.Errorf("no %q in %s", name, data)
		}
	}
}
