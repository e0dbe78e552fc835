package registry

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// TestPreviewPages reads a preview with several records by pages of several sizes: each result comes once, in order.
func TestPreviewPages(t *testing.T) {
	t.Parallel()
	ctx, name := context.Background(), aws.String("app")
	policy, err := lifecycle.Parse([]byte(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{1, 2, resultsPerPage + 1, resultsPerPage + 2, 3*resultsPerPage - 40} {
		c := newClocked(t)
		var images []imageRecord
		var digests []string
		for i := range count {
			rec := imageRecord{Digest: Digest(fmt.Append(nil, i)), MediaType: v1.MediaTypeImageManifest, PushedAt: c.now.Add(time.Duration(i-count) * time.Second)}
			if i%2 == 0 {
				rec.Tags = []string{fmt.Sprint("tag-", i)}
			}
			images, digests = append(images, rec), append(digests, rec.Digest)
		}
		digests = digests[:count-1] // the newest stays
		slices.Sort(digests)
		c.fill(*name, policy, images)
		for range 2 { // the second replaces the first
			c.now = c.now.Add(time.Minute)
			if _, err := c.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: name}); err != nil {
				t.Fatal(err)
			}
		}
		for _, size := range []int32{1, 7, 99, 100} {
			var got []string
			in := &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name, MaxResults: aws.Int32(size)}
			for {
				out, err := c.GetLifecyclePolicyPreview(ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				if n := *out.Summary.ExpiringImageTotalCount; int(n) != count-1 {
					t.Fatalf("%d images: %d expire", count, n)
				}
				for _, result := range out.PreviewResults {
					got = append(got, *result.ImageDigest)
				}
				if out.NextToken == nil {
					break
				}
				if len(out.PreviewResults) != int(size) {
					t.Fatalf("%d images: a page of %d has %d results", count, size, len(out.PreviewResults))
				}
				in.NextToken = out.NextToken
			}
			if !slices.Equal(got, digests) {
				t.Fatalf("%d images, pages of %d: %d results, want %d", count, size, len(got), len(digests))
			}
		}
		for _, tagged := range []types.TagStatus{types.TagStatusTagged, types.TagStatusUntagged} {
			out, err := c.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name, Filter: &types.LifecyclePolicyPreviewFilter{TagStatus: tagged}})
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range out.PreviewResults {
				if (len(result.ImageTags) > 0) != (tagged == types.TagStatusTagged) {
					t.Errorf("%s: %v", tagged, result.ImageTags)
				}
			}
		}
	}
}

// TestEarlierPreview has the results of a preview where earlier versions had them: there is no preview, and the next one
// takes their place.
func TestEarlierPreview(t *testing.T) {
	t.Parallel()
	ctx, name, c := context.Background(), aws.String("app"), newClocked(t)
	policy, err := lifecycle.Parse([]byte(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c.fill(*name, policy, nil)
	err = c.update(name, func(repo *repository) error {
		if _, err := repo.bucket.CreateBucket(bucketPreviewResultsEarlier); err != nil {
			return err
		}
		return putJSON(repo.bucket, keyPreview, lifecyclePreview{StartedAt: c.now})
	})
	if err != nil {
		t.Fatal(err)
	}
	get := &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name}
	if out, err := c.GetLifecyclePolicyPreview(ctx, get); err == nil {
		t.Fatalf("%+v", out)
	}
	if _, err := c.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetLifecyclePolicyPreview(ctx, get); err != nil {
		t.Fatal(err)
	}
	err = c.view(name, func(repo *repository) error {
		if repo.bucket.Bucket(bucketPreviewResultsEarlier) != nil {
			t.Error("the earlier results stay")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
