package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

// FormatPlain is the signature of a file alone, in base64 or as it is: what
// `cosign sign-blob` prints and `openssl dgst -sign` writes.
const FormatPlain Format = "plain"

// blobSignature is a signature of a file that was read and not verified yet.
type blobSignature struct {
	bundle
	format Format
}

// messageJSON is a signature of bytes in a bundle:
// https://github.com/sigstore/protobuf-specs/blob/v0.5.2/protos/sigstore_common.proto.
type messageJSON struct {
	MessageDigest messageDigestJSON `json:"messageDigest"`
	Signature     string            `json:"signature"`
}

type messageDigestJSON struct {
	Algorithm string `json:"algorithm"`
	Digest    string `json:"digest"`
}

func encodeMessage(b bundle) (messageJSON, error) {
	_, sum, err := decodeDigest(b.fileDigest)
	return messageJSON{
		messageDigestJSON{messageAlgorithms[b.fileDigest.Algorithm()], base64.StdEncoding.EncodeToString(sum)},
		base64.StdEncoding.EncodeToString(b.signature),
	}, err
}

// decodeMessage reads a signature of bytes. The digest beside it may be missing.
func (b *bundle) decodeMessage(data []byte) error {
	var sig string
	var sum json.RawMessage
	if err := decodeObject(data, map[string]any{"messageDigest": &sum, "signature": &sig}); err != nil {
		return err
	}
	var err error
	if b.signature, err = decodeSignature(sig); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if sum == nil {
		return nil
	}
	var algorithm, value string
	if err := decodeMember("messageDigest", sum, map[string]any{"algorithm": &algorithm, "digest": &value}); err != nil {
		return err
	}
	raw, err := decodeBase64(value)
	if err != nil {
		return fmt.Errorf("messageDigest: %w", err)
	}
	for name, written := range messageAlgorithms {
		if written == algorithm {
			b.fileDigest = digest.NewDigestFromBytes(name, raw)
			return b.fileDigest.Validate()
		}
	}
	return fmt.Errorf("messageDigest: its algorithm is %.100q, not SHA2_256, SHA2_384 or SHA2_512", algorithm)
}

// decodeBlobSignature reads a signature of a file in any form. Its format is there
// after an error too.
func decodeBlobSignature(data []byte) (blobSignature, error) {
	text := bytes.TrimSpace(data)
	if !bytes.HasPrefix(text, []byte("{")) || !utf8.Valid(text) { // the bytes of a signature may begin so
		s := blobSignature{format: FormatPlain}
		var err error
		s.signature, err = decodePlain(data)
		return s, err
	}
	if err := checkJSON(data, maxBundleSize); err != nil {
		return blobSignature{format: FormatBundle}, fmt.Errorf("bundle: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return blobSignature{format: FormatBundle}, fmt.Errorf("bundle: %w", err)
	}
	if _, older := members["base64Signature"]; older {
		s := blobSignature{format: FormatLegacy}
		err := s.decodeOlder(data)
		return s, err
	}
	b, err := decodeAnyBundle(data)
	return blobSignature{b, FormatBundle}, err
}

// decodePlain reads a signature without anything around it.
func decodePlain(data []byte) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the signature is empty")
	}
	if len(data) > 2*maxSignatureSize {
		return nil, fmt.Errorf("%d bytes are no signature", len(data))
	}
	if sig, err := decodeSignature(string(bytes.Join(bytes.Fields(data), nil))); err == nil { // openssl base64 breaks lines
		return sig, nil
	}
	if len(data) > maxSignatureSize {
		return nil, fmt.Errorf("%d bytes are no signature", len(data))
	}
	return data, nil
}

// decodeOlder reads the bundle that `cosign sign-blob` wrote before version 3. Its
// entry of a transparency log is not read.
func (s *blobSignature) decodeOlder(data []byte) error {
	var sig, certificate string
	var entry json.RawMessage
	err := decodeObject(data, map[string]any{"base64Signature": &sig, "cert": &certificate, "rekorBundle": &entry})
	if err == nil {
		s.signature, err = decodeSignature(sig)
	}
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	s.certificate = certificate != ""
	return nil
}

// evidence returns what the signature says of a file, or why it does not count.
func (s blobSignature) evidence(file *sums, predicateType string) (e evidence, reason string) {
	if s.payload == nil {
		if predicateType != "" {
			return e, "it is a signature, not an attestation"
		}
		if h, sum, err := decodeDigest(s.fileDigest); err == nil && file.byHash[h] != nil && !bytes.Equal(sum, file.byHash[h]) {
			return e, fmt.Sprintf("it is about another file, %s", s.fileDigest)
		}
		return evidence{file: file, signature: s.signature, hint: s.hint, certificate: s.certificate}, ""
	}
	if err := e.takeBundle(s.bundle); err != nil {
		return e, err.Error()
	}
	switch _, mine := e.about(file.digest()); {
	case predicateType == "":
		return e, fmt.Sprintf("it is a statement of the type %.200q, not a signature of the file", e.predicateType)
	case e.predicateType != predicateType:
		return e, fmt.Sprintf("it is an attestation of the type %.200q, not %s", e.predicateType, predicateType)
	case !mine:
		return e, fmt.Sprintf("it is about another file, %s", e.subjects[0].digest)
	}
	return e, ""
}
