package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// Tags returns the tags of the repository, sorted.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	tags, err := c.List(ctx, r.repository+"/tags/list", "tags", content.IsTag)
	if err != nil {
		return nil, r.fail("tags", unsupported(err, "list tags"))
	}
	return tags, nil
}

// FirstTags returns the first page of the tags, sorted: what one request lists.
func (r *Repository) FirstTags(ctx context.Context) ([]string, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	a, err := c.Get(ctx, r.repository+"/tags/list", nil, nil, v2.MaxListBytes)
	var tags []string
	if err == nil {
		tags, err = v2.DecodeList(a.Body, "tags", content.IsTag)
	}
	if err != nil {
		return nil, r.fail("tags", unsupported(err, "list tags"))
	}
	slices.Sort(tags)
	return tags, nil
}

// Repositories returns the names of the repositories that the registry lists, sorted.
// Many registries list none: the error then wraps [content.ErrUnsupported].
func (r *Repository) Repositories(ctx context.Context) ([]string, error) {
	c, err := r.scoped(ctx, "registry:catalog:*")
	if err != nil {
		return nil, err
	}
	names, err := c.List(ctx, "_catalog", "repositories", content.IsRepositoryName)
	var refused *v2.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		err = fmt.Errorf("%w: the registry does not list repositories: %v", content.ErrUnsupported, err)
	}
	if err != nil {
		return nil, r.fail("repositories", unsupported(err, "list repositories"))
	}
	return names, nil
}
