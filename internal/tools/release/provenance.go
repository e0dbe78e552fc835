package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/ecrkit/ecrkit/internal/tools/commit"
)

const (
	repository = "https://github.com/ecrkit/ecrkit"
	// buildType names how the archives are made; the page describes the parameters.
	buildType = repository + "/blob/main/docs/releases.md#how-a-release-is-built"
	// defaultBuilder is this program, wherever it runs.
	defaultBuilder = repository + "/tree/main/internal/tools/release"
)

// A descriptor is a file or a source: https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/resource_descriptor.md.
type descriptor struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// statement is an in-toto statement: https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md.
type statement struct {
	Type          string       `json:"_type"`
	Subject       []descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     predicate    `json:"predicate"`
}

// predicate is the provenance of a build: https://slsa.dev/spec/v1.0/provenance.
type predicate struct {
	BuildDefinition struct {
		BuildType            string            `json:"buildType"`
		ExternalParameters   map[string]any    `json:"externalParameters"`
		InternalParameters   map[string]string `json:"internalParameters"`
		ResolvedDependencies []descriptor      `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
	} `json:"runDetails"`
}

// provenance returns the statement of how files were built: from which commit, with which Go, from which
// modules. It has no times, no machine and no user, so that a rebuild has the same.
func provenance(builder string, files []file, binaries []binary) (statement, error) {
	info := binaries[0].info
	s := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		s.Subject = append(s.Subject, descriptor{Name: f.name, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}})
	}
	p := &s.Predicate
	p.RunDetails.Builder.ID = builder
	p.BuildDefinition.BuildType = buildType
	p.BuildDefinition.InternalParameters = map[string]string{"go": info.GoVersion}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	source := descriptor{URI: "git+" + repository}
	if revision := settings["vcs.revision"]; revision != "" {
		source.URI += "@" + revision
		source.Digest = map[string]string{"gitCommit": revision}
	}
	p.BuildDefinition.ExternalParameters = map[string]any{
		"source": source.URI, "version": commit.Version(info), "modified": settings["vcs.modified"] == "true",
	}
	p.BuildDefinition.ResolvedDependencies = []descriptor{source}
	seen := map[string]bool{}
	for _, b := range binaries {
		for _, m := range materials(b.info) {
			if locator := purl(m); !seen[locator] {
				seen[locator] = true
				d, err := material(m)
				if err != nil {
					return s, err
				}
				p.BuildDefinition.ResolvedDependencies = append(p.BuildDefinition.ResolvedDependencies, d)
			}
		}
	}
	return s, nil
}

// material is a module as go.sum has it: its digest is dirHash, the hash of a list of its files
// (https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/digest_set.md).
func material(m debug.Module) (descriptor, error) {
	d := descriptor{URI: purl(m)}
	if m.Sum == "" {
		return d, nil // the standard library
	}
	sum, err := moduleHash(m.Sum)
	if err != nil {
		return d, fmt.Errorf("module %s: %w", m.Path, err)
	}
	d.Digest = map[string]string{"dirHash": sum}
	return d, nil
}

// encode returns v as JSON for people and programs.
func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

// moduleHash is a sum of go.sum, h1: and base64, in hexadecimal as in-toto has it.
func moduleHash(sum string) (string, error) {
	encoded, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("the sum %q is not h1", sum)
	}
	return hex.EncodeToString(raw), nil
}
