package sign

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	sigpayload "github.com/sigstore/sigstore/pkg/signature/payload"
)

const (
	// payloadMediaType is that of a layer with a payload of simple signing.
	payloadMediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	// signatureAnnotation has the signature of the payload that a layer is, in base64.
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	// maxPayloadSize bounds a payload, in bytes.
	maxPayloadSize = 1 << 20
)

// simplePayload is what a legacy signature says of an image:
// https://github.com/sigstore/cosign/blob/v3.1.3/specs/SIGNATURE_SPEC.md#simple-signing.
type simplePayload struct {
	repository  string // that the signer says the image is in; may have a tag
	digest      digest.Digest
	annotations map[string]string // those that are strings
}

// encodePayload writes the bytes that are signed, the same for the same payload and
// the same as cosign's: who signs again can tell.
func encodePayload(p simplePayload) ([]byte, error) {
	var optional map[string]any // null if there is none
	for name, value := range p.annotations {
		if optional == nil {
			optional = map[string]any{}
		}
		optional[name] = value
	}
	return json.Marshal(sigpayload.SimpleContainerImage{
		Critical: sigpayload.Critical{
			Identity: sigpayload.Identity{DockerReference: p.repository},
			Image:    sigpayload.Image{DockerManifestDigest: string(p.digest)},
			Type:     sigpayload.CosignSignatureType,
		},
		Optional: optional,
	})
}

// decodePayload reads a payload. Members that are not known are errors in all of it
// but what is optional, so that nothing critical goes unseen:
// https://github.com/containers/image/blob/main/docs/containers-signature.5.md#json-data-format.
func decodePayload(data []byte) (simplePayload, error) {
	p, err := decodePayloadJSON(data)
	if err != nil {
		return simplePayload{}, fmt.Errorf("payload: %w", err)
	}
	return p, nil
}

func decodePayloadJSON(data []byte) (p simplePayload, err error) {
	if err := checkJSON(data, maxPayloadSize); err != nil {
		return simplePayload{}, err
	}
	var (
		critical, optional, identity, image json.RawMessage
		kind, manifest                      string
	)
	if err := decodeObject(data, map[string]any{"critical": &critical, "optional": &optional}); err != nil {
		return simplePayload{}, err
	}
	if err := decodeMember("critical", critical, map[string]any{"type": &kind, "identity": &identity, "image": &image}); err != nil {
		return simplePayload{}, err
	}
	if kind != sigpayload.CosignSignatureType {
		return simplePayload{}, fmt.Errorf("critical.type is %.100q, not %q", kind, sigpayload.CosignSignatureType)
	}
	if err := decodeMember("critical.identity", identity, map[string]any{"docker-reference": &p.repository}); err != nil {
		return simplePayload{}, err
	}
	if err := decodeMember("critical.image", image, map[string]any{"docker-manifest-digest": &manifest}); err != nil {
		return simplePayload{}, err
	}
	if p.digest, err = parseDigest(manifest); err != nil {
		return simplePayload{}, err
	}
	if p.annotations, err = decodeAnnotations(optional); err != nil {
		return simplePayload{}, fmt.Errorf("optional: %w", err)
	}
	return p, nil
}
