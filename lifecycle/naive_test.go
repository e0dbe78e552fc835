package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// naive is a second evaluator, written from the sentences of the user guide with no
// thought of speed and nothing of the first. Each image is judged by itself.
type naive struct {
	rules  []Rule // in any order
	images []Image
	at     time.Time
}

// "An image that matches the tagging requirements of a rule cannot be expired or
// archived by a rule with a lower priority." "An image is expired or archived by
// exactly one or zero rules."
func (m naive) judge(image Image) (Outcome, int) {
	if m.listed(image) || image.Status == StatusActivating && !m.refers(image) {
		return Keep, 0
	}
	if m.refers(image) {
		return m.judgeReferrer(image)
	}
	best := -1
	for n, rule := range m.rules {
		if m.matches(rule, image) && (best < 0 || rule.Priority < m.rules[best].Priority) {
			best = n
		}
	}
	if best < 0 || !m.marks(m.rules[best], image) {
		return Keep, 0
	}
	if m.rules[best].Action.Type == "transition" {
		return Transition, m.rules[best].Priority
	}
	return Expire, m.rules[best].Priority
}

// "When reference artifacts are present in a repository, Amazon ECR lifecycle
// policies automatically expire or archive those artifacts within 24 hours of the
// deletion or archival of the subject image."
func (m naive) judgeReferrer(image Image) (Outcome, int) {
	subject := m.image(image.Subject)
	outcome, rule := m.judge(*subject)
	canBeArchived := image.Status != StatusArchived && image.Status != StatusActivating
	if outcome == Expire {
		return Expire, rule
	}
	if outcome == Transition && canBeArchived {
		return Transition, rule
	}
	if outcome == Keep && subject.Status == StatusArchived && canBeArchived {
		return Transition, 0
	}
	return Keep, 0
}

func (m naive) image(d digest.Digest) *Image {
	for i := range m.images {
		if m.images[i].Digest == d {
			return &m.images[i]
		}
	}
	return nil
}

// "If an image is referenced by a manifest list, it cannot be expired or archived
// without the manifest list being deleted or archived first."
func (m naive) listed(image Image) bool {
	for _, list := range m.images {
		if list.Digest != image.Digest && list.Status != StatusArchived && slices.Contains(list.Children, image.Digest) {
			return true
		}
	}
	return false
}

// refers reports whether the subject of the image is in the repository, unless that
// refers to the image itself in the end.
func (m naive) refers(image Image) bool {
	for at, steps := image, 0; ; steps++ {
		subject := m.image(at.Subject)
		if at.Subject == "" || subject == nil {
			return steps > 0
		}
		if subject.Digest == image.Digest {
			return false
		}
		if steps > len(m.images) { // it leads to a circle of others
			return true
		}
		at = *subject
	}
}

// "The rule will only select images of this storage class." "An image is
// successfully matched if all of the tags in the tagPatternList or tagPrefixList
// value are matched against any of the image's tags."
func (m naive) matches(rule Rule, image Image) bool {
	archived := image.Status == StatusArchived
	if archived != (rule.Selection.StorageClass == "archive") {
		return false
	}
	if rule.Selection.TagStatus == "any" {
		return true
	}
	if rule.Selection.TagStatus == "untagged" {
		return len(image.Tags) == 0
	}
	all := true
	for _, prefix := range rule.Selection.TagPrefixes {
		some := false
		for _, tag := range image.Tags {
			some = some || strings.HasPrefix(tag, prefix)
		}
		all = all && some
	}
	for _, pattern := range rule.Selection.TagPatterns {
		some := false
		for _, tag := range image.Tags {
			some = some || glob(pattern, tag)
		}
		all = all && some
	}
	return all && len(image.Tags) > 0
}

func glob(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		return glob(pattern[1:], s) || s != "" && glob(pattern, s[1:])
	}
	return s != "" && s[0] == pattern[0] && glob(pattern[1:], s[1:])
}

