package cli

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// arrange sorts a list, unless order is nil, and cuts it after limit entries if
// that is not 0. Without an order no more is read than is shown. An error comes
// last.
func arrange[T any](list iter.Seq2[T, error], order func(a, b T) int, limit int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		n := 0
		show := func(entry T) bool {
			n++
			return yield(entry, nil) && (limit <= 0 || n < limit)
		}
		for entry, err := range list {
			if err != nil {
				yield(entry, err)
				return
			}
			if order != nil {
				all = append(all, entry)
			} else if !show(entry) {
				return
			}
		}
		if order == nil {
			return
		}
		slices.SortStableFunc(all, order)
		for _, entry := range all {
			if !show(entry) {
				return
			}
		}
	}
}

// imageOrder is the order that the flags ask for; nil is that of the registry.
func imageOrder(f lsFlags) (func(a, b content.Image) int, error) {
	orders := map[string]func(a, b content.Image) int{
		"pushed": func(a, b content.Image) int { return latestFirst(a.PushedAt, b.PushedAt) },
		"pulled": func(a, b content.Image) int { return latestFirst(a.PulledAt, b.PulledAt) },
		"size":   func(a, b content.Image) int { return cmp.Compare(b.Size, a.Size) },
		"tag":    byTag,
		"name":   byTag,
	}
	return pickOrder(orders, f)
}

// repositoryOrder is the order that the flags ask for; nil is that of the registry.
func repositoryOrder(f lsFlags) (func(a, b ecr.RepositoryDescription) int, error) {
	switch {
	case f.tagged || f.untagged || f.tag != "" || f.since != "" || f.before != "" || f.larger != "":
		return nil, usagef("the filters are for images; name a repository")
	case f.sort != "" && f.sort != "name":
		return nil, usagef("repositories are sorted by name only, not by %q", f.sort)
	}
	orders := map[string]func(a, b ecr.RepositoryDescription) int{
		"name": func(a, b ecr.RepositoryDescription) int { return cmp.Compare(a.Name, b.Name) },
	}
	return pickOrder(orders, f)
}

func pickOrder[T any](orders map[string]func(a, b T) int, f lsFlags) (func(a, b T) int, error) {
	order, known := orders[f.sort]
	switch {
	case f.limit < 0:
		return nil, usagef("--limit %d is less than 0", f.limit)
	case f.sort == "" && f.reverse:
		return nil, usagef("--reverse needs --sort")
	case f.sort == "":
		return nil, nil
	case !known:
		return nil, usagef("--sort %q is not one of pushed, pulled, size, tag, name", f.sort)
	case f.reverse:
		return func(a, b T) int { return order(b, a) }, nil
	}
	return order, nil
}

// latestFirst sorts by time; one that is not known is the earliest.
func latestFirst(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return b.Compare(*a)
}

// byTag sorts by the first tag, images without a tag last, by digest.
func byTag(a, b content.Image) int {
	untagged := func(i content.Image) int {
		if len(i.Tags) == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(untagged(a), untagged(b)), slices.Compare(a.Tags, b.Tags), cmp.Compare(a.Digest, b.Digest))
}
