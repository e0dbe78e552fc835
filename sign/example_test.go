package sign_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// An image is signed where it is, here in an OCI layout, with a key pair in memory, and
// verified with the public key.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store := layout.New(dir)
	image := putImage(ctx, store)

	private, public, err := sign.GenerateKeyPair([]byte("password"))
	if err != nil {
		log.Fatal(err)
	}
	key, err := sign.ParsePublicKey("release.pub", public)
	if err != nil {
		log.Fatal(err)
	}
	required := sign.Requirements{Keys: []*sign.Key{key}}
	_, err = sign.Verify(ctx, store, image, required)
	fmt.Println("before:", errors.Is(err, sign.ErrUnsigned))

	opened, err := sign.ParsePrivateKey("release.key", private, func() ([]byte, error) { return []byte("password"), nil })
	if err != nil {
		log.Fatal(err)
	}
	signer, err := sign.NewSigner(ctx, "release.key", opened)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sign.Sign(ctx, store, image, signer, sign.Options{}); err != nil {
		log.Fatal(err)
	}
	verification, err := sign.Verify(ctx, store, image, required)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("after:", verification.Status, "by", len(verification.Signatures), "signature")
	// Output:
	// before: true
	// after: verified by 1 signature
}

// putImage stores an image without layers.
func putImage(ctx context.Context, store *layout.Layout) content.Manifest {
	config := []byte("{}")
	d := content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	if err := store.PutBlob(ctx, d, bytes.NewReader(config)); err != nil {
		log.Fatal(err)
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		ocispec.MediaTypeImageManifest, d.MediaType, d.Digest, d.Size)
	image := content.NewManifest([]byte(manifest), ocispec.MediaTypeImageManifest)
	if err := store.PutTagged(ctx, image, "1.0"); err != nil {
		log.Fatal(err)
	}
	return image
}
