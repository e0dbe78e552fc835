package localecr_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

// An SDK client in the same process takes its configuration from the server, so that tests can run in parallel. Here it
// meets a fault and a moved clock, and the calls are counted.
func ExampleServer_AWSConfig() {
	t := new(exampleT) // in a test: its *testing.T
	defer t.end()

	calls := &localecr.Recorder{}
	srv, err := localecr.New(localecr.Options{
		Audit:  calls,
		Faults: []localecr.Fault{{Op: "CreateRepository", Status: 500}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv.Start(t)

	ctx := context.Background()
	cfg := srv.AWSConfig()
	cfg.RetryMaxAttempts = 1 // by default the SDK would retry
	client := ecr.NewFromConfig(cfg)
	create := &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")}
	_, err = client.CreateRepository(ctx, create)
	var failed *types.ServerException
	fmt.Println("the first call fails:", errors.As(err, &failed))
	if _, err := client.CreateRepository(ctx, create); err != nil {
		log.Fatal(err)
	}
	fmt.Println("calls of CreateRepository:", calls.Count("CreateRepository"))

	upload, err := client.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
	if err != nil {
		log.Fatal(err)
	}
	srv.Clock().Advance(25 * time.Hour)
	_, err = client.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RepositoryName: aws.String("app"), UploadId: upload.UploadId, LayerDigests: []string{"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	})
	var expired *types.UploadNotFoundException
	fmt.Println("the upload has expired:", errors.As(err, &expired))
	// Output:
	// the first call fails: true
	// calls of CreateRepository: 2
	// the upload has expired: true
}
