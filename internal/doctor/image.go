package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// imageFacts are what is known of the image.
type imageFacts struct {
	digest string // of the image for one platform
	blob   string // its smallest blob
	size   int64  // of all its blobs, in bytes
}

// image looks for the tag or digest, and for tags like it if it is missing.
type image struct{}

// Run implements [Check].
func (image) Run(ctx context.Context, s *Session) Finding {
	if s.Subject.Reference.Repository == "" {
		return skipped("no image was named")
	}
	if !s.Subject.isECR() {
		return s.otherImage(ctx)
	}
	api, err := s.ecr(ctx)
	if err != nil {
		return s.fail("BatchGetImage", err)
	}
	name, given := s.imageName()
	m, err := s.manifest(ctx, api, name)
	var missing *content.ImageNotFoundError
	switch {
	case errors.As(err, &missing):
		return s.missingImage(ctx, api, name, given)
	case err != nil:
		f := s.fail("BatchGetImage", err)
		if strings.Contains(apiCode(err), "Kms") {
			f.Advice = append(f.Advice, "The repository is encrypted with a KMS key: see that the key is enabled and that its grants for Amazon ECR exist.")
		}
		return f
	}
	return s.examine(ctx, m, func(d digest.Digest) ([]byte, error) { return s.manifest(ctx, api, d.String()) })
}

// imageName returns the tag or digest of the subject, and whether it was given.
func (s *Session) imageName() (name string, given bool) {
	if name = s.Subject.Reference.Name(); name != "" {
		return name, true
	}
	return "latest", false
}

// manifest reads one manifest. The error is a [content.ImageNotFoundError] if there is none.
func (s *Session) manifest(ctx context.Context, api *ecr.Client, name string) ([]byte, error) {
	id := types.ImageIdentifier{ImageTag: &name}
	if _, err := digest.Parse(name); err == nil {
		id = types.ImageIdentifier{ImageDigest: &name}
	}
	out, err := api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RegistryId: s.account(), RepositoryName: s.repository(), ImageIds: []types.ImageIdentifier{id},
		AcceptedMediaTypes: content.ManifestMediaTypes()})
	switch {
	case err != nil:
		return nil, err
	case len(out.Images) == 1:
		return []byte(aws.ToString(out.Images[0].ImageManifest)), nil
	case len(out.Failures) == 1 && out.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound:
		return nil, fmt.Errorf("%s: %s", out.Failures[0].FailureCode, auth.Redact(aws.ToString(out.Failures[0].FailureReason)))
	}
	return nil, &content.ImageNotFoundError{Place: s.Subject.Reference.Place(), Image: name}
}

func (s *Session) missingImage(ctx context.Context, api *ecr.Client, name string, given bool) Finding {
	place := s.Subject.Reference.Place()
	var advice []string
	if out, err := api.ListImages(ctx, &ecr.ListImagesInput{RegistryId: s.account(), RepositoryName: s.repository(), MaxResults: aws.Int32(1000),
		Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged}}); err == nil {
		var tags []string
		for _, i := range out.ImageIds {
			if tag := aws.ToString(i.ImageTag); tag != "" && !slices.Contains(tags, tag) {
				if _, _, referrer := content.ParseDigestTag(tag); !referrer {
					tags = append(tags, tag)
				}
			}
		}
		slices.Sort(tags)
		advice = []string{sentence(s.Suggest(name, tags, "tag", "tags", "ecrkit ls "+place))}
	}
	if !given {
		return warning(fmt.Sprintf("the reference has no tag, and %s has no %s", place, name), advice...)
	}
	return failed(fmt.Sprintf("%s has no image %s", place, name),
		append(advice, "A lifecycle policy may have deleted it: `ecrkit lifecycle get "+place+"`.")...)
}

