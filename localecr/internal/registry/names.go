package registry

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Source of the patterns and lengths: the service's model (API reference of CreateRepository,
// PutImage, CompleteLayerUpload, TagResource).
var (
	repositoryPattern = lazyregexp.New(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	tagPattern        = lazyregexp.New(`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`)
)

// digestPattern is the form of a digest that [ValidDigest] accepts.
const digestPattern = "sha256:[a-f0-9]{64}"

const (
	maxTagLength   = 300
	maxBatchLength = 100
)

func checkRepositoryName(name *string) (string, error) {
	n := aws.ToString(name)
	switch {
	case name == nil:
		return "", invalidParameter("repositoryName", "must not be null")
	case len(n) < 2 || len(n) > 256:
		return "", invalidParameter("repositoryName", "must have a length between 2 and 256")
	case !repositoryPattern.MatchString(n):
		return "", invalidParameter("repositoryName", "must satisfy regular expression '%s'", strings.Trim(repositoryPattern.String(), "^$"))
	}
	return n, nil
}

// ValidRepositoryName reports whether ECR could have a repository of this name.
func ValidRepositoryName(name string) bool {
	_, err := checkRepositoryName(&name)
	return err == nil
}

// ValidTag reports whether an image could have this tag.
func ValidTag(tag string) bool {
	return len(tag) <= maxTagLength && tagPattern.MatchString(tag)
}

// ValidDigest reports whether d is the digest of something that ECR could hold: SHA-256, lower case.
func ValidDigest(d string) bool {
	// Not by a regular expression: each manifest has many digests.
	hex, ok := strings.CutPrefix(d, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

func checkTag(tag string) error {
	if !ValidTag(tag) {
		return invalidParameter("imageTag", "must satisfy regular expression '%s' and have at most %d characters", strings.Trim(tagPattern.String(), "^$"), maxTagLength)
	}
	return nil
}

func checkDigest(member, digest string) error {
	if !ValidDigest(digest) {
		return invalidParameter(member, "must satisfy regular expression '%s'", digestPattern)
	}
	return nil
}

func checkBatch(member string, n int) error {
	if n < 1 || n > maxBatchLength {
		return invalidParameter(member, "must have a length between 1 and %d", maxBatchLength)
	}
	return nil
}

func checkImageIDs(ids []types.ImageIdentifier) error { return checkBatch("imageIds", len(ids)) }
