package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
)

// purposes are the values of [Options.Purpose], each of which includes those before it.
var purposes = []string{"pull", "push", "create"}

// Purposes returns the values of [Options.Purpose].
func Purposes() []string { return slices.Clone(purposes) }

// trial is one operation that is tried for its permission.
type trial struct {
	op   string
	call func(context.Context) error
	// refusals are the codes with which the operation fails if it is permitted; success is
	// permission too.
	refusals []string
}

// try tries operations. purpose is what they are needed for.
func (s *Session) try(ctx context.Context, purpose string, trials ...trial) Finding {
	var denied, unknown, allowed []string
	reason := ""
	for _, t := range trials {
		err := t.call(ctx)
		switch {
		case err == nil || slices.Contains(t.refusals, apiCode(err)):
			allowed = append(allowed, t.op)
			continue
		case isThrottled(err):
			s.throttled(t.op)
		case isDenied(err):
			denied = append(denied, "ecr:"+t.op)
			continue
		}
		unknown = append(unknown, t.op)
		if reason == "" {
			reason, _ = auth.Describe(err)
		}
	}
	switch {
	case len(denied) > 0:
		where := "on repository " + s.Subject.Reference.Repository
		return s.lacking(purpose, fmt.Sprintf("this identity may not %s: it lacks %s", purpose, strings.Join(denied, ", ")),
			fmt.Sprintf("Allow %s %s in the policy of the identity, or in the repository policy for an identity of another account.", strings.Join(denied, ", "), where),
			"Look for a deny too: an SCP, a permission boundary or the policy of the VPC endpoint.")
	case len(unknown) > 0:
		return warning(fmt.Sprintf("can't tell whether %s is permitted: %s", strings.Join(unknown, ", "), reason))
	}
	return ok("permitted: " + strings.Join(allowed, ", "))
}

// lacking is a failure if what is lacking is needed for the purpose of the session.
func (s *Session) lacking(purpose, found string, advice ...string) Finding {
	if slices.Index(purposes, purpose) <= slices.Index(purposes, s.Purpose) {
		return failed(found, advice...)
	}
	return warning(found, advice...)
}

// unknownDigest returns a digest that no content has.
func unknownDigest() string {
	random := make([]byte, 32)
	rand.Read(random)
	return digest.FromBytes(random).String()
}

// CanPull tries the operations of a pull with a digest that does not exist.
type CanPull struct{}

// Run implements [Check].
func (CanPull) Run(ctx context.Context, s *Session) Finding {
	api, f := s.repositoryAPI(ctx)
	if api == nil {
		return f
	}
	id, name, unknown := s.account(), s.repository(), unknownDigest()
	return s.try(ctx, "pull",
		trial{"BatchGetImage", func(ctx context.Context) error {
			_, err := api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RegistryId: id, RepositoryName: name, ImageIds: []types.ImageIdentifier{{ImageDigest: &unknown}}})
			return err
		}, nil},
		trial{"GetDownloadUrlForLayer", func(ctx context.Context) error {
			_, err := api.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RegistryId: id, RepositoryName: name, LayerDigest: &unknown})
			return err
		}, []string{"LayersNotFoundException", "LayerInaccessibleException"}})
}

// CanPush tries the operations of a push such that each must be refused: the parts of an
// upload that does not exist, and an image with a wrong digest whose blobs do not
// exist. InitiateLayerUpload is not tried: it begins an upload, and it creates the
// repository where a repository creation template applies.
type CanPush struct{}

// Run implements [Check].
func (CanPush) Run(ctx context.Context, s *Session) Finding {
	api, f := s.repositoryAPI(ctx)
	if api == nil {
		return f
	}
	id, name, unknown, upload := s.account(), s.repository(), unknownDigest(), uuid.NewString()
	const unknownImage = `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","config":{"mediaType":"` + ocispec.MediaTypeImageConfig + `","digest":"%[1]s","size":2},"layers":[{"mediaType":"` + ocispec.MediaTypeImageLayerGzip + `","digest":"%[1]s","size":2}]}`
	manifest, other := fmt.Sprintf(unknownImage, unknown), unknownDigest()
	return s.try(ctx, "push",
		trial{"BatchCheckLayerAvailability", func(ctx context.Context) error {
			_, err := api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RegistryId: id, RepositoryName: name, LayerDigests: []string{unknown}})
			return err
		}, nil},
		trial{"UploadLayerPart", func(ctx context.Context) error {
			_, err := api.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{RegistryId: id, RepositoryName: name, UploadId: &upload,
				PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte{0}})
			return err
		}, []string{"UploadNotFoundException"}},
		trial{"CompleteLayerUpload", func(ctx context.Context) error {
			_, err := api.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{RegistryId: id, RepositoryName: name, UploadId: &upload, LayerDigests: []string{unknown}})
			return err
		}, []string{"UploadNotFoundException"}},
		trial{"PutImage", func(ctx context.Context) error {
			_, err := api.PutImage(ctx, &ecr.PutImageInput{RegistryId: id, RepositoryName: name, ImageManifest: &manifest,
				ImageManifestMediaType: aws.String(ocispec.MediaTypeImageManifest), ImageDigest: &other})
			return err
		}, []string{"ImageDigestDoesNotMatchException", "LayersNotFoundException"}})
}

// CanCreate tries to create a repository that exists.
type CanCreate struct{}

// Run implements [Check].
func (CanCreate) Run(ctx context.Context, s *Session) Finding {
	if !s.Subject.isECR() {
		return skipped("not a private registry of Amazon ECR")
	}
	api, err := s.ecr(ctx)
	if err != nil {
		return s.fail("CreateRepository", err)
	}
	out, err := api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: s.account(), RepositoryNames: s.existing()})
	var missing *types.RepositoryNotFoundException
	if errors.As(err, &missing) {
		out, err = api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: s.account(), MaxResults: aws.Int32(1)})
	}
	switch {
	case isDenied(err):
		return skipped("ecr:DescribeRepositories is not permitted: no existing repository is known to try it with")
	case err != nil:
		return s.fail("DescribeRepositories", err)
	case len(out.Repositories) == 0:
		return skipped("no repository exists to try it with")
	}
	return s.try(ctx, "create", trial{"CreateRepository", func(ctx context.Context) error {
		_, err := api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RegistryId: s.account(), RepositoryName: out.Repositories[0].RepositoryName})
		return err
	}, []string{"RepositoryAlreadyExistsException"}})
}

// existing returns the name of the subject's repository, if it has one.
func (s *Session) existing() []string {
	if name := s.Subject.Reference.Repository; name != "" {
		return []string{name}
	}
	return nil
}

func (s *Session) account() *string    { return aws.String(s.Subject.Registry.Account) }
func (s *Session) repository() *string { return aws.String(s.Subject.Reference.Repository) }

// repositoryAPI returns the API for the subject's repository; nil, and the finding, if it
// has none.
func (s *Session) repositoryAPI(ctx context.Context) (*ecr.Client, Finding) {
	switch {
	case !s.Subject.isECR():
		return nil, skipped("not a private registry of Amazon ECR")
	case s.Subject.Reference.Repository == "":
		return nil, skipped("no repository was named")
	}
	api, err := s.ecr(ctx)
	if err != nil {
		return nil, s.fail("", err)
	}
	return api, Finding{}
}
