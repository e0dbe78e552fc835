package imagetree

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// inList returns err with the name of what has the descriptor, if it is a [content.SizeError].
func inList(err error, list func(d digest.Digest) string) error {
	var wrong *content.SizeError
	if !errors.As(err, &wrong) {
		return err
	}
	return fmt.Errorf("%w, in %s", err, list(wrong.Digest))
}

// InIndex returns err with the digest of the index that has the wrong descriptor, if it is a [content.SizeError].
func InIndex(err error, index digest.Digest) error {
	return inList(err, func(digest.Digest) string { return "index " + string(index) })
}

// Named returns err with the name of the endpoint before it, unless it begins with that.
func Named(endpoint fmt.Stringer, err error) error {
	if strings.HasPrefix(err.Error(), endpoint.String()+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", endpoint, err)
}

// WithDigest returns err with what it is about before it, such as "config" and its digest, unless err names the
// digest.
func WithDigest(what string, d digest.Digest, err error) error {
	if strings.Contains(err.Error(), string(d)) {
		return err
	}
	return fmt.Errorf("%s %s: %w", what, d, err)
}

// InReferrers returns err with the name of the subject in whose list of referrers the wrong descriptor
// is, if it is a [content.SizeError]. subjects are by the digest of the referrer.
func InReferrers(err error, subjects map[digest.Digest]digest.Digest) error {
	return inList(err, func(d digest.Digest) string { return "the list of referrers of " + string(subjects[d]) })
}
