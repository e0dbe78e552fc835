package transfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// build writes an OCI image layout with one image of two blobs, tagged 1.0.
func build(dir string) *layout.Layout {
	ctx := context.Background()
	l := layout.New(dir)
	put := func(mediaType, text string) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
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

func tempDir() string {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

// Copy pushes an OCI layout. The target may be any endpoint: ref.Opener opens the one
// that a reference such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.0 names.
func ExampleCopy() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	src := build(filepath.Join(dir, "build"))

	target, err := ref.Parse("oci:"+filepath.Join(dir, "registry")+":1.0", auth.Registries{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	dst, err := new(ref.Opener).Target(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	result, err := transfer.Copy(ctx, src, dst, transfer.Options{Reference: "1.0", Tags: []string{"1.0", "latest"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Tags, result.BlobsSent, "blobs,", result.BytesSent, "bytes")
	// Output: [1.0 latest] 2 blobs, 57 bytes
}

// Progress reports each step of a copy as it happens.
func ExampleOptions_progress() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	src, dst := build(filepath.Join(dir, "build")), layout.New(filepath.Join(dir, "copy"))
	_, err := transfer.Copy(context.Background(), src, dst, transfer.Options{
		Reference: "1.0", Tags: []string{"1.0"},
		Progress: func(e content.Event) {
			switch e.Kind { // events of blobs come concurrently
			case content.EventPlanned:
				fmt.Println(e.Blobs, "blobs,", e.Bytes, "bytes to copy")
			case content.EventTagged:
				fmt.Println("tagged", e.Tag)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 blobs, 57 bytes to copy
	// tagged 1.0
}

// Preview reports what a copy would do, and writes nothing.
func ExamplePreview() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	src, dst := build(filepath.Join(dir, "build")), layout.New(filepath.Join(dir, "copy"))
	preview := func() {
		planned := transfer.Preview(ctx, src, []transfer.Destination{{Target: dst, Tags: []string{"1.0"}}}, transfer.Options{Reference: "1.0"})
		if err := planned[0].Err; err != nil {
			log.Fatal(err)
		}
		fmt.Println(planned[0].Blobs, "blobs to copy,", planned[0].BlobsSkipped, "already present")
	}
	preview()
	if _, err := transfer.Copy(ctx, src, dst, transfer.Options{Reference: "1.0", Tags: []string{"1.0"}}); err != nil {
		log.Fatal(err)
	}
	preview()
	// Output:
	// 2 blobs to copy, 0 already present
	// 0 blobs to copy, 2 already present
}

// Retag gives an image another tag without moving a layer.
func ExampleRetag() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	repository := build(filepath.Join(dir, "build"))
	result, err := transfer.Retag(context.Background(), repository, "1.0", []string{"stable"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Tags[0].Tag, result.Tags[0].Status)
	// Output: stable tagged
}

// An endpoint of one's own needs a few methods: this one takes images and keeps only
// their tags. Further interfaces of package content make it faster.
func Example_endpoint() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	dst := &tagList{}
	_, err := transfer.Copy(context.Background(), build(filepath.Join(dir, "build")), dst, transfer.Options{Reference: "1.0", Tags: []string{"1.0"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dst.tags, dst.blobs, "blobs were verified on the way")
	// Output: [1.0] 2 blobs were verified on the way
}

type tagList struct {
	tags  []string
	blobs int
}

func (l *tagList) String() string { return "a list of tags" }

func (l *tagList) MissingBlobs(_ context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	l.blobs = len(blobs)
	return blobs, nil
}

func (l *tagList) PutBlob(_ context.Context, _ content.Descriptor, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func (l *tagList) PutManifest(context.Context, content.Manifest) error { return nil }

func (l *tagList) PutTagged(_ context.Context, _ content.Manifest, tag string) error {
	l.tags = append(l.tags, tag)
	return nil
}
