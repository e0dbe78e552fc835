package content

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// ImageName names what is deleted: a tag, or by a digest alone an image with all
// its tags. With both it is the tag, as long as it names that image.
type ImageName struct {
	Tag    string        `json:"tag,omitempty"`
	Digest digest.Digest `json:"digest,omitempty"`
}

// String is the name behind that of a repository, ":TAG", "@DIGEST" or both.
func (n ImageName) String() string {
	s := ""
	if n.Tag != "" {
		s = ":" + n.Tag
	}
	if n.Digest != "" {
		s += "@" + string(n.Digest)
	}
	return s
}

// Deleter deletes images.
type Deleter interface {
	// PlanDelete reports what Delete would do, without doing it. The error is for what
	// keeps it from finding out.
	PlanDelete(ctx context.Context, names []ImageName) (DeletePlan, error)
	// Delete deletes what is named. A tag is removed, and with its last tag an image;
	// an image by its digest goes with all its tags. What was deleted is in the
	// result beside an error too.
	Delete(ctx context.Context, names []ImageName) (Deletions, error)
	fmt.Stringer
}

// DeletePlan is what a deletion would do.
type DeletePlan struct {
	Images  []PlannedDeletion
	Missing []ImageName // that do not exist
}

// PlannedDeletion is what would become of one image.
type PlannedDeletion struct {
	Image
	Removed []string // tags, sorted
	Whole   bool     // the image goes too
}

// Deletions is what was deleted and what was not.
type Deletions struct {
	Deleted  []ImageName    // each with its digest; a tag that was removed, or an image without a tag
	Failures []*DeleteError // in the order of the names
}

// DeleteError reports that something was not deleted.
type DeleteError struct {
	Place  string // the endpoint
	Name   ImageName
	Digest digest.Digest // what the tag Name names, "" if that is not known
	Code   string        // of Amazon ECR, such as ImageReferencedByManifestList
	Reason string
	Err    error // of another registry
}

// The codes of Amazon ECR that have a message of our own.
const (
	CodeImageNotFound = "ImageNotFound"
	CodeReferenced    = "ImageReferencedByManifestList"
)

func (e *DeleteError) Error() string {
	image := e.Place + e.Name.String()
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Code == CodeImageNotFound:
		return image + ": not found"
	case e.Code == CodeReferenced:
		return fmt.Sprintf("%s: an index names it (%s); delete the index first", image, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", image, e.Code, e.Reason)
}

// Unwrap returns the error of a registry that is not Amazon ECR.
func (e *DeleteError) Unwrap() error { return e.Err }

// Is makes the error an [ErrNotFound] if the image does not exist.
func (e *DeleteError) Is(target error) bool {
	return target == ErrNotFound && e.Code == CodeImageNotFound
}
