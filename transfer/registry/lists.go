package registry

import (
	"context"
	"encoding/json"
	"fmt"
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
	tags, err := c.List(ctx, r.repository+"/tags/list", func(page []byte) ([]string, error) {
		var doc struct{ Tags []string }
		return doc.Tags, decodeList(page, &doc)
	})
	if err != nil {
		return nil, r.fail("tags", err)
	}
	return slices.DeleteFunc(tags, func(tag string) bool { return !content.IsTag(tag) }), nil
}

// FirstTags returns the first page of the tags, sorted: what one request lists.
func (r *Repository) FirstTags(ctx context.Context) ([]string, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	var doc struct{ Tags []string }
	a, err := c.Get(ctx, r.repository+"/tags/list", nil, nil, v2.MaxListBytes)
	if err == nil {
		err = decodeList(a.Body, &doc)
	}
	if err != nil {
		return nil, r.fail("tags", err)
	}
	slices.Sort(doc.Tags)
	return slices.DeleteFunc(doc.Tags, func(tag string) bool { return !content.IsTag(tag) }), nil
}

// Repositories returns the names of the repositories that the registry lists, sorted.
// Many registries list none.
func (r *Repository) Repositories(ctx context.Context) ([]string, error) {
	c, err := r.scoped(ctx, "registry:catalog:*")
	if err != nil {
		return nil, err
	}
	names, err := c.List(ctx, "_catalog", func(page []byte) ([]string, error) {
		var doc struct{ Repositories []string }
		return doc.Repositories, decodeList(page, &doc)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: repositories: %w", r.host, err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !content.IsRepositoryName(name) }), nil
}

func decodeList(data []byte, doc any) error {
	if err := json.Unmarshal(data, doc); err != nil {
		return fmt.Errorf("%w: not a list: %w", content.ErrProtocol, err)
	}
	return nil
}
