package localecr_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

// A test starts a server and sets its environment. The code under test reads it, as it reads that of a real pipeline.
// The server is closed when the test ends.
func Example() {
	t := new(exampleT) // in a test: its *testing.T
	defer t.end()

	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	srv.Start(t)
	srv.Setenv(t)

	// The code under test:
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	repository, err := ecr.NewFromConfig(cfg).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*repository.Repository.RepositoryArn)
	fmt.Println(*repository.Repository.RepositoryUri == srv.Registry+"/team/app")
	// Output:
	// arn:aws:ecr:us-east-1:000000000000:repository/team/app
	// true
}
