package lifecycle

import (
	"fmt"
	"strings"
)

// Retention describes which images to keep and for how long. Fields that are zero add no rule.
type Retention struct {
	UntaggedDays int          // expire untagged images pushed more than so many days ago
	Keep         []KeepTagged // of images with some tags keep the newest
	// At most one of the next three, which are about all other images, can be set.
	AnyDays           int // expire them so many days after they were pushed
	AnyKeep           int // keep so many of them, the newest
	ArchiveUnusedDays int // archive them when they were not pulled for so many days
	ArchivedDays      int // expire archived images after so many days, at least 90
}

// KeepTagged is how many images with a tag to keep.
type KeepTagged struct {
	Tag   string // a prefix, or a pattern if there is a * in it
	Count int
}

// Policy returns the rules, in the order in which they shield each other: untagged
// images, images with tags in the order of Keep, all others, archived images. An
// error is an [*InvalidError].
func (r Retention) Policy() (*Policy, error) {
	var rules []Rule
	expire := Action{Type: ActionExpire}
	add := func(s Selection, a Action, format string, args ...any) {
		if s.CountType != ImageCountMoreThan {
			s.CountUnit = UnitDays
		}
		rules = append(rules, Rule{len(rules) + 1, fmt.Sprintf(format, args...), s, a})
	}
	if r.UntaggedDays != 0 {
		add(Selection{TagStatus: Untagged, CountType: SinceImagePushed, Count: r.UntaggedDays}, expire,
			"Delete untagged images after %s", days(r.UntaggedDays))
	}
	for _, k := range r.Keep {
		s := Selection{TagStatus: Tagged, CountType: ImageCountMoreThan, Count: k.Count}
		if strings.Contains(k.Tag, "*") {
			s.TagPatterns = []string{k.Tag}
		} else {
			s.TagPrefixes = []string{k.Tag}
		}
		add(s, expire, "Keep only %d %s images", k.Count, k.Tag)
	}
	if r.AnyDays != 0 {
		add(Selection{TagStatus: AnyTags, CountType: SinceImagePushed, Count: r.AnyDays}, expire,
			"Delete all images older than %s", days(r.AnyDays))
	}
	if r.AnyKeep != 0 {
		add(Selection{TagStatus: AnyTags, CountType: ImageCountMoreThan, Count: r.AnyKeep}, expire, "Keep only %d images", r.AnyKeep)
	}
	if r.ArchiveUnusedDays != 0 {
		add(Selection{TagStatus: AnyTags, CountType: SinceImagePulled, Count: r.ArchiveUnusedDays}, Action{ActionTransition, Archive},
			"Archive images not pulled for %s", days(r.ArchiveUnusedDays))
	}
	if r.ArchivedDays != 0 {
		add(Selection{TagStatus: AnyTags, StorageClass: Archive, CountType: SinceImageTransitioned, Count: r.ArchivedDays}, expire,
			"Delete archived images after %s", days(r.ArchivedDays))
	}
	return New(rules...)
}
