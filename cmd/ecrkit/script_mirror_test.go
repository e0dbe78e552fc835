package main

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// attachArtifact is "attach REPOSITORY TAG|DIGEST TYPE": an artifact of this type refers to the image. Its digest is $ATTACHED.
func attachArtifact(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(serverKey{}).(*localecr.Server)
	mapping, err := auth.ParseMapping(ts.Getenv(auth.MappingVariable))
	ts.Check(err)
	user := localecr.DefaultAccounts()[0].Users[0]
	repository := ecr.New(aws.Config{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	}, mapping[server.Registry], args[0])
	ctx := context.Background()
	subject, err := repository.Resolve(ctx, args[1])
	ts.Check(err)
	layer := []byte("what is said of the image, as " + args[2])
	doc := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: args[2],
		Config: ocispec.DescriptorEmptyJSON, Subject: &ocispec.Descriptor{MediaType: subject.Descriptor.MediaType, Digest: subject.Descriptor.Digest, Size: subject.Descriptor.Size},
		Layers: []ocispec.Descriptor{{MediaType: args[2], Digest: digest.FromBytes(layer), Size: int64(len(layer))}}}
	doc.Config.Data = nil
	for _, blob := range [][]byte{[]byte("{}"), layer} {
		ts.Check(repository.PutBlob(ctx, content.Descriptor{Digest: digest.FromBytes(blob), Size: int64(len(blob))}, bytes.NewReader(blob)))
	}
	data, err := json.Marshal(doc)
	ts.Check(err)
	ts.Check(repository.PutManifest(ctx, content.Manifest{Content: data,
		Descriptor: content.Descriptor{MediaType: doc.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}}))
	ts.Setenv("ATTACHED", string(digest.FromBytes(data)))
}
