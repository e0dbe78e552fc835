// Package deletion is what endpoints that delete images have in common.
package deletion

import (
	"slices"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Unique returns each name once, in the order in which they are first.
func Unique(names []content.ImageName) []content.ImageName {
	var once []content.ImageName
	seen := make(map[content.ImageName]bool, len(names))
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			once = append(once, n)
		}
	}
	return once
}

// Plan finds out what becomes of images, which are all that the names name.
func Plan(images []content.Image, names []content.ImageName) content.DeletePlan {
	var plan content.DeletePlan
	for _, n := range names {
		named := slices.ContainsFunc(images, func(i content.Image) bool { return isNamed(i, n) })
		if !named && !slices.Contains(plan.Missing, n) {
			plan.Missing = append(plan.Missing, n)
		}
	}
	for _, i := range images {
		p := content.PlannedDeletion{Image: i}
		named := false
		for _, n := range names {
			if !isNamed(i, n) {
				continue
			}
			named = true
			if n.Tag == "" {
				p.Whole = true
			} else if !slices.Contains(p.Removed, n.Tag) {
				p.Removed = append(p.Removed, n.Tag)
			}
		}
		if !named {
			continue
		}
		if p.Whole || len(p.Removed) == len(i.Tags) {
			p.Whole, p.Removed = true, slices.Clone(i.Tags)
		}
		slices.Sort(p.Removed)
		plan.Images = append(plan.Images, p)
	}
	return plan
}

// isNamed reports whether an image has a name.
func isNamed(i content.Image, n content.ImageName) bool {
	return (n.Digest == "" || n.Digest == i.Digest) && (n.Tag == "" || slices.Contains(i.Tags, n.Tag))
}
