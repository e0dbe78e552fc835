package governance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
)

// Export is a file for [ParseDesired] that describes what exists.
type Export struct {
	file desiredFile
	// Left names what the file cannot say, for people.
	Left []string
}

// Export reads the repositories whose names match the pattern and, with registry, the
// settings of the registry too. What a repository does not have is left out, so that the
// file leaves it alone. The error wraps [ErrOtherAccount] if the settings of the registry
// belong to an account that is not the caller's.
func (r *Registry) Export(ctx context.Context, pattern string, registry bool) (Export, error) {
	e := Export{file: desiredFile{Version: 1, Registry: r.Host}}
	var list []ecrrepo.RepositoryDescription
	for repository, err := range r.Repositories(ctx, pattern) {
		if err != nil {
			return e, err
		}
		list = append(list, repository)
	}
	slices.SortFunc(list, func(a, b ecrrepo.RepositoryDescription) int { return cmp.Compare(a.Name, b.Name) })
	repositories, failures := r.Describe(ctx, list)
	if len(failures) > 0 {
		return e, errors.Join(failures...)
	}
	for _, d := range repositories {
		written := writtenRepository{Name: d.Name, Settings: repositorySettings{
			TagMutability: d.TagMutability, MutabilityExclusions: d.MutabilityExclusions,
			Encryption: d.Encryption, ResourceTags: ownTags(d.ResourceTags),
		}}
		if d.KeyManager != KeyOfAWS { // the key that AWS manages is the one without a name
			written.Settings.KMSKey = d.KMSKey
		}
		var err error
		if written.Settings.Policy, err = inline(d.Policy); err != nil {
			return e, fmt.Errorf("%s: %w", r.policyObject(d.Name), err)
		}
		if written.Settings.LifecyclePolicy, err = inline(d.LifecyclePolicy); err != nil {
			return e, fmt.Errorf("%s: %w", r.lifecycleObject(d.Name), err)
		}
		if d.ScanOnPush {
			e.Left = append(e.Left, fmt.Sprintf("%s/%s: its own scan on push, which Amazon ECR has deprecated for the scanning of the registry", r.Host, d.Name))
		}
		e.file.Repositories = append(e.file.Repositories, written)
	}
	if registry {
		return e, r.exportRegistry(ctx, &e.file)
	}
	return e, nil
}

func (r *Registry) exportRegistry(ctx context.Context, file *desiredFile) error {
	scanning, err := r.ScanningConfiguration(ctx)
	if err != nil {
		return err
	}
	file.Scanning = &scanning
	templates, err := r.Templates(ctx)
	if err != nil {
		return err
	}
	for _, t := range templates {
		written := writtenTemplate{Prefix: t.Prefix, Description: t.Description, AppliedFor: t.AppliedFor, RoleARN: t.RoleARN, Settings: repositorySettings{
			TagMutability: t.TagMutability, MutabilityExclusions: t.MutabilityExclusions,
			Encryption: t.Encryption, KMSKey: t.KMSKey, ResourceTags: t.ResourceTags,
		}}
		if written.Settings.Policy, err = inline(t.Policy); err != nil {
			return fmt.Errorf("policy of template %s: %w", t.Prefix, err)
		}
		if written.Settings.LifecyclePolicy, err = inline(t.LifecyclePolicy); err != nil {
			return fmt.Errorf("lifecycle policy of template %s: %w", t.Prefix, err)
		}
		file.Templates = append(file.Templates, written)
	}
	if file.Settings, err = r.writtenSettings(ctx); err != nil {
		return err
	}
	settings, err := r.AccountSettings(ctx)
	if err != nil {
		return err
	}
	file.AccountSettings = map[string]string{}
	for name, value := range settings {
		if CheckAccountSetting(name, value) == nil { // else it can be read, but not be set
			file.AccountSettings[name] = value
		}
	}
	return nil
}

// ownTags leaves out the tags of AWS itself, which nobody can set.
func ownTags(tags map[string]string) map[string]string {
	own := maps.Clone(tags)
	maps.DeleteFunc(own, func(key, _ string) bool { return strings.HasPrefix(key, "aws:") })
	return own
}

// inline returns a policy with the order of its members, nil if there is none.
func inline(policy json.RawMessage) (any, error) {
	if policy == nil {
		return nil, nil
	}
	var ordered any
	err := yaml.UnmarshalWithOptions(policy, &ordered, yaml.UseOrderedMap())
	return ordered, err
}

// Empty reports whether the file says nothing.
func (e Export) Empty() bool {
	f := e.file
	return len(f.Repositories)+len(f.Templates)+len(f.AccountSettings) == 0 && f.Scanning == nil && f.Settings.empty()
}

// Repositories returns the number of repositories in the file.
func (e Export) Repositories() int { return len(e.file.Repositories) }

// YAML returns the file as people write it.
func (e Export) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(e.file, yaml.IndentSequence(true))
}

// JSON returns the same file in JSON.
func (e Export) JSON() ([]byte, error) {
	text, err := e.YAML()
	if err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(text)
}
