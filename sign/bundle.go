package sign

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
)

const (
	// bundleMediaType is that of a Sigstore bundle, of its layer and its manifest.
	// The older form "…bundle+json;version=0.3" is not taken: Amazon ECR refuses
	// media types with a semicolon.
	bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// statementMediaType is the payload type of the envelope in a bundle.
	statementMediaType = "application/vnd.in-toto+json"

	// maxBundleSize bounds a bundle, which holds a whole bill of materials if it
	// attests one, in bytes.
	maxBundleSize = 32 << 20
	// maxSignatureSize bounds the signature itself, in bytes. RSA with 16384 bits
	// has 2048.
	maxSignatureSize = 8 << 10
)

// bundle is a Sigstore bundle v0.3 with a DSSE envelope, as an image has it
// (https://github.com/sigstore/cosign/blob/v3.1.3/specs/BUNDLE_SPEC.md), or with a
// signature of bytes, as a file has it.
type bundle struct {
	payload   []byte // the statement, in its exact bytes; nil if the signature is over a file
	signature []byte
	// fileDigest is that of the file that the signature is over, as the bundle has it;
	// "" if it does not have it. It is not signed.
	fileDigest digest.Digest
	// hint names the key that has signed. It is not signed itself and no proof of
	// anything. "" if the bundle says nothing.
	hint string
	// certificate reports that the signer names itself by a certificate and not by a key.
	certificate bool
}

// signed is what the signature of the bundle is over, PAE(type, body) in
// https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md. The library's package would bring the keys of ssh along.
func (b bundle) signed() []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(statementMediaType), statementMediaType, len(b.payload), b.payload)
}

// encodeBundle writes the bundle as cosign does. The certificate is not written.
func encodeBundle(b bundle) ([]byte, error) {
	type key struct {
		Hint string `json:"hint"`
	}
	type material struct {
		PublicKey key `json:"publicKey"`
	}
	type signature struct {
		Sig string `json:"sig"`
	}
	type envelope struct {
		Payload     string      `json:"payload"`
		PayloadType string      `json:"payloadType"`
		Signatures  []signature `json:"signatures"`
	}
	written := struct {
		MediaType            string       `json:"mediaType"`
		VerificationMaterial material     `json:"verificationMaterial"`
		DSSEEnvelope         *envelope    `json:"dsseEnvelope,omitempty"`
		MessageSignature     *messageJSON `json:"messageSignature,omitempty"`
	}{MediaType: bundleMediaType, VerificationMaterial: material{PublicKey: key{Hint: b.hint}}}
	if b.payload == nil {
		message, err := encodeMessage(b)
		if err != nil {
			return nil, err
		}
		written.MessageSignature = &message
	} else {
		written.DSSEEnvelope = &envelope{
			Payload:     base64.StdEncoding.EncodeToString(b.payload),
			PayloadType: statementMediaType,
			Signatures:  []signature{{Sig: base64.StdEncoding.EncodeToString(b.signature)}},
		}
	}
	return encodeJSON(written)
}

// decodeBundle reads the bundle of an image, and is as strict as cosign: members that
// are not known, other content than an envelope, and other than one signature are
// errors. Entries of transparency logs and timestamps are not read. The statement in
// it is not decoded, the signature not verified.
func decodeBundle(data []byte) (bundle, error) {
	b, err := decodeAnyBundle(data)
	if err == nil && b.payload == nil {
		err = errors.New("bundle: it has a signature of bytes (messageSignature), which names no image")
	}
	if err != nil {
		return bundle{}, err
	}
	return b, nil
}

// decodeAnyBundle is decodeBundle for a bundle with an envelope or a signature of bytes.
func decodeAnyBundle(data []byte) (bundle, error) {
	b, err := decodeBundleJSON(data)
	if err != nil {
		return bundle{}, fmt.Errorf("bundle: %w", err)
	}
	return b, nil
}

func decodeBundleJSON(data []byte) (b bundle, err error) {
	if err := checkJSON(data, maxBundleSize); err != nil {
		return bundle{}, err
	}
	var (
		mediaType                   string
		material, envelope, message json.RawMessage
	)
	err = decodeObject(data, map[string]any{
		"mediaType": &mediaType, "verificationMaterial": &material, "dsseEnvelope": &envelope, "messageSignature": &message,
	})
	switch {
	case err != nil:
		return bundle{}, err
	case mediaType != bundleMediaType:
		return bundle{}, fmt.Errorf("its media type is %.100q, not %s", mediaType, bundleMediaType)
	case message != nil && envelope != nil:
		return bundle{}, errors.New("it has two contents (dsseEnvelope and messageSignature), not one")
	case message == nil && envelope == nil:
		return bundle{}, errors.New("it has no envelope (dsseEnvelope) and no messageSignature")
	case material == nil:
		return bundle{}, errors.New("it has no verificationMaterial")
	}
	if err := b.decodeMaterial(material); err != nil {
		return bundle{}, fmt.Errorf("verificationMaterial: %w", err)
	}
	if message != nil {
		if err := b.decodeMessage(message); err != nil {
			return bundle{}, fmt.Errorf("messageSignature: %w", err)
		}
		return b, nil
	}
	if err := b.decodeEnvelope(envelope); err != nil {
		return bundle{}, fmt.Errorf("dsseEnvelope: %w", err)
	}
	return b, nil
}

// decodeMaterial reads what a bundle says of its signer, a key or a certificate.
func (b *bundle) decodeMaterial(data []byte) error {
	var key, certificate, chain, entries, timestamps json.RawMessage
	err := decodeObject(data, map[string]any{
		"publicKey": &key, "certificate": &certificate, "x509CertificateChain": &chain,
		"tlogEntries": &entries, "timestampVerificationData": &timestamps,
	})
	if err != nil {
		return err
	}
	named := 0
	for _, signer := range []json.RawMessage{key, certificate, chain} {
		if signer != nil {
			named++
		}
	}
	if named != 1 {
		return fmt.Errorf("it names %d signers, not one (publicKey or certificate)", named)
	}
	if b.certificate = key == nil; b.certificate {
		return nil
	}
	return decodeMember("publicKey", key, map[string]any{"hint": &b.hint})
}

// decodeEnvelope reads the statement and its one signature.
func (b *bundle) decodeEnvelope(data []byte) error {
	var (
		payload, payloadType string
		signatures           json.RawMessage
	)
	err := decodeObject(data, map[string]any{"payload": &payload, "payloadType": &payloadType, "signatures": &signatures})
	if err != nil {
		return err
	}
	if payloadType != statementMediaType {
		return fmt.Errorf("its payload type is %.100q, not %s", payloadType, statementMediaType)
	}
	if b.payload, err = decodeBase64(payload); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if len(b.payload) == 0 {
		return errors.New("payload: it is empty")
	}
	each, err := decodeArray(signatures)
	if err != nil {
		return fmt.Errorf("signatures: %w", err)
	}
	if len(each) != 1 {
		return fmt.Errorf("it has %d signatures, not one", len(each))
	}
	var sig, keyID string
	if err := decodeMember("signature", each[0], map[string]any{"sig": &sig, "keyid": &keyID}); err != nil {
		return err
	}
	if b.signature, err = decodeSignature(sig); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	return nil
}

// decodeSignature reads a signature in base64.
func decodeSignature(s string) ([]byte, error) {
	if s == "" {
		return nil, errors.New("it is empty")
	}
	if len(s) > base64.StdEncoding.EncodedLen(maxSignatureSize) {
		return nil, fmt.Errorf("it is longer than %d bytes", maxSignatureSize)
	}
	return decodeBase64(s)
}
