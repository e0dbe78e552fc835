package lifecycle

import (
	"encoding/json"
	"slices"
)

// Limits of Amazon ECR on a policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const (
	MaxPolicyLength = 30_720 // characters
	MaxRules        = 50
	maxWildcards    = 4  // in one pattern
	minArchiveDays  = 90 // that an image stays in the archive at least
)

// TagStatus selects images with tags, without tags, or all.
type TagStatus string

// The tag statuses.
const (
	Tagged   TagStatus = "tagged"
	Untagged TagStatus = "untagged"
	AnyTags  TagStatus = "any"
)

// StorageClass is the storage class of an image. A rule selects images of one class.
type StorageClass string

// The storage classes.
const (
	Standard StorageClass = "standard"
	Archive  StorageClass = "archive"
)

// CountType is what a rule counts.
type CountType string

// The count types. With the first a rule acts on all but the newest Count images,
// with the others on images whose time is more than Count days ago.
const (
	ImageCountMoreThan     CountType = "imageCountMoreThan"
	SinceImagePushed       CountType = "sinceImagePushed"
	SinceImagePulled       CountType = "sinceImagePulled"
	SinceImageTransitioned CountType = "sinceImageTransitioned"
)

// ActionType is what a rule does with an image.
type ActionType string

// The action types.
const (
	ActionExpire     ActionType = "expire"     // delete it
	ActionTransition ActionType = "transition" // move it to the archive
)

// UnitDays is the only unit of a count of days.
const UnitDays = "days"

// Rule is one rule of a policy. Its JSON form is that of Amazon ECR.
type Rule struct {
	Priority    int       `json:"rulePriority"` // from 1; the lowest is applied first
	Description string    `json:"description,omitempty"`
	Selection   Selection `json:"selection"`
	Action      Action    `json:"action"`
}

// Selection selects the images on which a rule may act.
type Selection struct {
	TagStatus TagStatus `json:"tagStatus"`
	// TagPatterns, in which * stands for any text, or TagPrefixes: an image must have
	// a tag for each of them.
	TagPatterns []string `json:"tagPatternList,omitempty"`
	TagPrefixes []string `json:"tagPrefixList,omitempty"`
	// StorageClass is that of the images; "" is Standard.
	StorageClass StorageClass `json:"storageClass,omitempty"`
	CountType    CountType    `json:"countType"`
	CountUnit    string       `json:"countUnit,omitempty"` // UnitDays, or "" with ImageCountMoreThan
	Count        int          `json:"countNumber"`
}

// Class is the storage class of the images that the rule selects.
func (s Selection) Class() StorageClass {
	if s.StorageClass == "" {
		return Standard
	}
	return s.StorageClass
}

// Action is what a rule does.
type Action struct {
	Type   ActionType   `json:"type"`
	Target StorageClass `json:"targetStorageClass,omitempty"` // Archive with ActionTransition
}

// Policy is a lifecycle policy that Amazon ECR accepts. Parse, New and Retention.Policy
// return one; the zero Policy has no rules.
type Policy struct {
	rules []Rule // by priority
}

// New returns a policy with these rules. An error is an [*InvalidError].
func New(rules ...Rule) (*Policy, error) {
	if problems := check(rules, func(int, string) (int, int) { return 0, 0 }); len(problems) > 0 {
		return nil, &InvalidError{problems}
	}
	return newPolicy(rules), nil
}

func newPolicy(rules []Rule) *Policy {
	sorted := make([]Rule, len(rules))
	for i, r := range rules {
		r.Selection.TagPatterns = slices.Clone(r.Selection.TagPatterns)
		r.Selection.TagPrefixes = slices.Clone(r.Selection.TagPrefixes)
		sorted[i] = r
	}
	slices.SortFunc(sorted, func(a, b Rule) int { return a.Priority - b.Priority })
	return &Policy{sorted}
}

// Rules returns the rules in the order in which they are applied. The caller must not
// change them.
func (p *Policy) Rules() []Rule { return p.rules }

// MarshalJSON returns the policy in the form of Amazon ECR.
func (p *Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Rules []Rule `json:"rules"`
	}{p.rules})
}
