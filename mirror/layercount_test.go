package mirror_test

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/mirror"
)

// TestLayerCountOfRegistries mirrors an image whose config names another number of layers, as it is: the source has published it.
func TestLayerCountOfRegistries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.repository(t, "web")
	blob := func(mediaType, text string) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
		if err := r.PutLayer(t.Context(), string(d.Digest), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: blob(ocispec.MediaTypeImageConfig, `{"rootfs":{"type":"layers","diff_ids":["`+string(digest.FromString("1"))+`"]}}`),
		Layers: []ocispec.Descriptor{blob(ocispec.MediaTypeImageLayer, "one"), blob(ocispec.MediaTypeImageLayer, "two")}}
	want := putManifest(t, r, "1", m.MediaType, m)
	o := w.opener(t)
	plan, err := mirror.NewPlan(t.Context(), mirror.Config{Destinations: []string{w.Registry + "/copy"}, Images: []mirror.ImageRules{{From: w.Registry + "/web"}}}, o, mirror.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Apply(t.Context(), plan, o, mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := w.images(t, "copy/web").tags["1"]; got != string(want.Digest) {
		t.Errorf("copy/web:1 is %q, not %s", got, want.Digest)
	}
}
