package mirror

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxConfig bounds a configuration, in bytes.
const maxConfig = 4 << 20

// Config describes which images are mirrored, and where to.
type Config struct {
	// Destinations are registries, HOST or HOST/PREFIX. Each source is read once for all of them.
	Destinations []string     `yaml:"destinations" json:"destinations,omitempty"`
	Images       []ImageRules `yaml:"images" json:"images,omitempty"`
	// Existing is what becomes of a tag that names another image at a destination; "" is [Overwrite].
	Existing ExistingTags `yaml:"existing" json:"existing,omitempty"`
	// Repositories are the settings of repositories of Amazon ECR that are created. Existing ones are not
	// changed.
	Repositories RepositoryRules `yaml:"repositories" json:"repositories,omitzero"`
	// Referrers are the rules for items that have none of their own; nil selects all.
	Referrers *ReferrerRules `yaml:"referrers" json:"referrers,omitempty"`
	// Prune limits what is deleted when [Options.Prune] asks for it.
	Prune PruneRules `yaml:"prune" json:"prune,omitzero"`
	// FromSet reports that the images come from a set, and that From names where it was made: the same repository can be the
	// destination.
	FromSet bool `yaml:"-" json:"-"`
}

// ImageRules are images of one repository.
type ImageRules struct {
	// From is HOST/REPOSITORY, or with * in REPOSITORY all repositories of the registry whose names match.
	// Those that another item names are left out, and those that are a destination.
	From string `yaml:"from" json:"from,omitempty"`
	// Except are patterns of names of repositories that From leaves out.
	Except Patterns `yaml:"except" json:"except,omitempty"`
	// Name is the repository under the destinations; "" is that of From.
	Name string   `yaml:"name" json:"name,omitempty"`
	Tags TagRules `yaml:"tags" json:"tags,omitzero"`
	// Digests are images that are mirrored without a tag. With digests and no rule for tags, no tag is
	// selected.
	Digests []digest.Digest `yaml:"digests" json:"digests,omitempty"`
	// Platforms are those of which the images are mirrored; none is all. A choice of several changes the
	// digest of an index.
	Platforms []string `yaml:"platforms" json:"platforms,omitempty"`
	// Referrers selects which signatures, attestations and what else refers to the images come with them;
	// nil is as in [Config.Referrers].
	Referrers *ReferrerRules `yaml:"referrers" json:"referrers,omitempty"`
}

// ExistingTags is what becomes of a tag that names another image at a destination.
type ExistingTags string

// The values of Existing.
const (
	Overwrite ExistingTags = "overwrite" // the tag is moved, as at the source
	Skip      ExistingTags = "skip"      // the tag stays
	Refuse    ExistingTags = "error"     // the tag stays, and the plan has a conflict
	Retag     ExistingTags = "retag"     // the tag stays, and the image gets the tag TAG-HEX, of its digest
)

// ErrConfig reports a configuration that cannot be used.
var ErrConfig = errors.New("the mirror configuration cannot be used")

// ReadConfig reads a configuration in YAML or JSON and checks it. lookup returns the value of an
// environment variable, for ${VAR}, ${VAR:-DEFAULT} and ${VAR:?MESSAGE} in names of registries and
// repositories; nil knows none. The error wraps [ErrConfig].
func ReadConfig(r io.Reader, lookup func(name string) (string, bool)) (Config, error) {
	return readConfig(r, lookup, Config.Validate)
}

// ReadSources is [ReadConfig] of a configuration whose destinations do not count: it may have none.
func ReadSources(r io.Reader, lookup func(name string) (string, bool)) (Config, error) {
	return readConfig(r, lookup, func(c Config) error { return errors.Join(c.imageProblems()...) })
}

