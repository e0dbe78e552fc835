package content

import (
	"fmt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

var repositoryName = lazyregexp.New(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)

var tagName = lazyregexp.New(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// IsTag reports whether s can be a tag:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests.
func IsTag(s string) bool { return tagName.MatchString(s) }

// IsRepositoryName reports whether s can be the name of a repository:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests.
func IsRepositoryName(s string) bool { return repositoryName.MatchString(s) }

// CheckTag reports whether s can be a tag:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests.
func CheckTag(s string) error {
	if !IsTag(s) {
		return fmt.Errorf("%q is not a tag (letters, digits, and _ . - after the first, at most 128)", s)
	}
	return nil
}