// "Images are sorted from youngest to oldest based on pushed_at_time and then all
// images greater than the specified count are expired or archived." "All images
// whose pushed_at_time is older than the specified number of days are expired or
// archived", and so on.
func (m naive) marks(rule Rule, image Image) bool {
	days := time.Duration(rule.Selection.Count) * 24 * time.Hour
	switch rule.Selection.CountType {
	case "imageCountMoreThan":
		younger := 0
		for _, other := range m.images {
			if m.listed(other) || m.refers(other) || other.Status == StatusActivating || !m.matches(rule, other) {
				continue
			}
			a, b := m.pushedOrRestored(other), m.pushedOrRestored(image)
			if a.After(b) || a.Equal(b) && other.Digest > image.Digest {
				younger++
			}
		}
		return younger >= rule.Selection.Count
	case "sinceImagePushed":
		return m.at.Sub(image.PushedAt) > days
	case "sinceImageTransitioned":
		return !image.LastArchivedAt.IsZero() && m.at.Sub(image.LastArchivedAt) > days
	}
	// "If an image was never pulled, the image's pushed_at_time is used instead of the
	// last_recorded_pulltime. If an image was archived and then restored at any point in
	// the past, but never pulled since the image was restored, the image's
	// last_activated_at is used instead."
	pulled, restored := !image.LastPulledAt.IsZero(), !image.LastActivatedAt.IsZero()
	if restored && (!pulled || image.LastPulledAt.Before(image.LastActivatedAt)) {
		return m.at.Sub(image.LastActivatedAt) > days
	}
	if pulled {
		return m.at.Sub(image.LastPulledAt) > days
	}
	return m.at.Sub(image.PushedAt) > days
}

// "If an image was archived and then restored at any point in the past, the image's
// last_activated_at is used instead of pushed_at_time."
func (m naive) pushedOrRestored(image Image) time.Time {
	if image.LastActivatedAt.IsZero() {
		return image.PushedAt
	}
	return image.LastActivatedAt
}

func TestAgainstNaive(t *testing.T) {
	t.Parallel()
	compareWithNaive(t, 2_000)
}

// compareWithNaive compares the two evaluators on count random repositories and policies.
func compareWithNaive(t *testing.T, count uint64) {
	seen := map[string]uint64{}
	for seed := range count {
		r := rand.New(rand.NewPCG(seed, 6))
		policy, images := randomPolicy(r), randomImages(r)
		e := Evaluate(policy, images, noon)
		m := naive{slices.Clone(policy.Rules()), images, noon}
		r.Shuffle(len(m.rules), func(i, j int) { m.rules[i], m.rules[j] = m.rules[j], m.rules[i] })
		for i, v := range e.Verdicts {
			outcome, rule := m.judge(images[i])
			if v.Outcome != outcome || v.Rule != rule {
				t.Fatalf("seed %d, image %d: %s by rule %d, want %s by rule %d; %s\npolicy %+v\nimages %+v",
					seed, i, v.Outcome, v.Rule, outcome, rule, e.Reason(i), policy.Rules(), images)
			}
			if want := m.identifies(images[i]); !slices.Equal(v.IdentifiedBy(), want) {
				t.Fatalf("seed %d, image %d: identified by %v, want %v", seed, i, v.IdentifiedBy(), want)
			}
			if want := m.shields(images[i]); !slices.Equal(v.ShieldedBy(), want) {
				t.Fatalf("seed %d, image %d: shielded by %v, want %v", seed, i, v.ShieldedBy(), want)
			}
			seen[string(v.Outcome)]++
			if len(v.ShieldedBy()) > 0 {
				seen["shielded"]++
			}
			if v.ListedBy != "" {
				seen["listed"]++
			}
			if v.Follows != "" {
				seen["referrer "+string(v.Outcome)]++
			}
		}
	}
	for _, what := range []string{"KEEP", "EXPIRE", "TRANSITION", "shielded", "listed", "referrer KEEP", "referrer EXPIRE", "referrer TRANSITION"} {
		if seen[what] < count/100 {
			t.Errorf("only %d images of the outcome %s: the repositories and policies are not random enough", seen[what], what)
		}
	}
}

