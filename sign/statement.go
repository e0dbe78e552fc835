package sign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

const (
	// The versions of a statement, which have the same members. Version 1 is
	// written; cosign still writes attestations in version 0.1.
	statementV01 = "https://in-toto.io/Statement/v0.1"
	statementV1  = "https://in-toto.io/Statement/v1"

	// signaturePredicateType makes a statement the signature of an image. Every
	// other statement is an attestation.
	signaturePredicateType = "https://sigstore.dev/cosign/sign/v1"
)

// statement is what a bundle says of images:
// https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md.
type statement struct {
	subjects      []subject
	predicateType string
	predicate     json.RawMessage // nil if there is none
}

// subject is an image that a statement is about.
type subject struct {
	name        string // not more than a remark
	digest      digest.Digest
	annotations map[string]string // those that are strings
}

// about returns the subject that is the image d.
func (s statement) about(d digest.Digest) (subject, bool) {
	i := slices.IndexFunc(s.subjects, func(each subject) bool { return each.digest == d })
	if i < 0 {
		return subject{}, false
	}
	return s.subjects[i], true
}

// encodeStatement writes a statement of version 1. The predicate must be one JSON
// value, which is written without spaces.
func encodeStatement(s statement) ([]byte, error) {
	type descriptor struct {
		Name        string            `json:"name,omitempty"`
		Digest      map[string]string `json:"digest"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	subjects := make([]descriptor, len(s.subjects))
	for i, each := range s.subjects {
		subjects[i] = descriptor{
			Name: each.name, Digest: map[string]string{each.digest.Algorithm().String(): each.digest.Encoded()}, Annotations: each.annotations,
		}
	}
	return encodeJSON(struct {
		Type          string          `json:"_type"`
		Subject       []descriptor    `json:"subject"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate,omitempty"`
	}{statementV1, subjects, s.predicateType, s.predicate})
}

// decodeStatement reads a statement of version 0.1 or 1. All its subjects must be
// named by a sha256 digest and nothing else: an image has no other name here, and
// two digests may be those of two images. As for cosign, members that are not
// known are errors.
func decodeStatement(data []byte) (statement, error) {
	s, err := decodeStatementJSON(data)
	if err != nil {
		return statement{}, fmt.Errorf("statement: %w", err)
	}
	return s, nil
}

func decodeStatementJSON(data []byte) (s statement, err error) {
	if err := checkJSON(data, maxBundleSize); err != nil {
		return statement{}, err
	}
	var (
		version string
		list    json.RawMessage
	)
	err = decodeObject(data, map[string]any{"_type": &version, "subject": &list, "predicateType": &s.predicateType, "predicate": &s.predicate})
	switch {
	case err != nil:
		return statement{}, err
	case version != statementV01 && version != statementV1:
		return statement{}, fmt.Errorf("its type is %.100q, not %s", version, statementV1)
	case s.predicateType == "":
		return statement{}, errors.New("it has no predicateType")
	}
	subjects, err := decodeArray(list)
	if err != nil {
		return statement{}, fmt.Errorf("subject: %w", err)
	}
	if len(subjects) == 0 {
		return statement{}, errors.New("it has no subject")
	}
	for i, raw := range subjects {
		each, err := decodeSubject(raw)
		if err != nil {
			return statement{}, fmt.Errorf("subject %d: %w", i, err)
		}
		s.subjects = append(s.subjects, each)
	}
	return s, nil
}

func decodeSubject(data []byte) (s subject, err error) {
	var (
		digests, annotations, content json.RawMessage
		uri, location, mediaType      string
	)
	err = decodeObject(data, map[string]any{
		"name": &s.name, "digest": &digests, "annotations": &annotations,
		"uri": &uri, "downloadLocation": &location, "mediaType": &mediaType, "content": &content,
	})
	if err != nil {
		return subject{}, err
	}
	if s.annotations, err = decodeAnnotations(annotations); err != nil {
		return subject{}, fmt.Errorf("annotations: %w", err)
	}
	var hex string
	if err := decodeMember("digest", digests, map[string]any{string(digest.SHA256): &hex}); err != nil {
		return subject{}, err
	}
	s.digest, err = parseDigest(digest.SHA256.String() + ":" + hex)
	return s, err
}

// parseDigest reads a sha256 digest.
func parseDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil {
		return "", fmt.Errorf("digest %.100q: %w", s, err)
	}
	if d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("digest %.100q: it is not sha256", s)
	}
	return d, nil
}
