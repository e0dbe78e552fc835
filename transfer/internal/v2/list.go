package v2

import (
	"bytes"
	"context"
	"encoding/json"
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

// Bounds of what a registry lists, of all pages together unless they say otherwise.
const (
	maxListPages = 10_000
	MaxListBytes = 32 << 20 // in one page
	maxListTotal = 64 << 20 // bytes
)

// listBounds bound a list, in names and in bytes of its pages.
type listBounds struct{ names, bytes int }

// MaxListed is how many tags or repositories are listed at most: ten times the images
// that Amazon ECR keeps in a repository by default
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html).
const MaxListed = 1_000_000

// List gets all pages of a list of names, below a member of its JSON, and returns the
// valid ones, sorted. The error wraps [content.ErrUnsupported] if there are more than
// [MaxListed], or than can be kept in memory.
func (c *Client) List(ctx context.Context, path, member string, valid func(string) bool) ([]string, error) {
	return c.list(ctx, path, member, valid, listBounds{MaxListed, maxListTotal})
}

func (c *Client) list(ctx context.Context, path, member string, valid func(string) bool, most listBounds) ([]string, error) {
	var all []string
	total := 0
	err := c.Pages(ctx, c.URL(path, url.Values{"n": {fmt.Sprint(listPage)}}), nil, func(a Answer) error {
		if total += len(a.Body); total > most.bytes {
			return fmt.Errorf("%w: the list has more than %d bytes", content.ErrUnsupported, most.bytes)
		}
		page, err := decodeList(a.Body, member, valid, most.names-len(all))
		all = append(all, page...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// DecodeList returns the valid names below a member of a JSON object. It keeps no
// others, so that a page of empty names takes no memory.
func DecodeList(page []byte, member string, valid func(string) bool) ([]string, error) {
	return decodeList(page, member, valid, MaxListed)
}

// decodeList returns at most so many names; more are an error.
func decodeList(page []byte, member string, valid func(string) bool, most int) ([]string, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(page, &doc); err != nil {
		return nil, fmt.Errorf("%w: not a list: %w", content.ErrProtocol, err)
	}
	raw, ok := doc[member]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return nil, fmt.Errorf("%w: %s is not a list", content.ErrProtocol, member)
	}
	var names []string
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		switch {
		case err != nil || !ok:
			return nil, fmt.Errorf("%w: %s is not a list of names", content.ErrProtocol, member)
		case !valid(name):
		case len(names) == most:
			return nil, fmt.Errorf("%w: the list has more than %d names", content.ErrUnsupported, MaxListed)
		default:
			names = append(names, name)
		}
	}
	return names, nil
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
