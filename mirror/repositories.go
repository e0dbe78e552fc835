package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/wildcard"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// RepositoryLister is an [Opener] that lists the repositories of a registry, for an [ImageRules.From] with a *.
type RepositoryLister interface {
	// RepositoriesOf returns the names of the repositories of the registry at host.
	RepositoriesOf(ctx context.Context, host string) ([]string, error)
}

// isPattern reports whether the item is of all repositories whose names match.
func (s ImageRules) isPattern() bool { return strings.Contains(s.From, "*") }

// expandRepositories returns the configuration with an item for each repository that a pattern matches,
// in the order of their names. A pattern that matches none is an error: a mistake in it would go unnoticed.
func (c Config) expandRepositories(ctx context.Context, o Opener) (Config, error) {
	if !slices.ContainsFunc(c.Images, ImageRules.isPattern) {
		return c, nil
	}
	lister, ok := o.(RepositoryLister)
	if !ok {
		return c, fmt.Errorf("the repositories of a registry cannot be listed: %w", content.ErrUnsupported)
	}
	named := map[string]bool{}
	for _, item := range c.Images {
		named[item.From] = true
	}
	lists := map[string][]string{} // by host
	var images []ImageRules
	for i, item := range c.Images {
		if !item.isPattern() {
			images = append(images, item)
			continue
		}
		host, pattern, _ := strings.Cut(item.From, "/")
		names, known := lists[host]
		if !known {
			var err error
			if names, err = lister.RepositoriesOf(ctx, host); err != nil {
				return c, fmt.Errorf("repositories of %s: %w", host, err)
			}
			names = slices.Sorted(slices.Values(names))
			lists[host] = names
		}
		found := false
		for _, name := range names {
			one := item
			one.From, one.Except = host+"/"+name, nil
			if !wildcard.Match(pattern, name) || named[one.From] || c.isDestination(one.From) ||
				slices.ContainsFunc(item.Except, func(except string) bool { return wildcard.Match(except, name) }) {
				continue
			}
			found = true
			named[one.From] = true
			images = append(images, one)
		}
		if !found {
			return c, fmt.Errorf("images[%d]: no repository matches %s: %w", i, item.From, content.ErrNotFound)
		}
	}
	c.Images = images
	if len(c.Destinations) == 0 { // for an export
		return c, nil
	}
	return c, c.Validate()
}

// isDestination reports whether a repository is under a destination that has a prefix.
func (c Config) isDestination(repository string) bool {
	return slices.ContainsFunc(c.Destinations, func(d string) bool { return strings.Contains(d, "/") && strings.HasPrefix(repository, d+"/") })
}
