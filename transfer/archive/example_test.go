package archive_test

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
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// An image of a layout is written to a tar file, and its tags are read from that.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	file := filepath.Join(dir, "app.tar")

	target := archive.NewTarget(file)
	defer target.Close()
	_, err = transfer.Copy(ctx, build(filepath.Join(dir, "build")), target, transfer.Options{Reference: "1.0", Tags: []string{"1.0", "latest"}})
	if err != nil {
		log.Fatal(err)
	}

	source, err := archive.Open(ctx, file, "")
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	tags, err := source.Tags(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags)
	// Output: [1.0 latest]
}

// build writes an OCI image layout with one image, tagged 1.0.
func build(dir string) *layout.Layout {
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
	return l
}
