package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/deletion"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

var _ content.BlobStatter = (*Repository)(nil)

// StatBlob asks with one HEAD, and more if the registry sends to where the blob is.
func (r *Repository) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	if err := content.CheckDescriptor(content.Descriptor{Digest: d}); err != nil {
		return content.Descriptor{}, fmt.Errorf("%s: %w", r, err)
	}
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return content.Descriptor{}, err
	}
	var size int64
	err = v2.Retry(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, c.URL(r.repository+"/blobs/"+string(d), nil).String(), nil)
		if err != nil {
			return err
		}
		response, err := c.Do(request, append(v2.Redirects, http.StatusOK)...)
		if err != nil {
			return err
		}
		v2.Drop(response)
		if v2.IsRedirect(response) {
			// Where the blob is, often only GET is allowed: its first byte tells the size.
			response, _, err = r.openBlob(ctx, c, content.Descriptor{Digest: d}, "bytes=0-0")
			if err != nil {
				return err
			}
			response.Body.Close()
		}
		size, err = blobSize(response)
		return err
	})
	if err != nil {
		return content.Descriptor{}, r.fail("blob "+string(d), err)
	}
	found := content.Descriptor{Digest: d, Size: size}
	return found, content.CheckDescriptor(found)
}

// blobSize is the size of the whole blob of which an answer is the header, or has
// a range.
func blobSize(response *http.Response) (int64, error) {
	size := response.ContentLength
	if response.StatusCode == http.StatusPartialContent {
		var first, last int64
		if n, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); n != 3 || err != nil {
			size = -1
		}
	}
	if size < 0 {
		return 0, fmt.Errorf("%w: the size of the blob is not told", content.ErrProtocol)
	}
	return size, nil
}

// Deleter deletes images of the repository, one request each, and one more to know
// which image a tag names. Many registries delete by digest only, or not at all:
// the failure then wraps [content.ErrUnsupported].
func (r *Repository) Deleter() content.Deleter { return registryDeleter{r} }

type registryDeleter struct{ *Repository }

// PlanDelete looks each name up. Which other tags an image has is not known.
func (r registryDeleter) PlanDelete(ctx context.Context, names []content.ImageName) (content.DeletePlan, error) {
	var plan content.DeletePlan
	for _, n := range deletion.Unique(names) {
		m, err := r.find(ctx, n)
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

// find returns the manifest that a name names.
func (r registryDeleter) find(ctx context.Context, n content.ImageName) (content.Manifest, error) {
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

// Delete deletes one after the other.
func (r registryDeleter) Delete(ctx context.Context, names []content.ImageName) (content.Deletions, error) {
	var result content.Deletions
	for _, n := range deletion.Unique(names) {
		m, err := r.find(ctx, n)
		if err == nil {
			reference := n.Tag
			if reference == "" {
				reference = string(n.Digest)
			}
			err = r.Repository.Delete(ctx, reference)
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
