package awskms_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/sign/awskms"
)

// A file is signed with a key in AWS KMS, here that of a local ECR, whose configuration is
// in the place of that of config.LoadDefaultConfig.
func Example() {
	ctx := context.Background()
	server, err := localecr.New(localecr.Options{})
	if err != nil {
		log.Fatal(err)
	}
	front := httptest.NewServer(server)
	defer front.Close()
	server.URL = front.URL
	const name = "alias/ecrkit-p256"
	ref, err := sign.ParseKMSReference(name)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := sign.NewSigner(ctx, name, awskms.New(server.AWSConfig(), ref))
	if err != nil {
		log.Fatal(err)
	}
	signed, err := sign.SignBlob(ctx, sign.Blob{Content: strings.NewReader("the file\n")}, signer)
	if err != nil {
		log.Fatal(err)
	}
	verification, err := sign.VerifyBlob(ctx, sign.Blob{Content: strings.NewReader("the file\n")}, signed.Bundle,
		sign.BlobRequirements{Keys: []*sign.Key{signer.Key}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verification.Status, "by", verification.Key)
	// Output: verified by alias/ecrkit-p256
}
