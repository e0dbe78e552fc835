package layout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// The images of a layout are listed, and the config of one is read. What is read is verified.
func ExampleLayout() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	write(filepath.Join(dir, "build"))

	ctx := context.Background()
	l := layout.New(filepath.Join(dir, "build"))
	for image, err := range l.Images(ctx, content.AnyTags) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(image.Tags, image.MediaType, image.Size, "bytes")
	}
	image, err := l.Resolve(ctx, "1.0")
	if err != nil {
		log.Fatal(err)
	}
	config, err := transfer.ReadConfig(ctx, l, image)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(config))
	// Output:
	// [1.0] application/vnd.oci.image.manifest.v1+json 57 bytes
	// {"architecture":"amd64","os":"linux"}
}

// A file system of any kind may have the layout, such as one that is embedded in the program.
func ExampleNewReader() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	write(dir)

	tags, err := layout.NewReader(os.DirFS(dir), "the layout in this program").Tags(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags)
	// Output: [1.0]
}

// write writes a layout with one image: blobs first, then the manifest with a tag.
func write(dir string) {
	ctx := context.Background()
	l := layout.New(dir)
	put := func(mediaType, text string) content.Descriptor {
		d := content.NewManifest([]byte(text), mediaType).Descriptor
		if err := l.PutBlob(ctx, d, bytes.NewReader([]byte(text))); err != nil {
			log.Fatal(err)
		}
		return d
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    put(ocispec.MediaTypeImageConfig, `{"architecture":"amd64","os":"linux"}`),
		Layers:    []content.Descriptor{put(ocispec.MediaTypeImageLayer, "the bytes of a layer")},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := l.PutTagged(ctx, content.NewManifest(manifest, ocispec.MediaTypeImageManifest), "1.0"); err != nil {
		log.Fatal(err)
	}
}
