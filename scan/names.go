package scan

import (
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/opencontainers/go-digest"
)

// shortDigest is how many hexadecimal digits of a digest a report shows where there is a way to the rest.
const shortDigest = 12

// shortReference returns a reference without the host of its registry, and with the digest cut. With a
// tag the digest is left out.
func shortReference(reference string) string {
	name := reference
	if first, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		name = rest
	}
	name, id, ok := strings.Cut(name, "@")
	switch {
	case !ok:
		return oneLine(name)
	case strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":"):
		return oneLine(name)
	}
	return oneLine(name + "@" + cutDigest(digest.Digest(id)))
}

// cutDigest returns the beginning of a digest, for people.
func cutDigest(d digest.Digest) string {
	algorithm, hex, ok := strings.Cut(string(d), ":")
	if !ok || len(hex) <= shortDigest {
		return oneLine(string(d))
	}
	return oneLine(algorithm + ":" + hex[:shortDigest])
}

// shortNames returns names that tell the images of a report apart, each as short as it can be: the
// platform, the last part of the reference, both, or all that is known.
func shortNames(images []Image) []string {
	last := func(i Image) string {
		name := shortReference(i.Reference)
		return name[strings.LastIndexByte(name, '/')+1:]
	}
	with := func(name, platform string) string {
		if platform == "" {
			return name
		}
		return name + " " + oneLine(platform)
	}
	var names []string
	for _, choose := range []func(Image) string{
		func(i Image) string { return oneLine(i.Platform) },
		last,
		func(i Image) string { return with(last(i), i.Platform) },
		func(i Image) string { return with(shortReference(i.Reference), i.Platform) },
		func(i Image) string { return with(oneLine(i.Reference), i.Platform) },
		func(i Image) string { return with(oneLine(i.Reference), i.Platform) + " " + oneLine(string(i.Digest)) },
	} {
		names = names[:0]
		seen := map[string]bool{"": true}
		for _, i := range images {
			name := choose(i)
			if seen[name] {
				break
			}
			seen[name] = true
			names = append(names, name)
		}
		if len(names) == len(images) {
			return names
		}
	}
	// Two that are the same in all that is known.
	names = names[:0]
	for _, i := range images {
		names = append(names, oneLine(i.title()))
	}
	return names
}

// about returns what the images have in common, for a title.
func (v Verdict) about() string {
	if len(v.Images) == 0 {
		return "No image"
	}
	first := v.Images[0]
	reference, repository := true, first.Repository != ""
	for _, i := range v.Images[1:] {
		reference = reference && i.Reference == first.Reference
		repository = repository && i.Repository == first.Repository
	}
	switch {
	case reference:
		return shortReference(first.Reference)
	case repository:
		return oneLine(first.Repository) + ", " + english.Plural(len(v.Images), "image", "")
	}
	return english.Plural(len(v.Images), "image", "")
}
