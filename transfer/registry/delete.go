package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/deletion"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

var _ content.Deleter = (*Repository)(nil)

// PlanDelete looks each name up. Which other tags an image has is not known.
func (r *Repository) PlanDelete(ctx context.Context, names []content.ImageName) (content.DeletePlan, error) {
	var plan content.DeletePlan
	for _, n := range deletion.Unique(names) {
		m, err := r.named(ctx, n)
		if errors.Is(err, content.ErrNotFound) {
			plan.Missing = append(plan.Missing, n)
			continue
		}
		if err != nil {
			return content.DeletePlan{}, err
		}
		i := slices.IndexFunc(plan.Images, func(p content.PlannedDeletion) bool { return p.Digest == m.Descriptor.Digest })
		if i < 0 {
			i = len(plan.Images)
			plan.Images = append(plan.Images, content.PlannedDeletion{Image: content.Image{Digest: m.Descriptor.Digest, Tags: []string{}, MediaType: m.Descriptor.MediaType}})
		}
		p := &plan.Images[i]
		if n.Tag == "" {
			p.Whole = true
		} else {
			p.Tags, p.Removed = append(p.Tags, n.Tag), append(p.Removed, n.Tag)
		}
	}
	return plan, nil
}

// named returns the manifest that a name names.
func (r *Repository) named(ctx context.Context, n content.ImageName) (content.Manifest, error) {
	reference := n.Tag
	if reference == "" {
		reference = string(n.Digest)
	}
	m, err := r.Resolve(ctx, reference)
	if err == nil && n.Digest != "" && n.Digest != m.Descriptor.Digest {
		return content.Manifest{}, fmt.Errorf("%s:%s names %s, not %s: %w", r, n.Tag, m.Descriptor.Digest, n.Digest, content.ErrNotFound)
	}
	return m, err
}

// Delete deletes one after the other, with one request each, and one more to know which image a tag
// names. Many registries delete by digest only, or not at all: the failure then wraps
// [content.ErrUnsupported].
func (r *Repository) Delete(ctx context.Context, names []content.ImageName) (content.Deletions, error) {
	var result content.Deletions
	for _, n := range deletion.Unique(names) {
		m, err := r.named(ctx, n)
		if err == nil {
			reference := n.Tag
			if reference == "" {
				reference = string(n.Digest)
			}
			err = r.deleteReference(ctx, reference)
		}
		switch {
		case err == nil:
			result.Deleted = append(result.Deleted, content.ImageName{Tag: n.Tag, Digest: m.Descriptor.Digest})
		case ctx.Err() != nil:
			return result, err
		default:
			failure := &content.DeleteError{Place: r.String(), Name: n, Digest: m.Descriptor.Digest, Err: err}
			if errors.Is(err, content.ErrNotFound) {
				failure.Code = content.CodeImageNotFound
			}
			result.Failures = append(result.Failures, failure)
		}
	}
	return result, nil
}

// deleteReference removes a tag, or with a digest an image with all its tags. The error
// wraps [content.ErrNotFound] if it was not there, and [content.ErrUnsupported] if the registry
// deletes nothing, or no tags.
func (r *Repository) deleteReference(ctx context.Context, reference string) error {
	c, err := r.client(ctx, actionsDelete, "")
	if err != nil {
		return err
	}
	err = c.Delete(ctx, r.repository+"/manifests/"+reference)
	var refused *v2.Error
	byTag := !strings.Contains(reference, ":")
	switch {
	case byTag && errors.As(err, &refused) && refused.Code == "DIGEST_INVALID":
		// So does the registry of distribution before version 3.
		err = fmt.Errorf("%w: the registry does not delete by tag: %v", content.ErrUnsupported, err)
	case byTag:
		err = unsupported(err, "delete it; many delete by digest only, or not at all")
	default:
		err = unsupported(err, "delete it")
	}
	if err != nil {
		return r.fail("image "+reference, err)
	}
	return nil
}
