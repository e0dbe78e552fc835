package mirror

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestChosenPlatformsAreBounded has images of which one platform is chosen, with more manifests together than may be held
// in memory.
func TestChosenPlatformsAreBounded(t *testing.T) {
	t.Parallel()
	all, asked := stored{}, 0
	image := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},"layers":[]}`,
		imageType, digest.FromString("{}")) + strings.Repeat(" ", 100_000)
	child := content.Descriptor{MediaType: imageType, Digest: digest.FromString(image), Size: int64(len(image))}
	all[child.Digest] = content.Manifest{Descriptor: child, Content: []byte(image)}
	linux, err := content.ParsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	var roots []digest.Digest
	for i := range 40 {
		text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":"amd64"}},`+
			`{"mediaType":%q,"digest":%q,"size":9,"platform":{"os":"linux","architecture":"arm64"}}]}`, indexType, imageType, child.Digest, child.Size, imageType, digest.FromString(fmt.Sprint(i)))
		d := digest.FromString(text)
		all[d] = content.Manifest{Descriptor: content.Descriptor{MediaType: indexType, Digest: d, Size: int64(len(text))}, Content: []byte(text)}
		roots = append(roots, d)
	}
	choose := func(roots []digest.Digest) error {
		r := &Repository{From: "HOST/app", platforms: []content.Platform{linux}}
		src, trees := treeSource{stored: all, asked: &asked}, newTrees(false)
		trees.most = 1 << 20
		return new(planner).choosePlatforms(t.Context(), src, new(listing), r, roots, map[digest.Digest]digest.Digest{}, trees.budget(src, len(roots)))
	}
	if err := choose(roots[:2]); err != nil {
		t.Error(err)
	}
	if err := choose(roots); !errors.Is(err, content.ErrUnsupported) || !strings.HasPrefix(err.Error(), "HOST/app: ") || !strings.Contains(err.Error(), "select fewer tags") {
		t.Errorf("all: %v", err)
	}
}
