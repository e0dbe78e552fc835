package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// putNamed stores an image of two layers whose config names so many, and has a comment of so many bytes.
func (r *repository) putNamed(t *testing.T, tag string, named, comment int) {
	t.Helper()
	put := func(mediaType, text string) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
		check(t, r.PutBlob(t.Context(), d, strings.NewReader(text)))
		return d
	}
	ids := make([]string, named)
	for i := range ids {
		ids[i] = fmt.Sprintf("%q", digest.FromString(fmt.Sprint(i)))
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: put(ocispec.MediaTypeImageConfig, `{"comment":"`+strings.Repeat("-", comment)+`","rootfs":{"type":"layers","diff_ids":[`+strings.Join(ids, ",")+`]}}`),
		Layers: []content.Descriptor{put(ocispec.MediaTypeImageLayer, "one"), put(ocispec.MediaTypeImageLayer, "two")}}
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	check(t, err)
	check(t, r.PutTagged(t.Context(), content.Manifest{Descriptor: content.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, Content: data}, tag))
	r.tags = append(r.tags, tag)
}

// loading opens a set as the sources of a mirror, as an import does.
type loading struct {
	set *Reader
	far world
}

func (l loading) Source(_ context.Context, name string) (content.Source, error) {
	return l.set.Repository(name)
}

func (l loading) Target(ctx context.Context, name string) (content.Target, error) {
	return l.far.Target(ctx, name)
}

// TestLayersAreCounted refuses at the import what a push refuses: an image with more layers than its config names. No
// runtime unpacks it.
func TestLayersAreCounted(t *testing.T) {
	t.Parallel()
	near := world{"a.example/web": {Store: memory.New("web")}}
	near["a.example/web"].putNamed(t, "good", 2, 0)
	near["a.example/web"].putNamed(t, "large", 2, 100<<10)
	near["a.example/web"].putNamed(t, "bad", 1, 0)
	c := mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}
	sets := map[string]func() (*Reader, error){
		"directory": func() (*Reader, error) {
			dir := t.TempDir()
			if _, err := Export(t.Context(), c, near, dir, ExportOptions{}); err != nil {
				return nil, err
			}
			return Open(dir, ReadOptions{})
		},
		"stream": func() (*Reader, error) {
			var out bytes.Buffer
			if _, err := ExportStream(t.Context(), c, near, &out, ExportOptions{}); err != nil {
				return nil, err
			}
			return OpenStream(t.Context(), &out, "stdin", t.TempDir(), ReadOptions{})
		},
	}
	for name, open := range sets {
		set, err := open()
		check(t, err)
		o := loading{set, world{}}
		config := c
		config.Destinations = []string{"b.example"}
		plan, err := mirror.NewPlan(t.Context(), config, o, mirror.Options{})
		check(t, err)
		var placements []Placement
		for _, image := range set.Images {
			target, err := o.Target(t.Context(), "b.example/web")
			check(t, err)
			placements = append(placements, Placement{image.Repository, image.Digest, target})
		}
		check(t, set.Store(t.Context(), placements, mirror.Options{}.Copy))
		report, err := mirror.Apply(t.Context(), plan, o, mirror.Options{})
		if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), "has 2 layers, but its config names 1") {
			t.Errorf("%s: %v", name, err)
		}
		for _, image := range report.Images {
			if image.Err == nil && slices.Contains(image.Tags, "bad") {
				t.Errorf("%s: %s arrived", name, image.From)
			}
		}
		for _, tag := range []string{"good", "large"} {
			if _, err := o.far["b.example/web"].Resolve(t.Context(), tag); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := o.far["b.example/web"].Resolve(t.Context(), "bad"); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: the tag bad: %v", name, err)
		}
		check(t, set.Close())
	}
}
