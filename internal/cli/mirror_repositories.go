package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// RepositoriesOf returns the names of the repositories of a registry.
func (o *mirrorOpener) RepositoriesOf(ctx context.Context, host string) ([]string, error) {
	return o.app.repositoriesUnder(ctx, host)
}

// governed opens the private registry of HOST/REPOSITORY. The error wraps content.ErrUnsupported if it is
// not one of Amazon ECR.
func (o *mirrorOpener) governed(ctx context.Context, repository string) (registry *governance.Registry, name string, err error) {
	host, name, _ := strings.Cut(repository, "/")
	config, err := o.app.settings()
	if err != nil {
		return nil, "", err
	}
	r, err := config.Registries.Parse(host)
	if errors.Is(err, auth.ErrNotECR) || err == nil && r.Public {
		return nil, "", fmt.Errorf("%s is no private registry of Amazon ECR: %w", host, content.ErrUnsupported)
	}
	if err != nil {
		return nil, "", err
	}
	registry, err = o.app.governanceOf(ctx, r)
	return registry, name, err
}

// Settings reads the settings of a repository, without what another registry cannot have.
func (o *mirrorOpener) Settings(ctx context.Context, source, destination string) (mirror.Settings, error) {
	to, _, err := o.governed(ctx, destination)
	if err != nil {
		return mirror.Settings{}, err
	}
	registry, name, err := o.governed(ctx, source)
	if err != nil {
		return mirror.Settings{}, err
	}
	has, err := registry.Repository(ctx, name)
	if err != nil {
		return mirror.Settings{}, err
	}
	described, failures := registry.Describe(ctx, []ecr.RepositoryDescription{has})
	if err := errors.Join(failures...); err != nil {
		return mirror.Settings{}, err
	}
	d := described[0]
	s := mirror.Settings{
		TagMutability: d.TagMutability, MutabilityExclusions: d.MutabilityExclusions, ScanOnPush: d.ScanOnPush, Encryption: d.Encryption,
		LifecyclePolicy: string(d.LifecyclePolicy), RepositoryPolicy: string(d.Policy), Tags: map[string]string{},
	}
	// The AWS managed key of a registry is that of the other one too, by default.
	if to.Account == registry.Account && to.Region == registry.Region && d.KeyManager != "AWS" {
		s.KMSKey = d.KMSKey
	}
	for key, value := range d.ResourceTags {
		if !strings.HasPrefix(key, "aws:") {
			s.Tags[key] = value
		}
	}
	return s, nil
}

// Create creates a repository with its policies. The repository policy comes last: it may keep the caller
// from setting the others.
func (o *mirrorOpener) Create(ctx context.Context, repository string, s mirror.Settings) error {
	registry, name, err := o.governed(ctx, repository)
	if errors.Is(err, content.ErrUnsupported) {
		return nil // other registries have no settings
	}
	if err != nil {
		return err
	}
	_, err = registry.CreateRepository(ctx, name, ecr.Settings{
		ScanOnPush: s.ScanOnPush, ImmutableTags: strings.HasPrefix(s.TagMutability, "IMMUTABLE"), MutabilityExclusions: s.MutabilityExclusions,
		Encryption: s.Encryption, KMSKey: s.KMSKey, Tags: s.Tags,
	})
	if errors.Is(err, content.ErrConflict) {
		return nil
	}
	if err == nil && s.LifecyclePolicy != "" {
		err = registry.PutLifecyclePolicy(ctx, name, s.LifecyclePolicy)
	}
	if err == nil && s.RepositoryPolicy != "" {
		err = registry.PutRepositoryPolicy(ctx, name, s.RepositoryPolicy, false)
	}
	return err
}

// mirrorSettingsText is what a repository is created with, for people.
func mirrorSettingsText(s *mirror.Settings) string {
	if s == nil {
		return ""
	}
	var parts []string
	add := func(is bool, text string) {
		if is {
			parts = append(parts, text)
		}
	}
	add(s.TagMutability != "" && s.TagMutability != "MUTABLE", strings.TrimSpace(s.TagMutability+" "+strings.Join(s.MutabilityExclusions, " ")))
	add(s.ScanOnPush, "scan on push")
	add(s.Encryption != "" || s.KMSKey != "", strings.TrimSpace(s.Encryption+" "+s.KMSKey))
	add(s.LifecyclePolicy != "", "lifecycle policy")
	add(s.RepositoryPolicy != "", "repository policy")
	var tags []string
	for key, value := range s.Tags {
		tags = append(tags, key+"="+value)
	}
	slices.Sort(tags)
	parts = append(parts, tags...)
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// mirrorDriftText is how an existing repository differs from what a new one would be, for people.
func mirrorDriftText(r mirror.Repository) string {
	var s strings.Builder
	for _, d := range r.Drift {
		if strings.HasSuffix(d.Setting, "_policy") {
			fmt.Fprintf(&s, "  drift     %s differs; it is not changed\n", d.Setting)
			continue
		}
		fmt.Fprintf(&s, "  drift     %s is %q, not %q; it is not changed\n", printable(d.Setting), d.Have, d.Want)
	}
	if r.DriftError != "" {
		fmt.Fprintf(&s, "  settings not compared: %s\n", printable(r.DriftError))
	}
	return s.String()
}
