package layout

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagename"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestExactNames compares the images that are found together with those that are found one by one.
func TestExactNames(t *testing.T) {
	t.Parallel()
	entry := func(of, name, full string) content.Descriptor {
		d := content.Descriptor{Digest: digest.FromString(of), Annotations: map[string]string{}}
		if name != "" {
			d.Annotations[ocispec.AnnotationRefName] = name
		}
		if full != "" {
			d.Annotations[imagename.AnnotationContainerdName] = full
		}
		return d
	}
	index := []content.Descriptor{
		entry("a", "1", "host.example/a:1"), entry("b", "1", "host.example/b:1"), entry("a", "1", ""),
		entry("c", "2", ""), entry("c", "2", ""), entry("d", "docker.io/library/app:3", ""), entry("e", "", ""),
		entry("f", string(digest.FromString("c")), ""), entry("g", "4", "5"), entry("h", "5", ""),
	}
	exact := exactNames(index)
	for _, name := range []string{
		"1", "2", "3", "4", "5", "6", "host.example/a:1", "host.example/b:1", "docker.io/library/app:3", "app:3",
		digest.FromString("a").String(), digest.FromString("c").String(), digest.FromString("e").String(), digest.FromString("x").String(),
	} {
		want, err := pick(index, name)
		switch at := exact[name]; {
		case at != shared && err != nil:
			t.Errorf("%s is %s, want an error: %v", name, index[at-1].Digest, err)
		case at != shared && index[at-1].Digest != want.Digest:
			t.Errorf("%s is %s, want %s", name, index[at-1].Digest, want.Digest)
		case at == shared && err == nil && !strings.Contains("3 app:3", name):
			t.Errorf("%s is not found, want %s", name, want.Digest)
		}
	}
}
