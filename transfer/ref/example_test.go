package ref_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// Repositories of registries are mirrored. A program that uses Amazon ECR needs only
// &ref.Repositories{Opener: new(ref.Opener)}: the rest is for the local ECR.
func ExampleRepositories() {
	ctx := context.Background()
	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	listener, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = listener.Serve(ctx) }()
	for _, name := range []string{"team/web", "team/db"} {
		image, err := random.Image(1<<10, 1)
		if err != nil {
			log.Fatal(err)
		}
		if err := srv.PutImage(ctx, name, "1.0", image); err != nil {
			log.Fatal(err)
		}
	}
	mapping, err := auth.ParseMapping(srv.Registry + "=000000000000.us-east-1")
	if err != nil {
		log.Fatal(err)
	}
	registries := auth.Registries{Mapping: mapping}
	repositories := &ref.Repositories{
		Opener: &ref.Opener{
			Registries: registries,
			AWS:        func(context.Context, auth.Registry) (aws.Config, error) { return srv.AWSConfig(), nil },
		},
		Configure: func(r *ecr.Repository) { r.Create = new(ecr.Settings) },
	}
	repositories.Opener.Tokens = &auth.Tokens{Minter: auth.Minter{AWS: auth.AWS{Registries: registries}}}

	config, err := mirror.ReadConfig(strings.NewReader("destinations: ["+srv.Registry+"/copy]\nimages: [{from: '"+srv.Registry+"/team/*'}]"), os.LookupEnv)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := mirror.NewPlan(ctx, config, repositories, mirror.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range plan.Repositories {
		fmt.Println(strings.ReplaceAll(r.To, srv.Registry, "HOST"), "create:", r.Create, "images:", len(r.Images))
	}
	// Output:
	// HOST/copy/team/db create: true images: 1
	// HOST/copy/team/web create: true images: 1
}
