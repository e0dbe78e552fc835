package governance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/lifecycle"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// Desired is what a registry and some of its repositories should be like. What it does
// not say may be anything.
type Desired struct {
	Registry        string // HOST; "" is not said
	Repositories    []DesiredRepository
	Scanning        *ScanningConfiguration
	Templates       []DesiredTemplate
	Policy          *Document // of the registry
	CacheRules      []CacheRule
	Replication     *ReplicationConfiguration
	AccountSettings map[string]string
}

// DesiredRepository is what a repository should be like.
type DesiredRepository struct {
	Name         string
	Mutability   *Mutability
	Encryption   string // "" is not said
	KMSKey       string
	ResourceTags map[string]string // others may be there
	Policy       *Document
	Lifecycle    *Document
}

// Document is a policy; a nil Text is that there is none.
type Document struct{ Text json.RawMessage }

// DesiredTemplate is what a repository creation template should be like.
type DesiredTemplate struct {
	DesiredRepository // Name is the prefix
	Description       string
	AppliedFor        []string
	RoleARN           string
}

// desiredFile is the form of the file.
type desiredFile struct {
	Version         int                    `yaml:"version,omitempty"`
	Registry        string                 `yaml:"registry,omitempty"`
	Defaults        repositorySettings     `yaml:"defaults,omitempty"`
	Repositories    []writtenRepository    `yaml:"repositories,omitempty"`
	Scanning        *ScanningConfiguration `yaml:"scanning,omitempty"`
	Templates       []writtenTemplate      `yaml:"templates,omitempty"`
	Settings        registrySettings       `yaml:",inline"`
	AccountSettings map[string]string      `yaml:"accountSettings,omitempty"`
}

type repositorySettings struct {
	TagMutability        string            `yaml:"tagMutability,omitempty"`
	MutabilityExclusions []string          `yaml:"mutabilityExclusions,omitempty"`
	Encryption           string            `yaml:"encryption,omitempty"`
	KMSKey               string            `yaml:"kmsKey,omitempty"`
	ResourceTags         map[string]string `yaml:"resourceTags,omitempty"`
	Policy               any               `yaml:"policy,omitempty"` // a policy, or none
	PolicyFile           string            `yaml:"policyFile,omitempty"`
	LifecyclePolicy      any               `yaml:"lifecyclePolicy,omitempty"`
	LifecyclePolicyFile  string            `yaml:"lifecyclePolicyFile,omitempty"`
}

type writtenRepository struct {
	Name     string             `yaml:"name,omitempty"`
	Settings repositorySettings `yaml:",inline"`
}

type writtenTemplate struct {
	Prefix      string             `yaml:"prefix,omitempty"`
	Description string             `yaml:"description,omitempty"`
	AppliedFor  []string           `yaml:"appliedFor,omitempty"`
	RoleARN     string             `yaml:"customRoleArn,omitempty"`
	Settings    repositorySettings `yaml:",inline"`
}

// maxDesiredFile bounds a file, in bytes.
const maxDesiredFile = 8 << 20

// Names of repositories, from
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html.
const maxRepositoryName = 256

