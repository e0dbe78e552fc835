package media_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Images are written into a directory, a set, and read from there again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	opener := layouts{dir}
	opener.put("near.example/team/web", "1.0")
	config, err := mirror.ReadSources(strings.NewReader("images: [{from: near.example/team/web}]"), os.LookupEnv)
	if err != nil {
		log.Fatal(err)
	}
	usb := filepath.Join(dir, "usb")
	if _, err := media.Export(ctx, config, opener, usb, media.ExportOptions{}); err != nil {
		log.Fatal(err)
	}
	set, err := media.Open(usb, media.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for _, image := range set.Images {
		fmt.Println(image.Repository, image.Tags)
	}
	// set.Repository returns the images of a repository, to be copied with package transfer.
	images, err := set.Repository("near.example/team/web")
	if err != nil {
		log.Fatal(err)
	}
	manifest, err := images.Resolve(ctx, "1.0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(manifest.Descriptor.MediaType)
	// Output:
	// near.example/team/web [1.0]
	// application/vnd.oci.image.manifest.v1+json
}

// layouts are repositories that are OCI layouts in a directory: an opener of one's own. That of registries is
// ref.Repositories.
type layouts struct{ dir string }

func (o layouts) Source(_ context.Context, repository string) (content.Source, error) {
	return layout.New(filepath.Join(o.dir, repository)), nil
}

func (o layouts) Target(_ context.Context, repository string) (content.Target, error) {
	return layout.New(filepath.Join(o.dir, repository)), nil
}

// put stores an image without layers.
func (o layouts) put(repository, tag string) {
	ctx, l := context.Background(), layout.New(filepath.Join(o.dir, repository))
	config := content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromString("{}"), Size: 2}
	if err := l.PutBlob(ctx, config, strings.NewReader("{}")); err != nil {
		log.Fatal(err)
	}
	manifest, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []content.Descriptor{}})
	if err != nil {
		log.Fatal(err)
	}
	if err := l.PutTagged(ctx, content.NewManifest(manifest, ocispec.MediaTypeImageManifest), tag); err != nil {
		log.Fatal(err)
	}
}
