package transfer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
)

// Kind is the kind of endpoint that a reference names.
type Kind string

// The kinds of endpoint.
const (
	KindECR     Kind = "ecr"         // HOST/REPOSITORY[:TAG][@DIGEST]
	KindLayout  Kind = "oci"         // oci:DIRECTORY[:TAG][@DIGEST]
	KindArchive Kind = "oci-archive" // oci-archive:FILE[:TAG][@DIGEST]
)

// Reference names an image, as a person wrote it.
type Reference struct {
	Kind       Kind
	Registry   auth.Registry // of KindECR
	Repository string        // of KindECR
	Path       string        // of KindLayout and KindArchive
	Tag        string        // "" if none was given
	Digest     digest.Digest // "" if none was given
}

// String is the reference in its full form, which ParseReference reads again.
func (r Reference) String() string {
	s := string(r.Kind) + ":" + r.Path
	if r.Kind == KindECR {
		s = r.Registry.Host + "/" + r.Repository
	}
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// Name is the digest if there is one, else the tag, else "".
func (r Reference) Name() string {
	if r.Digest != "" {
		return string(r.Digest)
	}
	return r.Tag
}

var (
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
	repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
	tagName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// ParseReference reads HOST/REPOSITORY[:TAG][@DIGEST] where HOST is an ECR
// registry or mapped to one, oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], or
// DIRECTORY[:TAG] where isLayout says that the directory is an OCI layout (nil
// is never). The host of an ECR registry wins over a directory of the same name.
// For any other registry the error wraps [auth.ErrNotECR].
func ParseReference(s string, registries auth.Registries, isLayout func(directory string) bool) (Reference, error) {
	if s == "" {
		return Reference{}, errors.New("the reference is empty")
	}
	for _, kind := range []Kind{KindLayout, KindArchive} {
		if rest, ok := strings.CutPrefix(s, string(kind)+":"); ok {
			return parsePath(s, kind, rest)
		}
	}
	host, rest, slash := strings.Cut(s, "/")
	registry, err := registries.Parse(host)
	if err == nil && registry.Public {
		return Reference{}, fmt.Errorf("reference %q: %s is %w; this version moves images of private registries only", s, host, errors.ErrUnsupported)
	}
	if err == nil {
		return parseRepository(s, registry, rest)
	}
	if isLayout != nil {
		if isLayout(s) {
			return Reference{Kind: KindLayout, Path: s}, nil
		}
		if r, err := parsePath(s, KindLayout, s); err == nil && isLayout(r.Path) {
			return r, nil
		}
	}
	if slash && looksLikeHost(host) {
		return Reference{}, fmt.Errorf("reference %q: registry %s is %w; this version handles ECR registries and OCI layouts only (%s maps another name of an ECR registry)",
			s, host, auth.ErrNotECR, auth.MappingVariable)
	}
	return Reference{}, fmt.Errorf("reference %q names neither a registry nor an OCI layout; write HOST/REPOSITORY:TAG or oci:DIRECTORY[:TAG]", s)
}

// looksLikeHost tells "ghcr.io" and "localhost:5000" from the first element of a path.
func looksLikeHost(s string) bool {
	return strings.Trim(s, ".") != "" && !strings.HasSuffix(s, ":") && (strings.ContainsAny(s, ".:") || s == "localhost")
}

func parseRepository(s string, registry auth.Registry, rest string) (Reference, error) {
	r := Reference{Kind: KindECR, Registry: registry}
	var err error
	if rest, r.Digest, err = cutDigest(rest); err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w", s, err)
	}
	name, tag, tagged := strings.Cut(rest, ":")
	if tagged && !tagName.MatchString(tag) {
		return Reference{}, fmt.Errorf("reference %q: %q is not a tag (letters, digits, and _ . - after the first, at most 128)", s, tag)
	}
	if len(name) < 2 || len(name) > 256 || !repositoryName.MatchString(name) {
		return Reference{}, fmt.Errorf("reference %q: %q is not a repository name (2 to 256 lower-case letters and digits, with single . _ - and / between them)", s, name)
	}
	r.Repository, r.Tag = name, tag
	return r, nil
}

// parsePath splits PATH[:TAG][@DIGEST]; what follows the last colon and cannot be
// a tag is part of the path.
func parsePath(s string, kind Kind, rest string) (Reference, error) {
	r := Reference{Kind: kind}
	var err error
	if rest, r.Digest, err = cutDigest(rest); err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w", s, err)
	}
	r.Path = rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && tagName.MatchString(rest[i+1:]) {
		r.Path, r.Tag = rest[:i], rest[i+1:]
	}
	switch {
	case r.Path == "":
		return Reference{}, fmt.Errorf("reference %q names no file or directory", s)
	case strings.HasSuffix(r.Path, ":"):
		return Reference{}, fmt.Errorf("reference %q ends its path with a colon", s)
	case strings.ContainsRune(r.Path, 0):
		return Reference{}, fmt.Errorf("reference %q has a NUL byte in its path", s)
	}
	return r, nil
}

func cutDigest(s string) (string, digest.Digest, error) {
	i := strings.LastIndex(s, "@sha256:")
	if i < 0 {
		return s, "", nil
	}
	d, err := digest.Parse(s[i+1:])
	if err != nil {
		return "", "", fmt.Errorf("digest %q: %w", s[i+1:], err)
	}
	return s[:i], d, nil
}
