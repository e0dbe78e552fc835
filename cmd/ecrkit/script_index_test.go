package main

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

// makePlatforms is "platforms DIR PLATFORM...": an OCI layout with a Docker image
// for each platform, which only its config says; its tag is that with "-" for "/".
func makePlatforms(ts *testscript.TestScript, _ bool, args []string) {
	path, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	for _, arg := range args[1:] {
		platform, err := v1.ParsePlatform(arg)
		ts.Check(err)
		image, err := random.Image(1<<10, 1)
		ts.Check(err)
		config, err := image.ConfigFile()
		ts.Check(err)
		config = config.DeepCopy()
		config.OS, config.Architecture, config.Variant, config.OSVersion = platform.OS, platform.Architecture, platform.Variant, platform.OSVersion
		image, err = mutate.ConfigFile(image, config)
		ts.Check(err)
		image = mutate.ConfigMediaType(mutate.MediaType(image, types.DockerManifestSchema2), types.DockerConfigJSON)
		tag := strings.ReplaceAll(arg, "/", "-")
		ts.Check(path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})))
	}
}

// validateRemote is "validate REPOSITORY TAG": code that is not ours pulls the index
// from the registry and checks all of it.
func validateRemote(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(serverKey{}).(*localecr.Server)
	user := localecr.DefaultAccounts()[0].Users[0]
	client := ecr.New(ecr.Options{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	})
	out, err := client.GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	ts.Check(err)
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	ts.Check(err)
	username, password, _ := strings.Cut(string(token), ":")
	reference, err := name.ParseReference(server.Registry+"/"+args[0]+":"+args[1], name.Insecure)
	ts.Check(err)
	index, err := remote.Index(reference, remote.WithAuth(&authn.Basic{Username: username, Password: password}))
	ts.Check(err)
	ts.Check(validate.Index(index))
}
