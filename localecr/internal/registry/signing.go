package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
)

// A SigningFailure is why AWS Signer does not sign: what DescribeImageSigningStatus shows.
type SigningFailure struct {
	Code   string
	Reason string
}

// imageSigning is the signing of an image with one profile.
type imageSigning struct {
	Profile       string              `json:"profile"` // ARN
	Status        types.SigningStatus `json:"status"`
	FailureCode   string              `json:"failureCode,omitempty"`
	FailureReason string              `json:"failureReason,omitempty"`
}

// signingJob is a signing that is not yet done. Its key says when it is due.
type signingJob struct {
	Account    string `json:"account"`
	Region     string `json:"region"`
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	Profile    string `json:"profile"`
}

// DescribeImageSigningStatus shows how far the signing of an image is, for each profile that it
// matched when it was pushed. Errors: RepositoryNotFound, ImageNotFound, InvalidParameter.
func (r *Registry) DescribeImageSigningStatus(_ context.Context, in *ecr.DescribeImageSigningStatusInput) (*ecr.DescribeImageSigningStatusOutput, error) {
	if in.ImageId == nil {
		return nil, invalidParameter("imageId", "must not be null")
	}
	out := &ecr.DescribeImageSigningStatusOutput{
		RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName, SigningStatuses: []types.ImageSigningStatus{},
	}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.named(*in.ImageId)
		if err != nil {
			return err
		}
		out.ImageId = &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: in.ImageId.ImageTag}
		for _, s := range rec.Signings {
			status := types.ImageSigningStatus{SigningProfileArn: aws.String(s.Profile), Status: s.Status}
			if s.Status == types.SigningStatusFailed {
				status.FailureCode, status.FailureReason = aws.String(s.FailureCode), aws.String(s.FailureReason)
			}
			out.SigningStatuses = append(out.SigningStatuses, status)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// startSigning begins the signing of an image that was pushed just now.
func (repo *repository) startSigning(rec *imageRecord) error {
	r, tx := repo.registry, repo.bucket.Tx()
	if !rec.signable() {
		return nil
	}
	c, err := r.signingConfiguration(tx)
	if err != nil || c == nil {
		return err
	}
	due := r.now().Add(r.store.signingTime)
	for _, profile := range signingProfiles(c, repo.record.Name) {
		rec.Signings = append(rec.Signings, imageSigning{Profile: profile, Status: types.SigningStatusInProgress})
		job := signingJob{Account: r.account, Region: r.region, Repository: repo.record.Name, Digest: rec.Digest, Profile: profile}
		if err := addJob(tx, bucketSignings, due, job); err != nil {
			return err
		}
	}
	return nil
}

// signable reports whether managed signing signs it: images and indexes of them, with or without a tag,
// the images of an index too, since each is pushed. Signatures cannot be signed, "only container images
// can" (user guide, managed signing): what refers to another image, and what is no image, is left out.
func (rec *imageRecord) signable() bool {
	switch rec.ArtifactType {
	case "", v1.MediaTypeImageConfig, mediaTypeDockerConfig:
		return rec.Subject == ""
	}
	return false
}

// finishSigning signs an image, if it is still there, or notes why it could not be signed. The caller
// holds store.blobs.
func (s *Store) finishSigning(tx *bolt.Tx, job signingJob, due time.Time) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sign %s in %s: %w", job.Digest, job.Repository, err)
		}
	}()
	repo, err := s.Registry(job.Account, job.Region).repository(tx, job.Repository)
	var gone *types.RepositoryNotFoundException
	if errors.As(err, &gone) {
		return nil
	}
	if err != nil {
		return err
	}
	rec, err := repo.image(job.Digest)
	if err != nil || rec == nil {
		return err
	}
	i := slices.IndexFunc(rec.Signings, func(s imageSigning) bool { return s.Profile == job.Profile })
	if i < 0 || rec.Signings[i].Status != types.SigningStatusInProgress {
		return nil // deleted and pushed again since
	}
	failure := s.signPayload(job.Profile, job.Repository)
	if failure == nil {
		if failure, err = repo.addSignature(rec, job.Profile, due); err != nil {
			return err
		}
	}
	rec.Signings[i].Status = types.SigningStatusComplete
	if failure != nil {
		rec.Signings[i].Status = types.SigningStatusFailed
		rec.Signings[i].FailureCode, rec.Signings[i].FailureReason = failure.Code, failure.Reason
	}
	return repo.saveImage(rec)
}
