package sign_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/ecrkit/ecrkit/sign"
)

// A file is signed by itself. The bundle is kept beside it, and is what
// `cosign verify-blob --bundle` reads.
func ExampleSignBlob() {
	ctx := context.Background()
	private, public, err := sign.GenerateKeyPair([]byte("password"))
	if err != nil {
		log.Fatal(err)
	}
	opened, err := sign.ParsePrivateKey("release.key", private, func() ([]byte, error) { return []byte("password"), nil })
	if err != nil {
		log.Fatal(err)
	}
	signer, err := sign.NewSigner(ctx, "release.key", opened)
	if err != nil {
		log.Fatal(err)
	}
	signed, err := sign.SignBlob(ctx, sign.Blob{Content: strings.NewReader("the file\n")}, signer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed", signed.Digest)

	key, err := sign.ParsePublicKey("release.pub", public)
	if err != nil {
		log.Fatal(err)
	}
	required := sign.BlobRequirements{Keys: []*sign.Key{key}}
	verification, err := sign.VerifyBlob(ctx, sign.Blob{Content: strings.NewReader("the file\n")}, signed.Bundle, required)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verification.Status, "by", verification.Key)
	_, err = sign.VerifyBlob(ctx, sign.Blob{Content: strings.NewReader("another file\n")}, signed.Bundle, required)
	fmt.Println("another file:", errors.Is(err, sign.ErrUntrusted))
	// Output:
	// signed sha256:835d6cf6c9f0682fe9752e5543b91496d9ecba7f156d5ab6f5fed61fcd8879e0
	// verified by release.pub
	// another file: true
}
