package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// listPage is how many names are asked for at once.
const listPage = 1000

const (
	// maxListPages and maxListBytes bound what a registry lists.
	maxListPages = 10_000
	maxListBytes = 32 << 20 // in one page
)

// Tags gives the tags of the repository, sorted.
func (r *Registry) Tags(ctx context.Context) ([]string, error) {
	c, err := r.client(ctx, actionsPull, "")
	if err != nil {
		return nil, err
	}
	tags, err := c.list(ctx, r.repository+"/tags/list", func(page []byte) ([]string, error) {
		var doc struct{ Tags []string }
		return doc.Tags, decodeList(page, &doc)
	})
	if err != nil {
		return nil, r.fail("tags", err)
	}
	return slices.DeleteFunc(tags, func(tag string) bool { return !isTag(tag) }), nil
}

// Repositories gives the names of the repositories that the registry lists, sorted.
// Many registries list none.
func (r *Registry) Repositories(ctx context.Context) ([]string, error) {
	c, err := r.scoped(ctx, "registry:catalog:*")
	if err != nil {
		return nil, err
	}
	names, err := c.list(ctx, "_catalog", func(page []byte) ([]string, error) {
		var doc struct{ Repositories []string }
		return doc.Repositories, decodeList(page, &doc)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: repositories: %w", r.host, err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !isRepositoryName(name) }), nil
}

func decodeList(data []byte, doc any) error {
	if err := json.Unmarshal(data, doc); err != nil {
		return fmt.Errorf("%w: not a list: %w", errProtocol, err)
	}
	return nil
}

// list gets all pages of a list and sorts it.
func (c *v2Client) list(ctx context.Context, path string, decode func(page []byte) ([]string, error)) ([]string, error) {
	var all []string
	err := c.pages(ctx, c.url(path, url.Values{"n": {fmt.Sprint(listPage)}}), nil, func(a answer) error {
		page, err := decode(a.body)
		all = append(all, page...)
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// pages gets an answer and those that its header Link leads to:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags.
func (c *v2Client) pages(ctx context.Context, u *url.URL, header http.Header, use func(answer) error) error {
	seen := map[string]bool{}
	for range maxListPages {
		if seen[u.String()] {
			return fmt.Errorf("%s: %w: its pages lead in a circle", withoutQuery(u), errProtocol)
		}
		seen[u.String()] = true
		a, err := c.getURL(ctx, u, header, maxListBytes)
		if err != nil {
			return err
		}
		if err := use(a); err != nil {
			return err
		}
		next := nextLink(a.header)
		if next == "" {
			return nil
		}
		if u, err = c.local(u, next); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w: more than %d pages", withoutQuery(u), errProtocol, maxListPages)
}

// nextLink is the address in a header Link of the relation "next", "" if there is
// none: https://www.rfc-editor.org/rfc/rfc8288#section-3.
func nextLink(h http.Header) string {
	for _, line := range h.Values("Link") {
		for line != "" {
			_, rest, ok := strings.Cut(line, "<")
			address, rest, end := strings.Cut(rest, ">")
			if !ok || !end {
				break
			}
			parameters, others, _ := strings.Cut(rest, ",")
			for _, p := range strings.Split(parameters, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") && slices.Contains(strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)), "next") {
					return address
				}
			}
			line = others
		}
	}
	return ""
}
