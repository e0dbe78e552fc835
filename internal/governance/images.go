package governance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/lifecycle"
)

// ErrChanged reports that a repository changed while its images were read, so that what
// was read is of no one time. It may be read again.
var ErrChanged = errors.New("the repository changed meanwhile")

const (
	imagePage      = 1000 // the most of DescribeImages
	manifestBatch  = 100  // the most of BatchGetImage
	manifestsCalls = 8    // at once
	imageReadings  = 3    // how often a repository that changes is read
)

// Manifests says of which images the manifests are read, with one call of BatchGetImage
// for each 100. For Amazon ECR that is a pull, which a policy with sinceImagePulled goes
// by: to look would keep images from being archived.
type Manifests string

// The choices. Without the manifest of an index it is not known which images it keeps,
// without those of all images not which layers they share.
const (
	ManifestsAuto    Manifests = ""        // of indexes, but of none where a policy counts from pulls
	ManifestsNone    Manifests = "none"    // of no image
	ManifestsIndexes Manifests = "indexes" // of indexes
	ManifestsAll     Manifests = "all"     // of all images
)

// For is the choice that ManifestsAuto comes to where these policies are evaluated; nil is
// no policy.
func (m Manifests) For(policies ...*lifecycle.Policy) Manifests {
	if m != ManifestsAuto {
		return m
	}
	for _, p := range policies {
		if p != nil && slices.ContainsFunc(p.Rules(), func(r lifecycle.Rule) bool { return r.Selection.CountType == lifecycle.SinceImagePulled }) {
			return ManifestsNone
		}
	}
	return ManifestsIndexes
}

// Images reads all images of a repository, those in the archive and those on their way
// back too. It is all or an error: of a part of the images a lifecycle policy would seem
// to do something else. The error wraps [ErrChanged] if the repository changed each time
// that it was read.
func (r *Registry) Images(ctx context.Context, repository string, manifests Manifests) (lifecycle.Inventory, error) {
	for reading := 1; ; reading++ {
		inventory, err := r.readImages(ctx, repository, manifests.For())
		if err == nil || !errors.Is(err, ErrChanged) || reading == imageReadings {
			return inventory, err
		}
	}
}

func (r *Registry) imagesObject(repository string) string {
	return fmt.Sprintf("images of %s/%s", r.Host, repository)
}

func (r *Registry) readImages(ctx context.Context, repository string, manifests Manifests) (lifecycle.Inventory, error) {
	object := r.imagesObject(repository)
	pages := ecr.NewDescribeImagesPaginator(r.api, &ecr.DescribeImagesInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), MaxResults: aws.Int32(imagePage),
		Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny, TagStatus: types.TagStatusAny},
	}, func(o *ecr.DescribeImagesPaginatorOptions) { o.StopOnDuplicateToken = true })
	var texts []io.Reader
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return lifecycle.Inventory{}, r.fail(object, repository, err)
		}
		// What the evaluator wants of images is checked where those of files are.
		text, err := json.Marshal(struct {
			ImageDetails []types.ImageDetail `json:"imageDetails"`
		}{append([]types.ImageDetail{}, page.ImageDetails...)})
		if err != nil {
			return lifecycle.Inventory{}, fmt.Errorf("%s: %w", object, err)
		}
		texts = append(texts, bytes.NewReader(text))
		if page.NextToken != nil && len(page.ImageDetails) == 0 && len(texts) > 1000 {
			return lifecycle.Inventory{}, fmt.Errorf("%s: the answers have no end", object)
		}
	}
	inventory, err := lifecycle.ReadImages(texts...)
	switch {
	case errors.Is(err, lifecycle.ErrChanged):
		return inventory, fmt.Errorf("%s: %w: %w", object, ErrChanged, err)
	case err != nil:
		return inventory, fmt.Errorf("%s: %w", object, err)
	}
	inventory.RegistryID, inventory.Repository = r.Account, repository
	return inventory, r.describeImages(ctx, repository, inventory.Images, manifests)
}

// describeImages adds what manifests tell.
func (r *Registry) describeImages(ctx context.Context, repository string, images []lifecycle.Image, manifests Manifests) error {
	var wanted []*lifecycle.Image
	for i := range images {
		if manifests == ManifestsAll || manifests == ManifestsIndexes && images[i].IsIndex() {
			wanted = append(wanted, &images[i])
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manifestsCalls)
	for batch := range slices.Chunk(wanted, manifestBatch) {
		group.Go(func() error { return r.describeBatch(ctx, repository, batch) })
	}
	return group.Wait()
}

func (r *Registry) describeBatch(ctx context.Context, repository string, batch []*lifecycle.Image) error {
	in := &ecr.BatchGetImageInput{RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository)}
	missing := map[digest.Digest]*lifecycle.Image{}
	for _, image := range batch {
		missing[image.Digest] = image
		in.ImageIds = append(in.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(string(image.Digest))})
		if image.MediaType != "" && !slices.Contains(in.AcceptedMediaTypes, image.MediaType) {
			in.AcceptedMediaTypes = append(in.AcceptedMediaTypes, image.MediaType)
		}
	}
	object := "manifests of " + r.imagesObject(repository)
	out, err := r.api.BatchGetImage(ctx, in)
	if err != nil {
		return r.fail(object, repository, err)
	}
	for _, got := range out.Images {
		if got.ImageId == nil {
			return fmt.Errorf("%s: an answer names no image", object)
		}
		image := missing[digest.Digest(aws.ToString(got.ImageId.ImageDigest))]
		if image == nil {
			return fmt.Errorf("%s: an answer is about another image", object)
		}
		if err := image.AddManifest([]byte(aws.ToString(got.ImageManifest))); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		delete(missing, image.Digest)
	}
	for _, f := range out.Failures {
		id := digest.Digest("")
		if f.ImageId != nil {
			id = digest.Digest(aws.ToString(f.ImageId.ImageDigest))
		}
		image := missing[id]
		switch {
		case image != nil && image.Status != lifecycle.StatusActive && f.FailureCode != types.ImageFailureCodeImageNotFound:
			// In the archive: what it lists keeps nothing, and its layers stay unknown.
			delete(missing, id)
		case f.FailureCode == types.ImageFailureCodeImageNotFound:
			return fmt.Errorf("%s: %w: image %s is gone", object, ErrChanged, id)
		default:
			return fmt.Errorf("%s: image %s: %s: %s", object, id, f.FailureCode, auth.Redact(aws.ToString(f.FailureReason)))
		}
	}
	for id := range missing {
		return fmt.Errorf("%s: nothing was answered about %s", object, id)
	}
	return nil
}