// examine reads the image for this machine's architecture out of a manifest or index.
func (s *Session) examine(_ context.Context, manifest []byte, read func(digest.Digest) ([]byte, error)) Finding {
	var index ocispec.Index
	if err := strictjson.Unmarshal(manifest, &index); err != nil {
		return failed("its manifest can't be read: "+err.Error(), "Push the image again.")
	}
	f := ok("exists")
	if len(index.Manifests) > 0 {
		chosen := slices.IndexFunc(index.Manifests, func(d ocispec.Descriptor) bool {
			return d.Platform != nil && imagetree.EntrySubject(d) == "" && d.Platform.OS == "linux" && d.Platform.Architecture == runtime.GOARCH
		})
		switch known := platformsOf(index); {
		case len(known) == 0:
			chosen = 0
		case chosen < 0:
			f = warning(fmt.Sprintf("it is an index without an image for linux/%s", runtime.GOARCH),
				"On a machine like this one docker reports \"no matching manifest\": name a platform with `--platform`, or build the image for it.")
			chosen = 0
		default:
			f = ok("exists, for " + count(len(known), "platform"))
		}
		var err error
		if manifest, err = read(index.Manifests[chosen].Digest); err != nil {
			return failed(fmt.Sprintf("the index names %s, which can't be read: %v", index.Manifests[chosen].Digest, err), "Push the image again.")
		}
	}
	var m ocispec.Manifest
	if err := strictjson.Unmarshal(manifest, &m); err != nil {
		return failed("its manifest can't be read: "+err.Error(), "Push the image again.")
	}
	blobs := append([]ocispec.Descriptor{m.Config}, m.Layers...)
	known := &imageFacts{digest: digest.FromBytes(manifest).String()}
	smallest := blobs[0]
	for _, b := range blobs {
		known.size += b.Size
		if b.Size < smallest.Size {
			smallest = b
		}
	}
	known.blob = smallest.Digest.String()
	s.know(func(f *facts) { f.image = known })
	return f
}

// platformsOf returns the platforms of the images of an index. What is about another entry, an attestation or a
// SOCI index, has none of its own.
func platformsOf(index ocispec.Index) map[string]bool {
	named := map[string]bool{}
	for _, d := range index.Manifests {
		if p := d.Platform; p != nil && p.OS != "unknown" && p.OS != "" && imagetree.EntrySubject(d) == "" {
			named[strings.Join([]string{p.OS, p.Architecture, p.Variant, p.OSVersion}, "/")] = true
		}
	}
	return named
}

// otherImage looks for the image at another registry.
func (s *Session) otherImage(ctx context.Context) Finding {
	source, done, err := s.Open(ctx, s.Subject.Reference)
	if err != nil {
		return failed(err.Error())
	}
	defer func() { _ = done() }() // nothing was written
	name, given := s.imageName()
	m, err := source.Resolve(ctx, name)
	place := s.Subject.Reference.Place()
	var verdict interface {
		Verdict() (retry.Verdict, time.Time)
	}
	switch {
	case err == nil:
		return s.examine(ctx, m.Content, func(d digest.Digest) ([]byte, error) {
			child, err := source.Resolve(ctx, d.String())
			return child.Content, err
		})
	case errors.As(err, &verdict) && isThrottle(verdict):
		s.throttled("GET /v2/.../manifests")
		return warning("the registry throttles requests: " + auth.Redact(err.Error()))
	case errors.Is(err, content.ErrNotFound) && !given:
		return warning(fmt.Sprintf("the reference has no tag, and %s has no %s", place, name), "Name a tag.")
	case errors.Is(err, content.ErrNotFound):
		return failed(fmt.Sprintf("%s has no image %s", place, name), fmt.Sprintf("`ecrkit ls %s` lists the tags.", place))
	case strings.Contains(err.Error(), "401 Unauthorized"), strings.Contains(err.Error(), "403 Forbidden"):
		return failed(auth.Redact(err.Error()), fmt.Sprintf("Log in with `docker login %s`, or ask for access: many registries answer so for a repository that does not exist, too.", s.Subject.Host))
	}
	return failed(auth.Redact(err.Error()))
}

func isThrottle(v interface {
	Verdict() (retry.Verdict, time.Time)
}) bool {
	verdict, _ := v.Verdict()
	return verdict == retry.Throttled
}

// count is a number of things, for people.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
