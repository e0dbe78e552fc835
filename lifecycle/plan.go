package lifecycle

import (
	"fmt"
	"strings"
)

// Plan is a policy in the words of people: what is zero is not asked for.
type Plan struct {
	UntaggedDays int      // expire untagged images pushed more than so many days ago
	Keep         []KeepOf // of images with some tags keep the newest
	// At most one of the three about all other images.
	AnyDays           int // expire them so many days after they were pushed
	AnyKeep           int // keep so many of them, the newest
	ArchiveUnusedDays int // archive them when they were not pulled for so many days
	ArchivedDays      int // expire archived images after so many days, at least 90
}

// KeepOf is how many images with a tag to keep.
type KeepOf struct {
	Tag   string // a prefix, or a pattern if there is a * in it
	Count int
}

// Policy makes the rules, in the order in which they shield each other: untagged
// images, images with tags in the order of Keep, all others, archived images. An
// error is an *InvalidError.
func (p Plan) Policy() (*Policy, error) {
	var rules []Rule
	expire := Action{Type: ActionExpire}
	add := func(s Selection, a Action, format string, args ...any) {
		if s.CountType != ImageCountMoreThan {
			s.CountUnit = Days
		}
		rules = append(rules, Rule{len(rules) + 1, fmt.Sprintf(format, args...), s, a})
	}
	if p.UntaggedDays != 0 {
		add(Selection{TagStatus: Untagged, CountType: SinceImagePushed, Count: p.UntaggedDays}, expire,
			"Delete untagged images after %s", days(p.UntaggedDays))
	}
	for _, k := range p.Keep {
		s := Selection{TagStatus: Tagged, CountType: ImageCountMoreThan, Count: k.Count}
		if strings.Contains(k.Tag, "*") {
			s.TagPatterns = []string{k.Tag}
		} else {
			s.TagPrefixes = []string{k.Tag}
		}
		add(s, expire, "Keep only %d %s images", k.Count, k.Tag)
	}
	if p.AnyDays != 0 {
		add(Selection{TagStatus: AnyTags, CountType: SinceImagePushed, Count: p.AnyDays}, expire,
			"Delete all images older than %s", days(p.AnyDays))
	}
	if p.AnyKeep != 0 {
		add(Selection{TagStatus: AnyTags, CountType: ImageCountMoreThan, Count: p.AnyKeep}, expire, "Keep only %d images", p.AnyKeep)
	}
	if p.ArchiveUnusedDays != 0 {
		add(Selection{TagStatus: AnyTags, CountType: SinceImagePulled, Count: p.ArchiveUnusedDays}, Action{ActionTransition, Archive},
			"Archive images not pulled for %s", days(p.ArchiveUnusedDays))
	}
	if p.ArchivedDays != 0 {
		add(Selection{TagStatus: AnyTags, StorageClass: Archive, CountType: SinceImageTransitioned, Count: p.ArchivedDays}, expire,
			"Delete archived images after %s", days(p.ArchivedDays))
	}
	return New(rules...)
}
