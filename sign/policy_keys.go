package sign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// KeyLoader returns the key that a reference names: a key of AWS KMS as
// [IsKMSReference] reports that it is one, else the absolute path of a public key in PEM.
type KeyLoader func(ctx context.Context, reference string) (*Key, error)

// policyKey is where a key of a policy is. The zero value means none.
type policyKey struct {
	Path        string `yaml:"path"`        // of a public key in PEM
	KMS         string `yaml:"kms"`         // reference to a key of AWS KMS
	Fingerprint string `yaml:"fingerprint"` // that it must have

	name string // in messages
}

// keyring are the keys of a policy by name.
type keyring map[string]policyKey

var keyName = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)

// check refuses keys that cannot be used.
func (k keyring) check() error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(k)) {
		if err := k[name].check(name); err != nil {
			problems = append(problems, fmt.Errorf("key %q: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (k policyKey) check(name string) error {
	if !keyName.MatchString(name) {
		return errors.New("its name may have letters, digits, and - _ after the first")
	}
	if k.Path == "" && k.KMS == "" {
		return errors.New("it has neither a path nor a kms reference")
	}
	if k.KMS != "" {
		if _, err := ParseKMSReference(k.KMS); err != nil {
			return fmt.Errorf("kms: %w", err)
		}
	}
	if k.Fingerprint != "" {
		if _, err := parseDigest(k.Fingerprint); err != nil {
			return fmt.Errorf("fingerprint: %w", err)
		}
	}
	return nil
}

// find returns the key that a rule names: by its name or fingerprint in the keyring, by a
// reference to AWS KMS, or else by a path.
func (k keyring) find(s string) (policyKey, error) {
	switch {
	case s == "":
		return policyKey{}, errors.New("it is empty")
	case strings.HasPrefix(s, digest.SHA256.String()+":"):
		for _, name := range slices.Sorted(maps.Keys(k)) {
			if key := k[name]; key.Fingerprint == s {
				key.name = name
				return key, nil
			}
		}
		return policyKey{}, fmt.Errorf("no key in keys: has the fingerprint %s; add it there with its path or kms", s)
	case IsKMSReference(s):
		_, err := ParseKMSReference(s)
		return policyKey{KMS: s, name: s}, err
	case keyName.MatchString(s):
		key, ok := k[s]
		if !ok {
			return policyKey{}, fmt.Errorf("no key in keys: is called %q; a path is ./%s", s, s)
		}
		key.name = s
		return key, nil
	}
	return policyKey{Path: s, name: s}, nil
}

// findKMS is find for a key that signs. A key ID alone is one of AWS KMS.
func (k keyring) findKMS(s string) (policyKey, error) {
	if kmsKeyID.MatchString(s) {
		s = kmsScheme + "/" + s
	}
	key, err := k.find(s)
	if err == nil && key.KMS == "" {
		err = fmt.Errorf("key %q has no kms reference; only a key of AWS KMS signs here", s)
	}
	return key, err
}

// same reports whether two keys are one, as far as the policy says.
func (k policyKey) same(other policyKey) bool {
	return k.name == other.name ||
		k.Path != "" && k.Path == other.Path ||
		k.KMS != "" && k.KMS == other.KMS ||
		k.Fingerprint != "" && k.Fingerprint == other.Fingerprint
}

// load reads the key: from its file if it has one, which needs no access to AWS.
func (k policyKey) load(ctx context.Context, dir string, load KeyLoader) (*Key, error) {
	reference := k.KMS
	if k.Path != "" {
		reference = k.Path
		if !filepath.IsAbs(reference) {
			reference = filepath.Join(dir, reference)
		}
		var err error
		if reference, err = filepath.Abs(reference); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.name, err)
		}
	}
	key, err := load(ctx, reference)
	if err != nil {
		return nil, err
	}
	if k.Fingerprint != "" && key.Fingerprint().String() != k.Fingerprint {
		return nil, fmt.Errorf("key %s: the policy says that its fingerprint is %s, but that of %s is %s", k.name, k.Fingerprint, reference, key.Fingerprint())
	}
	named := *key
	named.Name = k.name
	return &named, nil
}
