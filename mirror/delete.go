package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// delete deletes what the plan says, repository by repository. Before each it asks whether the images
// still have the tags that they had: the error wraps [ErrChanged] otherwise, and nothing there is deleted.
// The first error ends it.
func (p Plan) delete(ctx context.Context, o Opener) (done []Deleted, err error) {
	for _, r := range p.Repositories {
		if len(r.Delete) == 0 {
			continue
		}
		target, err := o.Target(ctx, r.To)
		if err != nil {
			return done, err
		}
		deleter, ok := target.(content.Deleter)
		if !ok {
			return done, fmt.Errorf("%s: %w", r.To, content.ErrUnsupported)
		}
		names := deletionNames(r.Delete)
		planned, err := deleter.PlanDelete(ctx, names)
		if err != nil {
			return done, fmt.Errorf("%s: %w", r.To, err)
		}
		if !sameDeletions(r.Delete, planned) {
			return done, fmt.Errorf("%s: %w", r.To, deletionChangedError{})
		}
		result, err := deleter.Delete(ctx, names)
		for _, name := range result.Deleted {
			done = append(done, Deleted{r.To, name})
		}
		for _, f := range result.Failures {
			err = errors.Join(err, f)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// deletionChangedError is an [ErrChanged] about what is to be deleted.
type deletionChangedError struct{}

func (deletionChangedError) Error() string {
	return "images that are to be deleted have changed since the plan was made"
}

func (deletionChangedError) Is(target error) bool {
	return target == ErrChanged || target == content.ErrConflict
}

// deletionNames are tags with the image that they must still name, and images without a tag.
func deletionNames(deletions []Deletion) (names []content.ImageName) {
	for _, d := range deletions {
		for _, tag := range d.Tags {
			names = append(names, content.ImageName{Tag: tag, Digest: d.Digest})
		}
		if len(d.Tags) == 0 {
			names = append(names, content.ImageName{Digest: d.Digest})
		}
	}
	return names
}

// sameDeletions reports whether a deletion would do what the plan says.
func sameDeletions(deletions []Deletion, planned content.DeletePlan) bool {
	if len(planned.Missing) > 0 || len(planned.Images) != len(deletions) {
		return false
	}
	by := map[digest.Digest]content.PlannedDeletion{}
	for _, image := range planned.Images {
		by[image.Digest] = image
	}
	for _, d := range deletions {
		now, ok := by[d.Digest]
		if !ok || now.Whole != d.Whole || !slices.Equal(now.Removed, slices.Sorted(slices.Values(d.Tags))) {
			return false
		}
	}
	return true
}