var repositoryName = lazyregexp.New(`^(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)

// ParseDesired reads a file in YAML or JSON, in which a key that is not known is an
// error, and so is what Amazon ECR would refuse. read returns the files of policies that it
// names.
func ParseDesired(in io.Reader, read func(name string) ([]byte, error)) (Desired, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxDesiredFile+1))
	switch {
	case err != nil:
		return Desired{}, err
	case len(data) > maxDesiredFile:
		return Desired{}, fmt.Errorf("larger than %d bytes", maxDesiredFile)
	}
	var f desiredFile
	if err := strictyaml.Decode(bytes.NewReader(data), &f); err != nil {
		return Desired{}, err
	}
	switch f.Version {
	case 1:
	case 0:
		return Desired{}, errors.New("version is missing; write version: 1")
	default:
		return Desired{}, fmt.Errorf("version %d is not known; write version: 1", f.Version)
	}
	d := Desired{Registry: f.Registry, Scanning: f.Scanning, AccountSettings: f.AccountSettings}
	seen := map[string]bool{}
	for i, w := range f.Repositories {
		switch {
		case w.Name == "":
			return Desired{}, fmt.Errorf("repository %d has no name", i+1)
		case len(w.Name) < 2 || len(w.Name) > maxRepositoryName || !repositoryName.MatchString(w.Name):
			return Desired{}, fmt.Errorf("repository %q: a name has 2 to %d small letters, digits, and . _ - / between them", w.Name, maxRepositoryName)
		case seen[w.Name]:
			return Desired{}, fmt.Errorf("repository %s is there twice", w.Name)
		}
		seen[w.Name] = true
		r, err := w.Settings.over(f.Defaults).desired(w.Name, read)
		if err != nil {
			return Desired{}, fmt.Errorf("repository %s: %w", w.Name, err)
		}
		d.Repositories = append(d.Repositories, r)
	}
	clear(seen)
	for i, w := range f.Templates {
		switch {
		case w.Prefix == "":
			return Desired{}, fmt.Errorf("template %d has no prefix", i+1)
		case seen[w.Prefix]:
			return Desired{}, fmt.Errorf("template %s is there twice", w.Prefix)
		}
		seen[w.Prefix] = true
		r, err := w.Settings.desired(w.Prefix, read) // the defaults are for repositories
		if err != nil {
			return Desired{}, fmt.Errorf("template %s: %w", w.Prefix, err)
		}
		t := DesiredTemplate{DesiredRepository: r, Description: w.Description, AppliedFor: w.AppliedFor, RoleARN: w.RoleARN}
		if err := t.over(newTemplateBase(w.Prefix)).Validate(); err != nil {
			return Desired{}, err
		}
		d.Templates = append(d.Templates, t)
	}
	if d.Scanning != nil {
		if err := d.Scanning.Validate(); err != nil {
			return Desired{}, fmt.Errorf("scanning: %w", err)
		}
	}
	if err := f.Settings.desired(&d, read); err != nil {
		return Desired{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(d.AccountSettings)) {
		if err := CheckAccountSetting(name, d.AccountSettings[name]); err != nil {
			return Desired{}, err
		}
	}
	if len(d.Repositories)+len(d.Templates)+len(d.AccountSettings) == 0 && d.Scanning == nil && f.Settings.empty() {
		return Desired{}, errors.New("it says nothing of a registry or of repositories")
	}
	return d, nil
}

// over returns the settings with those of defaults where nothing else is said. Mutability,
// encryption and each policy go as a whole; resource tags are put together.
func (s repositorySettings) over(defaults repositorySettings) repositorySettings {
	if s.TagMutability == "" && s.MutabilityExclusions == nil {
		s.TagMutability, s.MutabilityExclusions = defaults.TagMutability, defaults.MutabilityExclusions
	} else if s.TagMutability == "" {
		s.TagMutability = defaults.TagMutability
	}
	if s.Encryption == "" && s.KMSKey == "" {
		s.Encryption, s.KMSKey = defaults.Encryption, defaults.KMSKey
	}
	if s.Policy == nil && s.PolicyFile == "" {
		s.Policy, s.PolicyFile = defaults.Policy, defaults.PolicyFile
	}
	if s.LifecyclePolicy == nil && s.LifecyclePolicyFile == "" {
		s.LifecyclePolicy, s.LifecyclePolicyFile = defaults.LifecyclePolicy, defaults.LifecyclePolicyFile
	}
	tags := maps.Clone(defaults.ResourceTags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, s.ResourceTags)
	s.ResourceTags = tags
	return s
}

// desired checks the settings.
func (s repositorySettings) desired(name string, read func(string) ([]byte, error)) (DesiredRepository, error) {
	r := DesiredRepository{Name: name, Encryption: s.Encryption, KMSKey: s.KMSKey, ResourceTags: s.ResourceTags}
	if r.Encryption == "" && r.KMSKey != "" {
		r.Encryption = "KMS"
	}
	switch {
	case s.TagMutability != "":
		m, err := ParseMutability(s.TagMutability, s.MutabilityExclusions)
		if err != nil {
			return r, err
		}
		r.Mutability = &m
	case len(s.MutabilityExclusions) > 0:
		return r, errors.New("mutabilityExclusions need tagMutability: MUTABLE or IMMUTABLE")
	}
	if err := r.settings().Validate(); err != nil {
		return r, err
	}
	var err error
	if r.Policy, err = readDocument("policy", s.Policy, s.PolicyFile, read, func(text []byte) error {
		_, err := repopolicy.ParseRepository(text)
		return err
	}); err != nil {
		return r, err
	}
	r.Lifecycle, err = readDocument("lifecyclePolicy", s.LifecyclePolicy, s.LifecyclePolicyFile, read, func(text []byte) error {
		_, err := lifecycle.Parse(text)
		return err
	})
	return r, err
}

// settings are those with which the repository is created.
func (r DesiredRepository) settings() ecr.Settings {
	s := ecr.Settings{Encryption: r.Encryption, KMSKey: r.KMSKey, Tags: r.ResourceTags}
	if r.Mutability != nil {
		s.ImmutableTags, s.MutabilityExclusions = r.Mutability.Immutable, r.Mutability.Exclusions
	}
	return s
}

// noPolicy is written for a policy that must not be there.
const noPolicy = "none"

// readDocument reads the policy of a key, inline or from the file of the key with File
// after it; nil is that neither is there.
func readDocument(key string, inline any, file string, read func(string) ([]byte, error), check func([]byte) error) (*Document, error) {
	var text []byte
	var err error
	switch {
	case inline != nil && file != "":
		return nil, fmt.Errorf("%s and %sFile exclude each other", key, key)
	case inline == noPolicy:
		return &Document{}, nil
	case inline != nil:
		if _, ok := inline.(map[string]any); !ok {
			return nil, fmt.Errorf("%s is neither a policy nor %q", key, noPolicy)
		}
		if text, err = json.Marshal(inline); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	case file != "":
		if text, err = read(file); err != nil {
			return nil, fmt.Errorf("%sFile: %w", key, err)
		}
		key = file
	default:
		return nil, nil
	}
	if err := check(text); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &Document{text}, nil
}

// newTemplateBase is a template of which nothing is said yet.
func newTemplateBase(prefix string) Template {
	return Template{Prefix: prefix, TagMutability: "MUTABLE", Encryption: "AES256", ResourceTags: map[string]string{}}
}

// over returns a template with what is desired of it.
func (t DesiredTemplate) over(base Template) Template {
	base.Description = cmp.Or(t.Description, base.Description)
	base.RoleARN = cmp.Or(t.RoleARN, base.RoleARN)
	if len(t.AppliedFor) > 0 {
		base.AppliedFor = t.AppliedFor
	}
	if t.Mutability != nil {
		base.TagMutability, base.MutabilityExclusions = t.Mutability.Mode(), t.Mutability.Exclusions
	}
	if t.Encryption != "" {
		base.Encryption, base.KMSKey = t.Encryption, t.KMSKey
	}
	if len(t.ResourceTags) > 0 {
		base.ResourceTags = t.ResourceTags
	}
	if t.Policy != nil {
		base.Policy = t.Policy.Text
	}
	if t.Lifecycle != nil {
		base.LifecyclePolicy = t.Lifecycle.Text
	}
	return base
}
