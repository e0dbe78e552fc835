package localecr_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/ecrkit/ecrkit/localecr"
)

// An image for a test is made from files, put in, and described by the SDK.
func ExampleServer_PutImage() {
	t := new(exampleT) // in a test: its *testing.T
	defer t.end()

	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		log.Fatal(err)
	}
	srv.Start(t)

	ctx := context.Background()
	image, err := crane.Image(map[string][]byte{"etc/motd": []byte("hello\n")})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.PutImage(ctx, "team/app", "1.0", image); err != nil {
		log.Fatal(err)
	}

	out, err := ecr.NewFromConfig(srv.AWSConfig()).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("team/app")})
	if err != nil {
		log.Fatal(err)
	}
	for _, detail := range out.ImageDetails {
		fmt.Println(*detail.RepositoryName, detail.ImageTags, *detail.ImageDigest)
	}
	// Output:
	// team/app [1.0] sha256:220b94b8a06191598c6b989a7c33d6eca08ae15813635b20284e114e375a05ac
}
