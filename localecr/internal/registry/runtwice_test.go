package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"
)

// Operations whose change is undone and runs again, because another call of the same transaction failed, answer as they do
// alone and leave the same state.
func TestOperationsMayRunTwice(t *testing.T) {
	t.Parallel()
	alone := operate(newClocked(t), func(call func()) { call() })
	c := newClocked(t)
	twice := operate(c, func(call func()) {
		c.store.writer.together(call, func() {
			refused := errors.New("refused")
			if err := c.store.writer.update(func(*bolt.Tx) error { return refused }); !errors.Is(err, refused) {
				t.Error(err)
			}
		})
	})
	if len(alone) != len(twice) {
		t.Fatalf("%d and %d answers", len(alone), len(twice))
	}
	for i := range alone {
		if alone[i] != twice[i] {
			t.Errorf("alone: %s\ntwice: %s", alone[i], twice[i])
		}
	}
}

// operate calls operations that change something, each by run, and returns what they answered.
func operate(c *clocked, run func(call func())) (answers []string) {
	ctx := context.Background()
	note := func(name string, out any, err error) {
		text, failed := json.Marshal(out)
		if failed != nil {
			c.t.Fatal(failed)
		}
		answers = append(answers, fmt.Sprintf("%s: %s %v", name, text, err))
	}
	app, other := aws.String("app"), aws.String("other")
	for _, name := range []*string{app, other, app} {
		var out *ecr.CreateRepositoryOutput
		var err error
		run(func() { out, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: name}) })
		note("CreateRepository", out, err)
	}
	_, err := c.PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")})
	note("PutAccountSetting", nil, err)

	layer := func(data string) string {
		var upload *ecr.InitiateLayerUploadOutput
		var err error
		run(func() { upload, err = c.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: app}) })
		if err != nil {
			c.t.Fatal(err)
		}
		var chunk Chunk
		run(func() {
			chunk, err = c.AppendUpload(ctx, *app, *upload.UploadId, 0, bytes.NewReader([]byte(data)), false)
		})
		note("AppendUpload", chunk, err)
		digest := Digest([]byte(data))
		var out *ecr.CompleteLayerUploadOutput
		run(func() {
			out, err = c.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{RepositoryName: app, UploadId: upload.UploadId, LayerDigests: []string{digest}})
		})
		if out != nil {
			out.UploadId = nil
		}
		note("CompleteLayerUpload", out, err)
		return digest
	}
	config, one := layer("{}"), layer("one")
	layer("one")

	put := func(version, tag string) string {
		m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},`+
			`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":3}],"annotations":{"version":%q}}`, config, one, version)
		var out *ecr.PutImageOutput
		var err error
		run(func() {
			out, err = c.PutImage(ctx, &ecr.PutImageInput{RepositoryName: app, ImageManifest: &m, ImageTag: &tag})
		})
		note("PutImage", out, err)
		return Digest([]byte(m))
	}
	first := put("1", "1")
	put("1", "latest")
	put("1", "latest")
	second := put("2", "latest")

	var mounted bool
	run(func() { mounted, err = c.MountLayer(ctx, *other, *app, one) })
	note("MountLayer", mounted, err)
	run(func() {
		_, err = c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: aws.String(c.repositoryARN("app")), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	})
	note("TagResource", nil, err)
	var moved *ecr.UpdateImageStorageClassOutput
	run(func() {
		moved, err = c.UpdateImageStorageClass(ctx, &ecr.UpdateImageStorageClassInput{
			RepositoryName: app, ImageId: &types.ImageIdentifier{ImageDigest: &second}, TargetStorageClass: types.TargetStorageClassArchive})
	})
	note("UpdateImageStorageClass", moved, err)
	var preview *ecr.StartLifecyclePolicyPreviewOutput
	run(func() {
		preview, err = c.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app, LifecyclePolicyText: aws.String(
			`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`)})
	})
	note("StartLifecyclePolicyPreview", preview, err)
	var deleted *ecr.BatchDeleteImageOutput
	run(func() {
		deleted, err = c.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: app, ImageIds: []types.ImageIdentifier{
			{ImageDigest: &first}, {ImageTag: aws.String("none")}}})
	})
	note("BatchDeleteImage", deleted, err)

	var images []imageRecord
	err = c.view(app, func(repo *repository) error {
		return repo.each(page{}, func(rec *imageRecord) bool { images = append(images, *rec); return true })
	})
	note("images", images, err)
	got, err := c.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: app})
	note("GetLifecyclePolicyPreview", got, err)
	return answers
}
