package dockersave

import (
	"testing"

	"github.com/opencontainers/go-digest"
)

func FuzzDockerManifest(f *testing.F) {
	f.Add([]byte(`[{"Config":"c.json","RepoTags":["app:1"],"Layers":["l/layer.tar"]}]`), []byte(`{"rootfs":{"diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`))
	f.Add([]byte(`null`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		images, err := Decode(manifest)
		if err != nil {
			return
		}
		m, err := PickDockerImage(images, "", func(Image) digest.Digest { return "" })
		if err != nil {
			return
		}
		if c, err := DecodeDockerConfig(config, len(m.Layers)); err == nil && len(c.RootFS.DiffIDs) != len(m.Layers) {
			t.Error("a layer without diffID")
		}
	})
}