func readConfig(r io.Reader, lookup func(string) (string, bool), validate func(Config) error) (Config, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	var c Config
	data, err := content.ReadLimited(r, maxConfig)
	if err == nil {
		err = strictyaml.Decode(strings.NewReader(string(data)), &c)
	}
	if err == nil {
		err = c.expand(lookup)
	}
	if err == nil {
		var at keyError
		if err = c.checkReferrers(); errors.As(err, &at) {
			err = strictyaml.At(data, at.key, err)
		}
	}
	if err == nil {
		err = validate(c)
	}
	if err != nil && !errors.Is(err, ErrConfig) {
		err = fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, err
}

// CheckDestination reports what is wrong with a destination, which is HOST or HOST/PREFIX.
func CheckDestination(d string) error {
	host, prefix, nested := strings.Cut(d, "/")
	switch {
	case host != "" && (!nested || content.IsRepositoryName(prefix)):
		return nil
	case host != "" && content.IsRepositoryName(strings.ToLower(prefix)):
		return fmt.Errorf("%q is not HOST or HOST/PREFIX: names of repositories are in lower case", d)
	}
	return fmt.Errorf("%q is not HOST or HOST/PREFIX", d)
}

// Validate reports whether e is known; "" is [Overwrite].
func (e ExistingTags) Validate() error {
	known := []ExistingTags{Overwrite, Skip, Retag, Refuse}
	if e == "" || slices.Contains(known, e) {
		return nil
	}
	return errors.New(nearest.NotOneOf(string(e), known))
}

// Validate reports what is wrong with the configuration. The error wraps [ErrConfig].
func (c Config) Validate() error {
	var problems []error
	if len(c.Destinations) == 0 {
		problems = append(problems, problem("destinations is empty: name a registry, HOST or HOST/PREFIX"))
	}
	for i, d := range c.Destinations {
		if err := CheckDestination(d); err != nil {
			problems = append(problems, problem("destinations[%d]: %w", i, err))
		}
		if slices.Contains(c.Destinations[:i], d) {
			problems = append(problems, problem("destinations[%d]: %s is listed twice", i, d))
		}
	}
	if err := c.Existing.Validate(); err != nil {
		problems = append(problems, problem("existing: %w", err))
	}
	if err := c.Repositories.validate(); err != nil {
		problems = append(problems, problem("repositories: %w", err))
	}
	if err := c.Prune.validate(); err != nil {
		problems = append(problems, problem("prune: %w", err))
	}
	arrives := map[string]int{} // which item arrives in a repository
	for i, images := range c.Images {
		for _, d := range c.Destinations {
			to := d + "/" + images.name()
			if to == images.From && !c.FromSet {
				problems = append(problems, problem("images[%d]: %s is its own destination", i, images.From))
			}
			// Items of the same name are found below. Under destinations of which one is a prefix of another one, different names meet.
			if other, taken := arrives[to]; taken && c.Images[other].name() != images.name() {
				problems = append(problems, problem("images[%d]: %s and %s would both be %s: give one of them another name, or do not nest the destinations", i, c.Images[other].From, images.From, to))
			}
			arrives[to] = i
		}
	}
	return errors.Join(append(problems, c.imageProblems()...)...)
}

func problem(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
}

// imageProblems returns what is wrong with the images.
func (c Config) imageProblems() (problems []error) {
	if len(c.Images) == 0 {
		problems = append(problems, problem("images is empty"))
	}
	if err := c.checkReferrers(); err != nil {
		problems = append(problems, problem("%w", err))
	}
	names := map[string]string{}
	for i, images := range c.Images {
		if err := images.validate(); err != nil {
			problems = append(problems, problem("images[%d]: %w", i, err))
			continue
		}
		switch other, taken := names[images.name()]; {
		case taken && other == images.From:
			problems = append(problems, problem("images[%d]: %s is listed twice: write its rules under one", i, images.From))
		case taken:
			problems = append(problems, problem("images[%d]: %s and %s would both be the repository %s: give one of them another name", i, other, images.From, images.name()))
		}
		names[images.name()] = images.From
	}
	return problems
}

func (s ImageRules) validate() error {
	host, repository, ok := strings.Cut(s.From, "/")
	if !ok || host == "" || !content.IsRepositoryName(strings.ReplaceAll(repository, "*", "0")) {
		advice := "tags belong under tags, digests under digests"
		if content.IsRepositoryName(s.From) {
			advice = "Docker Hub's nginx is docker.io/library/nginx"
		}
		return fmt.Errorf("from: %q is not HOST/REPOSITORY; %s", s.From, advice)
	}
	switch {
	case !s.isPattern() && len(s.Except) > 0:
		return errors.New("except needs a from with *")
	case s.isPattern() && s.Name != "":
		return errors.New("name is of one repository: from has a *")
	case s.isPattern() && len(s.Digests) > 0:
		return errors.New("digests are of one repository: from has a *")
	}
	if s.Name != "" && !content.IsRepositoryName(s.Name) {
		return fmt.Errorf("name: %q cannot be the name of a repository", s.Name)
	}
	for _, d := range s.Digests {
		if err := d.Validate(); err != nil {
			return fmt.Errorf("digests: %q: %w; write sha256: and 64 hexadecimal digits", d, err)
		}
	}
	if _, err := s.platforms(); err != nil {
		return fmt.Errorf("platforms: %w", err)
	}
	if _, err := s.Tags.compile(); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	return nil
}

// name is the repository under a destination.
func (s ImageRules) name() string {
	if s.Name != "" {
		return s.Name
	}
	_, repository, _ := strings.Cut(s.From, "/")
	return repository
}

func (s ImageRules) platforms() (platforms []content.Platform, err error) {
	for _, text := range s.Platforms {
		p, err := content.ParsePlatform(text)
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// expand replaces variables in the names of registries and repositories.
func (c *Config) expand(lookup func(string) (string, bool)) error {
	var fields []*string
	for i := range c.Destinations {
		fields = append(fields, &c.Destinations[i])
	}
	for i := range c.Images {
		fields = append(fields, &c.Images[i].From, &c.Images[i].Name)
	}
	for i := range c.Prune.InUse {
		fields = append(fields, &c.Prune.InUse[i])
	}
	for _, field := range fields {
		value, err := expandVariables(*field, lookup)
		if err != nil {
			return err
		}
		*field = strings.TrimSuffix(value, "/")
	}
	return nil
}

// variable is ${NAME}, ${NAME:-DEFAULT} or ${NAME:?MESSAGE}, as in a shell.
var variable = lazyregexp.New(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)([^}]*))?\}`)

// VariablesOf returns the names of the variables that the text of a configuration has, sorted.
func VariablesOf(config []byte) (names []string) {
	for _, found := range variable.FindAllString(string(config), -1) {
		names = append(names, variable.FindStringSubmatch(found)[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func expandVariables(s string, lookup func(string) (string, bool)) (string, error) {
	var missing error
	expanded := variable.ReplaceAllStringFunc(s, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		name, operator, word := parts[1], parts[2], parts[3]
		value, set := lookup(name)
		switch {
		case operator == "" && set, value != "":
		case operator == ":-":
			value = word
		case word != "":
			missing = fmt.Errorf("%w: %s: %s", ErrConfig, name, word)
		default:
			missing = fmt.Errorf("%w: the environment variable %s is not set", ErrConfig, name)
		}
		return value
	})
	if missing == nil && strings.Contains(expanded, "${") {
		missing = fmt.Errorf("%w: %q has a variable that is not ${NAME}, ${NAME:-DEFAULT} or ${NAME:?MESSAGE}", ErrConfig, s)
	}
	return expanded, missing
}
