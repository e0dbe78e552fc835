package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// InheritSource is the value of [RepositoryRules.Inherit].
const InheritSource = "source"

// RepositoryRules say which [Settings] repositories of Amazon ECR are created with. What is not set is as in the source
// with Inherit, else as Amazon ECR does it by itself.
type RepositoryRules struct {
	// Inherit, if it is "source", takes over the settings of the source, if that is a repository of Amazon
	// ECR too. See [SettingsReader] for what is not taken over.
	Inherit string `yaml:"inherit" json:"inherit,omitempty"`
	// TagMutability is MUTABLE, IMMUTABLE, or one of them with _WITH_EXCLUSION.
	TagMutability string `yaml:"tag_mutability" json:"tag_mutability,omitempty"`
	// MutabilityExclusions are patterns of tags to which the opposite applies.
	MutabilityExclusions []string `yaml:"mutability_exclusions" json:"mutability_exclusions,omitempty"`
	ScanOnPush           *bool    `yaml:"scan_on_push" json:"scan_on_push,omitempty"`
	Encryption           string   `yaml:"encryption" json:"encryption,omitempty"` // AES256, KMS or KMS_DSSE
	KMSKey               string   `yaml:"kms_key" json:"kms_key,omitempty"`
	// LifecyclePolicy and RepositoryPolicy are JSON documents.
	LifecyclePolicy  string            `yaml:"lifecycle_policy" json:"lifecycle_policy,omitempty"`
	RepositoryPolicy string            `yaml:"repository_policy" json:"repository_policy,omitempty"`
	Tags             map[string]string `yaml:"tags" json:"tags,omitempty"`
}

// Settings are what a repository of Amazon ECR is created with. Their JSON form is stable: fields are only
// added.
type Settings struct {
	TagMutability        string            `json:"tagMutability,omitempty"`
	MutabilityExclusions []string          `json:"mutabilityExclusions,omitempty"`
	ScanOnPush           bool              `json:"scanOnPush,omitempty"`
	Encryption           string            `json:"encryption,omitempty"`
	KMSKey               string            `json:"kmsKey,omitempty"`
	LifecyclePolicy      string            `json:"lifecyclePolicy,omitempty"`
	RepositoryPolicy     string            `json:"repositoryPolicy,omitempty"`
	Tags                 map[string]string `json:"tags,omitempty"`
}

// SettingsReader is an [Opener] that reads the settings of a repository of Amazon ECR.
type SettingsReader interface {
	// Settings returns the settings of the source repository that one in the registry of destination can
	// have too, both HOST/REPOSITORY: a KMS key only within an account and region, no tag whose key
	// begins with aws:. The error wraps [content.ErrUnsupported] if the source is not Amazon ECR.
	Settings(ctx context.Context, source, destination string) (Settings, error)
}

// Creator is an [Opener] that creates repositories of Amazon ECR.
type Creator interface {
	// Create creates a repository, HOST/REPOSITORY. One that exists is left as it is.
	Create(ctx context.Context, repository string, s Settings) error
}

// IsSet reports whether there is any setting.
func (s RepositoryRules) IsSet() bool {
	return s.Inherit != "" || s.TagMutability != "" || len(s.MutabilityExclusions) > 0 || s.ScanOnPush != nil || s.Encryption != "" || s.KMSKey != "" ||
		s.LifecyclePolicy != "" || s.RepositoryPolicy != "" || len(s.Tags) > 0
}

func (s RepositoryRules) validate() error {
	switch {
	case s.Inherit != "" && s.Inherit != InheritSource:
		return fmt.Errorf("inherit: %q is not %s", s.Inherit, InheritSource)
	case s.TagMutability != "" && !slices.Contains([]string{"MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"}, s.TagMutability):
		return fmt.Errorf("tag_mutability: %q is not MUTABLE or IMMUTABLE, with or without _WITH_EXCLUSION", s.TagMutability)
	case len(s.MutabilityExclusions) > 0 && s.TagMutability == "":
		return errors.New("mutability_exclusions needs tag_mutability")
	case s.Encryption != "" && !slices.Contains([]string{"AES256", "KMS", "KMS_DSSE"}, s.Encryption):
		return fmt.Errorf("encryption: %q is not AES256, KMS or KMS_DSSE", s.Encryption)
	case s.KMSKey != "" && s.Encryption == "AES256":
		return errors.New("kms_key: AES256 takes no key")
	case s.LifecyclePolicy != "" && !json.Valid([]byte(s.LifecyclePolicy)):
		return errors.New("lifecycle_policy: not JSON")
	case s.RepositoryPolicy != "" && !json.Valid([]byte(s.RepositoryPolicy)):
		return errors.New("repository_policy: not JSON")
	}
	return nil
}

// over returns the settings that s changes of those that are inherited.
func (s RepositoryRules) over(inherited Settings) Settings {
	if s.TagMutability != "" {
		inherited.TagMutability, inherited.MutabilityExclusions = s.TagMutability, s.MutabilityExclusions
	}
	if s.ScanOnPush != nil {
		inherited.ScanOnPush = *s.ScanOnPush
	}
	if s.Encryption != "" || s.KMSKey != "" {
		inherited.Encryption, inherited.KMSKey = s.Encryption, s.KMSKey
	}
	if s.LifecyclePolicy != "" {
		inherited.LifecyclePolicy = s.LifecyclePolicy
	}
	if s.RepositoryPolicy != "" {
		inherited.RepositoryPolicy = s.RepositoryPolicy
	}
	if len(s.Tags) > 0 {
		all := map[string]string{}
		for _, tags := range []map[string]string{inherited.Tags, s.Tags} {
			for key, value := range tags {
				all[key] = value
			}
		}
		inherited.Tags = all
	}
	return inherited
}

// settings returns what a repository is created with, and whether the source has settings that were inherited.
func (p *planner) settings(ctx context.Context, r *Repository) (_ *Settings, fromSource bool, _ error) {
	var inherited Settings
	if p.config.Repositories.Inherit == InheritSource {
		reader, ok := p.opener.(SettingsReader)
		if !ok {
			return nil, false, fmt.Errorf("settings of %s: %w", r.From, content.ErrUnsupported)
		}
		var err error
		if inherited, err = reader.Settings(ctx, r.From, r.To); err != nil && !errors.Is(err, content.ErrUnsupported) {
			return nil, false, fmt.Errorf("settings of %s: %w", r.From, err)
		}
		fromSource = err == nil
	}
	s := p.config.Repositories.over(inherited)
	return &s, fromSource, nil
}