func (m naive) identifies(image Image) []int {
	var rules []int
	if m.listed(image) || m.refers(image) || image.Status == StatusActivating {
		return nil
	}
	for _, rule := range m.rules {
		if m.matches(rule, image) {
			rules = append(rules, rule.Priority)
		}
	}
	slices.Sort(rules)
	return rules
}

// shields returns the rules that identify the image before the first that would act.
func (m naive) shields(image Image) []int {
	rules := m.identifies(image)
	for n, priority := range rules {
		for _, rule := range m.rules {
			if rule.Priority == priority && m.marks(rule, image) {
				if n == 0 {
					return nil
				}
				return rules[:n]
			}
		}
	}
	return nil
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomPolicy makes rules until Amazon ECR would take them.
func randomPolicy(r *rand.Rand) *Policy {
	for {
		var rules []Rule
		for n := range 1 + r.IntN(5) {
			rule := Rule{Priority: n*3 + 1, Action: Action{Type: ActionExpire}}
			s := &rule.Selection
			s.TagStatus = pick(r, Tagged, Tagged, Tagged, Untagged, AnyTags)
			if s.TagStatus == Tagged {
				texts := []string{}
				for range 1 + r.IntN(2) {
					texts = append(texts, pick(r, "a", "b", "ab", "a*", "*b", "*", "*a*b", "a*b*a", "b*"))
				}
				if r.IntN(2) == 0 {
					s.TagPatterns = texts
				} else {
					s.TagPrefixes = texts
				}
			}
			s.CountType = pick(r, ImageCountMoreThan, ImageCountMoreThan, SinceImagePushed, SinceImagePushed, SinceImagePulled, SinceImageTransitioned)
			s.Count = 1 + r.IntN(4)
			if s.CountType != ImageCountMoreThan {
				s.CountUnit = UnitDays
				s.Count = 1 + r.IntN(120)
			}
			if s.CountType == SinceImageTransitioned {
				s.StorageClass, s.Count = Archive, 90+r.IntN(30)
			} else if s.CountType == SinceImagePulled || r.IntN(4) == 0 {
				rule.Action = Action{ActionTransition, Archive}
			}
			rules = append(rules, rule)
		}
		r.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
		if p, err := New(rules...); err == nil {
			return p
		}
	}
}

// randomNames are the digests of random images, and of others that are not there.
var randomNames = sync.OnceValue(func() (names [12]digest.Digest) {
	for i := range names {
		names[i] = digest.NewDigestFromEncoded(digest.SHA256, fmt.Sprintf("%064x", i))
	}
	return names
})

func randomImages(r *rand.Rand) []Image {
	images := make([]Image, r.IntN(10))
	name := func(i int) digest.Digest { return randomNames()[i] }
	order := r.Perm(len(images))
	for n := range images {
		image := &images[n]
		image.Digest = name(order[n])
		for range r.IntN(3) {
			tag := ""
			for range 1 + r.IntN(3) {
				tag += pick(r, "a", "b", "ab")
			}
			image.Tags = append(image.Tags, tag)
		}
		ago := func() time.Time { return noon.Add(-time.Duration(r.IntN(10*24)) * 13 * time.Hour) }
		image.PushedAt = ago()
		if r.IntN(2) == 0 {
			image.LastPulledAt = ago()
		}
		if r.IntN(4) == 0 {
			image.LastActivatedAt = ago()
		}
		switch r.IntN(6) {
		case 0, 1:
			image.Status, image.LastArchivedAt = StatusArchived, ago()
		case 2:
			image.Status = pick(r, StatusActivating, StatusActive)
		}
		if r.IntN(6) == 0 {
			image.MediaType, image.Children = ocispec.MediaTypeImageIndex, []digest.Digest{name(r.IntN(12)), name(r.IntN(12))}
		}
		if r.IntN(4) == 0 {
			image.Subject = name(r.IntN(12))
		}
	}
	return images
}
