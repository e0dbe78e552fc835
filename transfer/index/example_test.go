package index_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/index"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Two images become one of two platforms. The platform of each is read from its config.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	repository := layout.New(dir) // any endpoint, such as a repository of Amazon ECR
	build(repository, "amd64")
	build(repository, "arm64")

	ctx := context.Background()
	x, err := index.New(ctx, repository, []index.Addition{{Reference: "amd64"}, {Reference: "arm64"}}, index.Options{})
	if err != nil {
		log.Fatal(err)
	}
	result, err := x.Put(ctx, nil, []string{"1.0"}, transfer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, image := range result.Manifests {
		fmt.Println(image.Platform.OS, image.Platform.Architecture)
	}
	fmt.Println(result.MediaType, result.Tags)
	// Output:
	// linux amd64
	// linux arm64
	// application/vnd.oci.image.index.v1+json [1.0]
}

// build puts an image for an architecture into a layout, with that as its tag.
func build(l *layout.Layout, architecture string) {
	ctx := context.Background()
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
		Config:    put(ocispec.MediaTypeImageConfig, `{"architecture":"`+architecture+`","os":"linux"}`),
		Layers:    []content.Descriptor{put(ocispec.MediaTypeImageLayer, "the bytes of a layer for "+architecture)},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := l.PutTagged(ctx, content.NewManifest(manifest, ocispec.MediaTypeImageManifest), architecture); err != nil {
		log.Fatal(err)
	}
}
