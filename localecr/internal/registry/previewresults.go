package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// bucketPreviewResults has the results of a repository's last preview: the digest of the first → up to resultsPerPage of
// them, []previewRecord, by digest. One record for each would need several times the memory in the transaction that stores
// them.
var bucketPreviewResults = []byte("lifecyclePolicyPreviewPages")

// bucketPreviewResultsEarlier is where earlier versions had them.
var bucketPreviewResultsEarlier = []byte("lifecyclePolicyPreviewResults")

// resultsPerPage is what one page of GetLifecyclePolicyPreview shows at most.
const resultsPerPage = 100

// previewRecord is what a policy does with an image that it does not keep. There may be one for each image of a repository, in
// memory at once, so it has no more than that.
type previewRecord struct {
	Digest     string   `json:"digest"`
	Tags       []string `json:"tags,omitempty"`
	PushedAt   int64    `json:"pushedAt"`             // Unix time in milliseconds
	Rule       int      `json:"rule,omitempty"`       // its priority; none acts on a referrer that follows a subject into the archive
	Transition bool     `json:"transition,omitempty"` // and not expire
	Archived   bool     `json:"archived,omitempty"`
}

// A previewPage is a record of bucketPreviewResults.
type previewPage struct {
	first string // digest
	data  []byte
}

// savedPages is how many pages are saved in one transaction, which needs twice their memory.
const savedPages = 50

// evaluate counts what a policy does with the images, which are sorted by digest, and returns it. The images and verdicts
// need three times the memory of the results, and nobody has them afterwards.
func (p *lifecyclePreview) evaluate(policy *lifecycle.Policy, images []lifecycle.Image) []previewRecord {
	verdicts := lifecycle.Evaluate(policy, images, p.StartedAt).Verdicts
	for _, v := range verdicts {
		switch v.Outcome {
		case lifecycle.Expire:
			p.Expiring++
		case lifecycle.Transition:
			p.Transitioning++
		}
	}
	results := make([]previewRecord, 0, p.Expiring+p.Transitioning)
	for i, v := range verdicts {
		if v.Outcome == lifecycle.Keep {
			continue
		}
		image := &images[i]
		results = append(results, previewRecord{
			Digest: image.Digest.String(), Tags: image.Tags, PushedAt: image.PushedAt.UnixMilli(), Rule: v.Rule,
			Transition: v.Outcome == lifecycle.Transition, Archived: image.Status == lifecycle.StatusArchived,
		})
	}
	return results
}

// previewPages calls save with the pages of results, some at a time.
func previewPages(results []previewRecord, save func([]previewPage) error) error {
	for some := range slices.Chunk(results, savedPages*resultsPerPage) {
		var pages []previewPage
		for page := range slices.Chunk(some, resultsPerPage) {
			data, err := json.Marshal(page)
			if err != nil {
				return fmt.Errorf("preview results: %w", err)
			}
			pages = append(pages, previewPage{page[0].Digest, data})
		}
		if err := save(pages); err != nil {
			return err
		}
	}
	return nil
}

// dropPreview removes the last preview and its results.
func (repo *repository) dropPreview() error {
	for _, name := range [][]byte{bucketPreviewResults, bucketPreviewResultsEarlier} {
		if repo.bucket.Bucket(name) == nil {
			continue
		}
		if err := repo.bucket.DeleteBucket(name); err != nil {
			return err
		}
	}
	repo.registry.store.forget(repo.bucket.Tx())
	return repo.bucket.Delete(keyPreview)
}

// beginPreview makes place for the results of a preview in that of the last one. There is none until keyPreview is there.
func (repo *repository) beginPreview() error {
	if err := repo.dropPreview(); err != nil {
		return err
	}
	_, err := repo.bucket.CreateBucket(bucketPreviewResults)
	return err
}

// addPreviewPages adds results of the preview that was begun. Error: RepositoryNotFound, if the repository was deleted since.
func (repo *repository) addPreviewPages(pages []previewPage) error {
	b := repo.bucket.Bucket(bucketPreviewResults)
	if b == nil {
		return repo.registry.repositoryNotFound(repo.record.Name)
	}
	for _, page := range pages {
		if err := b.Put([]byte(page.first), page.data); err != nil {
			return err
		}
	}
	return nil
}

// eachPreviewResult calls f for the results of the last preview behind a digest, "" for all of them, by digest, until f says
// stop.
func (repo *repository) eachPreviewResult(after string, f func(types.LifecyclePolicyPreviewResult) (more bool)) error {
	c := repo.bucket.Bucket(bucketPreviewResults).Cursor()
	for k, v := seekPage(c, after); k != nil; k, v = c.Next() {
		var results []previewRecord
		if err := json.Unmarshal(v, &results); err != nil {
			return fmt.Errorf("preview results %s: %w", k, err)
		}
		for _, rec := range results {
			if rec.Digest > after && !f(rec.result()) {
				return nil
			}
		}
	}
	return nil
}

// seekPage moves the cursor to the page that may have a digest, to the first page for "".
func seekPage(c *bolt.Cursor, digest string) (key, value []byte) {
	if key, value = c.Seek([]byte(digest)); string(key) == digest {
		return key, value
	}
	if key == nil {
		return c.Last()
	}
	if earlier, data := c.Prev(); earlier != nil {
		return earlier, data
	}
	return c.First()
}

// result is the record as the API shows it.
func (rec *previewRecord) result() types.LifecyclePolicyPreviewResult {
	result := types.LifecyclePolicyPreviewResult{
		Action:        &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeExpire},
		ImageDigest:   aws.String(rec.Digest),
		ImagePushedAt: aws.Time(time.UnixMilli(rec.PushedAt).UTC()),
		ImageTags:     append([]string{}, rec.Tags...),
		StorageClass:  types.LifecyclePolicyStorageClassStandard,
	}
	if rec.Transition {
		result.Action = &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeTransition, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive}
	}
	if rec.Rule > 0 {
		result.AppliedRulePriority = aws.Int32(int32(rec.Rule))
	}
	if rec.Archived {
		result.StorageClass = types.LifecyclePolicyStorageClassArchive
	}
	return result
}
