package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
)

// What docker save wrote is read. Its layers are compressed when the image is resolved.
func ExampleOpenArchive() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "app.tar")
	save(file)

	ctx := context.Background()
	archive, err := docker.OpenArchive(ctx, file, docker.ArchiveOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer archive.Close()
	fmt.Println(archive.Names())
	image, err := archive.Resolve(ctx, "app:1.0")
	if err != nil {
		log.Fatal(err)
	}
	manifest, err := content.DecodeManifest(image.Content, image.Descriptor.MediaType)
	if err != nil {
		log.Fatal(err)
	}
	for _, blob := range manifest.Blobs {
		fmt.Println(blob.MediaType)
	}
	// Output:
	// [app:1.0]
	// application/vnd.docker.container.image.v1+json
	// application/vnd.docker.image.rootfs.diff.tar.gzip
}

// save writes what docker save would write of a small image.
func save(file string) {
	layer := tarOf(map[string][]byte{"etc/motd": []byte("hello\n")})
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(layer))
	image := tarOf(map[string][]byte{
		"config.json":   []byte(config),
		"layer.tar":     layer,
		"manifest.json": []byte(`[{"Config":"config.json","RepoTags":["app:1.0"],"Layers":["layer.tar"]}]`),
	})
	if err := os.WriteFile(file, image, 0o600); err != nil {
		log.Fatal(err)
	}
}

func tarOf(files map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			log.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return b.Bytes()
}
