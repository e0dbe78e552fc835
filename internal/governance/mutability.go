package governance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// Limits of exclusions from tag mutability, from
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html.
const (
	MaxExclusions = 5

	maxExclusionWildcards = 2
)

var exclusionPattern = lazyregexp.New(`^[0-9a-zA-Z._*-]{1,128}$`)

// Mutability selects the tags of a repository that can be moved to another image.
type Mutability struct {
	Immutable bool
	// Exclusions are patterns of tags to which the opposite applies; * is any number of
	// characters.
	Exclusions []string
}

const withExclusion = "_WITH_EXCLUSION"

// ParseMutability reads one of the four modes of Amazon ECR. Those WITH_EXCLUSION may
// be written without it: the exclusions say it.
func ParseMutability(mode string, exclusions []string) (Mutability, error) {
	m := Mutability{Exclusions: exclusions}
	short, with := strings.CutSuffix(mode, withExclusion)
	switch {
	case short != "MUTABLE" && short != "IMMUTABLE":
		return m, errors.New("tag mutability " + nearest.NotOneOf(mode, types.ImageTagMutability("").Values()))
	case with && len(exclusions) == 0:
		return m, fmt.Errorf("tag mutability %s needs mutability exclusions", mode)
	}
	m.Immutable = short == "IMMUTABLE"
	return m, m.Validate()
}

// MutabilityOf is that of a repository.
func MutabilityOf(r ecr.RepositoryDescription) Mutability {
	return Mutability{Immutable: strings.HasPrefix(r.TagMutability, "IMMUTABLE"), Exclusions: r.MutabilityExclusions}
}

// Mode is the mode of Amazon ECR: MUTABLE, IMMUTABLE, or one of them with
// _WITH_EXCLUSION.
func (m Mutability) Mode() string {
	mode := "MUTABLE"
	if m.Immutable {
		mode = "IMMUTABLE"
	}
	if len(m.Exclusions) > 0 {
		mode += withExclusion
	}
	return mode
}

// String is the mode and what is excluded, for people.
func (m Mutability) String() string {
	if len(m.Exclusions) == 0 {
		return m.Mode()
	}
	return m.Mode() + " (" + strings.Join(m.Exclusions, ", ") + ")"
}

// Equal reports whether both treat tags the same, whatever the order of the exclusions.
func (m Mutability) Equal(other Mutability) bool {
	return m.Immutable == other.Immutable && slices.Equal(sorted(m.Exclusions), sorted(other.Exclusions))
}

// Validate reports what Amazon ECR would refuse.
func (m Mutability) Validate() error {
	if n := len(m.Exclusions); n > MaxExclusions {
		return fmt.Errorf("%d mutability exclusions; at most %d are allowed", n, MaxExclusions)
	}
	for _, e := range m.Exclusions {
		switch {
		case e == "":
			return errors.New("a mutability exclusion is empty")
		case !exclusionPattern.MatchString(e):
			return fmt.Errorf("mutability exclusion %q is not made of at most 128 letters, digits, . _ - and *", e)
		case strings.Count(e, "*") > maxExclusionWildcards:
			return fmt.Errorf("mutability exclusion %q has more than %d wildcards", e, maxExclusionWildcards)
		}
	}
	return nil
}

func (m Mutability) filters() []types.ImageTagMutabilityExclusionFilter {
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, e := range m.Exclusions {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(e), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	return filters
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
