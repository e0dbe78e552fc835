package v2

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// IsRedirect reports whether an answer says where else the content is.
func IsRedirect(r *http.Response) bool { return slices.Contains(Redirects, r.StatusCode) }

var Redirects = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
	http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// listPage is how many names are asked for at once.
const listPage = 1000

const (
	// maxListPages and maxListBytes bound what a registry lists.
	maxListPages = 10_000
	MaxListBytes = 32 << 20 // in one page
)

// List gets all pages of a list and sorts it.
func (c *Client) List(ctx context.Context, path string, decode func(page []byte) ([]string, error)) ([]string, error) {
	var all []string
	err := c.Pages(ctx, c.URL(path, url.Values{"n": {fmt.Sprint(listPage)}}), nil, func(a Answer) error {
		page, err := decode(a.Body)
		all = append(all, page...)
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// Pages gets an answer and those that its header Link leads to:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags.
func (c *Client) Pages(ctx context.Context, u *url.URL, header http.Header, use func(Answer) error) error {
	seen := map[string]bool{}
	for range maxListPages {
		if seen[u.String()] {
			return fmt.Errorf("%s: %w: its pages lead in a circle", WithoutQuery(u), content.ErrProtocol)
		}
		seen[u.String()] = true
		a, err := c.getURL(ctx, u, header, MaxListBytes)
		if err != nil {
			return err
		}
		if err := use(a); err != nil {
			return err
		}
		next := nextLink(a.Header)
		if next == "" {
			return nil
		}
		if u, err = c.local(u, next); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w: more than %d pages", WithoutQuery(u), content.ErrProtocol, maxListPages)
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
