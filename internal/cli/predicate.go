package cli

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// predicateTypes are the URIs of the types of predicates by the short names that
// cosign has for them:
// https://github.com/sigstore/cosign/blob/v3.1.3/cmd/cosign/cli/options/predicate.go.
func predicateTypes() map[string]string {
	return map[string]string{
		"custom":           "https://cosign.sigstore.dev/attestation/v1",
		"cyclonedx":        "https://cyclonedx.org/bom",
		"link":             "https://in-toto.io/Link/v1",
		"openvex":          "https://openvex.dev/ns",
		"slsaprovenance":   "https://slsa.dev/provenance/v0.2",
		"slsaprovenance02": "https://slsa.dev/provenance/v0.2",
		"slsaprovenance1":  "https://slsa.dev/provenance/v1",
		"spdx":             "https://spdx.dev/Document",
		"spdxjson":         "https://spdx.dev/Document",
		"vuln":             "https://cosign.sigstore.dev/attestation/vuln/v1",
	}
}

// predicateType returns the URI of a type of predicates by its short name, or the URI
// itself.
func predicateType(name string) (string, error) {
	if uri, ok := predicateTypes()[name]; ok {
		return uri, nil
	}
	if u, err := url.Parse(name); err != nil || u.Scheme == "" {
		return "", usagef("--type %q is neither a URI nor one of %s", name, strings.Join(predicateTypeNames(), ", "))
	}
	return name, nil
}

// predicateTypeNames are the short names.
func predicateTypeNames() []string { return slices.Sorted(maps.Keys(predicateTypes())) }
