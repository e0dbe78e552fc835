package cli

import (
	"iter"
	"path"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ecrkit/ecrkit/internal/age"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// imageFilter is which images ls shows; what is zero shows all.
type imageFilter struct {
	status        content.TagFilter
	tag           string // pattern
	since, before time.Time
	larger        uint64
}

func newImageFilter(f lsFlags, now time.Time) (imageFilter, error) {
	filter := imageFilter{tag: f.tag}
	switch {
	case f.tagged && f.untagged:
		return filter, usagef("--tagged and --untagged exclude each other")
	case f.untagged && f.tag != "":
		return filter, usagef("--untagged and --tag exclude each other")
	case f.tagged, f.tag != "":
		filter.status = content.TaggedOnly
	case f.untagged:
		filter.status = content.UntaggedOnly
	}
	if _, err := path.Match(f.tag, ""); err != nil {
		return filter, usagef("--tag %q is not a pattern; write * ? or [a-z]", f.tag)
	}
	var err error
	if filter.since, err = parseWhen("--since", f.since, now); err != nil {
		return filter, err
	}
	if filter.before, err = parseWhen("--before", f.before, now); err != nil {
		return filter, err
	}
	if f.larger != "" {
		if filter.larger, err = humanize.ParseBytes(f.larger); err != nil {
			return filter, usagef("--larger-than %q is not a size; write 500MiB or 2GB", f.larger)
		}
	}
	return filter, nil
}

func (f imageFilter) match(i content.Image) bool {
	switch {
	case f.tag != "" && !slices.ContainsFunc(i.Tags, func(tag string) bool { ok, _ := path.Match(f.tag, tag); return ok }),
		!f.since.IsZero() && (i.PushedAt == nil || i.PushedAt.Before(f.since)),
		!f.before.IsZero() && (i.PushedAt == nil || !i.PushedAt.Before(f.before)),
		f.larger > 0 && uint64(i.Size) <= f.larger:
		return false
	}
	return true
}

// apply leaves out the images that do not match.
func (f imageFilter) apply(images iter.Seq2[content.Image, error]) iter.Seq2[content.Image, error] {
	return func(yield func(content.Image, error) bool) {
		for image, err := range images {
			if (err != nil || f.match(image)) && !yield(image, err) {
				return
			}
		}
	}
}

// parseWhen reads an age before now (90m, 36h, 30d, 4w), a date, which begins at
// midnight UTC, or an RFC 3339 time. "" is the zero time.
func parseWhen(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if past, err := age.Parse(s); err == nil {
		return now.Add(-past), nil
	}
	return time.Time{}, usagef("%s %q is neither an age nor a time; write 36h, 30d, 2026-01-31 or 2026-01-31T12:00:00Z", flag, s)
}
