package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
)

var (
	// ErrNotSigned reports that managed signing has not signed an image and will not: it
	// has failed, or was never begun.
	ErrNotSigned = errors.New("the image is not signed by managed signing")
	// ErrSigningUnfinished reports that signing was still in progress when the time to
	// wait was over.
	ErrSigningUnfinished = errors.New("managed signing is still in progress")
)

// SigningState is how far the managed signing of an image is.
type SigningState string

// The states of an image, with all its profiles taken together.
const (
	SigningNone       SigningState = "NONE" // no rule matched when it was pushed
	SigningInProgress SigningState = "IN_PROGRESS"
	SigningComplete   SigningState = "COMPLETE" // by every profile
	SigningFailed     SigningState = "FAILED"   // by at least one profile, and none is in progress
)

// ImageSigning is what is known of the managed signing of an image.
type ImageSigning struct {
	Digest   digest.Digest   `json:"digest"`
	State    SigningState    `json:"state"`
	Statuses []SigningStatus `json:"signingStatuses"`
}

// SigningStatus is that of one profile. AWS documents no failure codes; users have
// reported ACCESS_DENIED, for a pusher who may not use the profile.
type SigningStatus struct {
	Profile       string `json:"signingProfileArn"`
	Status        string `json:"status"` // IN_PROGRESS, COMPLETE or FAILED
	FailureCode   string `json:"failureCode,omitempty"`
	FailureReason string `json:"failureReason,omitempty"`
}

// Err is nil for [SigningComplete] and for [SigningInProgress]. Otherwise it wraps
// [ErrNotSigned] and says why.
func (s ImageSigning) Err() error {
	switch s.State {
	case SigningNone:
		return fmt.Errorf("%w: no signing rule matched its repository when it was pushed", ErrNotSigned)
	case SigningFailed:
		var failures []string
		for _, p := range s.Statuses {
			if p.Status == string(types.SigningStatusFailed) {
				failures = append(failures, p.failure())
			}
		}
		return fmt.Errorf("%w: %s", ErrNotSigned, strings.Join(failures, "; "))
	}
	return nil
}

func (s SigningStatus) failure() string {
	text := fmt.Sprintf("%s: %s: %s", s.Profile, s.FailureCode, auth.Redact(s.FailureReason))
	if s.FailureCode == "ACCESS_DENIED" {
		text += "; allow signer:SignPayload on the profile to the identity that pushes, and push again"
	}
	return text
}

// SigningStatus reads how far the managed signing of an image of a repository is. The
// error wraps [content.ErrNotFound] if it is missing.
func (r *Registry) SigningStatus(ctx context.Context, repository string, image content.ImageName) (ImageSigning, error) {
	id := &types.ImageIdentifier{}
	if image.Tag != "" {
		id.ImageTag = aws.String(image.Tag)
	}
	if image.Digest != "" {
		id.ImageDigest = aws.String(string(image.Digest))
	}
	object := fmt.Sprintf("signing status of %s/%s%s", r.Host, repository, image)
	out, err := r.api.DescribeImageSigningStatus(ctx, &ecr.DescribeImageSigningStatusInput{
		ImageId: id, RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	if err != nil {
		return ImageSigning{}, r.fail(object, repository, err)
	}
	signing := ImageSigning{Statuses: []SigningStatus{}}
	if out.ImageId != nil {
		signing.Digest = digest.Digest(aws.ToString(out.ImageId.ImageDigest))
	}
	if err := signing.Digest.Validate(); err != nil || image.Digest != "" && signing.Digest != image.Digest {
		return ImageSigning{}, fmt.Errorf("%s: the answer is about another image, %q", object, signing.Digest)
	}
	for _, s := range out.SigningStatuses {
		signing.Statuses = append(signing.Statuses, SigningStatus{
			Profile: aws.ToString(s.SigningProfileArn), Status: string(s.Status),
			FailureCode: aws.ToString(s.FailureCode), FailureReason: aws.ToString(s.FailureReason),
		})
	}
	signing.State = signingState(signing.Statuses)
	return signing, nil
}

// signingState takes the statuses together. One that is not known is not complete.
func signingState(statuses []SigningStatus) SigningState {
	has := func(status types.SigningStatus) bool {
		return slices.ContainsFunc(statuses, func(s SigningStatus) bool { return s.Status == string(status) })
	}
	pending := slices.ContainsFunc(statuses, func(s SigningStatus) bool {
		return s.Status != string(types.SigningStatusComplete) && s.Status != string(types.SigningStatusFailed)
	})
	switch {
	case len(statuses) == 0:
		return SigningNone
	case pending:
		return SigningInProgress
	case has(types.SigningStatusFailed):
		return SigningFailed
	}
	return SigningComplete
}

// firstSigningPause is the first pause between two looks at a signing, which takes
// Amazon ECR seconds, rarely minutes.
const firstSigningPause = time.Second

// WaitSigned looks at the managed signing of an image until none of its profiles is
// in progress, or limit is over, which bounds the requests and their retries, too: then it
// returns what it saw last, and an error that wraps [ErrSigningUnfinished], or why nothing
// was seen. Whether the image is signed is for [ImageSigning.Err] to say.
func (r *Registry) WaitSigned(ctx context.Context, repository string, image content.ImageName, limit time.Duration) (ImageSigning, error) {
	var last ImageSigning
	done, err := awaitAfter(ctx, limit, firstSigningPause, func(ctx context.Context) (bool, error) {
		signing, err := r.SigningStatus(ctx, repository, image)
		if err != nil {
			return false, err
		}
		last = signing
		image = content.ImageName{Digest: signing.Digest} // the tag may move meanwhile
		return signing.State != SigningInProgress, nil
	})
	if err == nil && !done {
		err = fmt.Errorf("%s/%s%s: %w after %v", r.Host, repository, image, ErrSigningUnfinished, limit)
	}
	return last, err
}
