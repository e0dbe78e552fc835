package sign

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// AttachmentKind is what something attached to an image is.
type AttachmentKind string

// The kinds of attachments.
const (
	KindSignature   AttachmentKind = "signature"   // in one of the formats that Verify reads
	KindAttestation AttachmentKind = "attestation" // likewise; also a bundle that could not be read
	KindSBOM        AttachmentKind = "sbom"        // a bill of materials that nobody has signed
	KindNotation    AttachmentKind = "notation"    // a signature of Notation, as AWS Signer makes them
	KindOther       AttachmentKind = "other"
)

// Attachment is a manifest that was attached to an image: it refers to the image, or
// has a tag made of its digest. Nothing in it is verified. Its JSON form is stable:
// fields are only added.
type Attachment struct {
	Kind         AttachmentKind    `json:"kind"`
	Format       Format            `json:"format,omitempty"` // of signatures and attestations
	Digest       digest.Digest     `json:"digest,omitempty"` // "" if the tag could not be read
	MediaType    string            `json:"mediaType,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"` // the config's media type if it has none
	Size         int64             `json:"size"`                   // of the manifest, in bytes
	Tag          string            `json:"tag,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	// Contents are its signatures and attestations: one in a bundle, any number below
	// a tag.
	Contents []AttachmentContent `json:"contents,omitempty"`
	// Problem is why it cannot be read, "" if it can.
	Problem string `json:"problem,omitempty"`

	layers  []content.Descriptor // one for each of Contents
	missing bool                 // the problem is that it is listed, but not there
}

// AttachmentContent is one signature or attestation. What it says is not verified.
type AttachmentContent struct {
	Digest        digest.Digest `json:"digest"` // of its blob
	Size          int64         `json:"size"`   // of its blob, in bytes
	PredicateType string        `json:"predicateType,omitempty"`
	// Key is the fingerprint of the key that a bundle names; what another form of
	// hint says as it is.
	Key string `json:"key,omitempty"`
	// Certificate reports that the signer names itself by a certificate: keyless signing.
	Certificate bool   `json:"certificate,omitempty"`
	Problem     string `json:"problem,omitempty"` // why it cannot be read
}

const (
	// bundlePrefix begins the media types of bundles of all versions.
	bundlePrefix = "application/vnd.dev.sigstore.bundle"
	// envelopeMediaType is that of a legacy attestation's layer.
	envelopeMediaType = "application/vnd.dsse.envelope.v1+json"
	// predicateTypeAnnotation says at a bundle's manifest, unsigned, what is in it.
	predicateTypeAnnotation = "dev.sigstore.bundle.predicateType"
	// notationMediaType: https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md.
	notationMediaType = "application/vnd.cncf.notary.signature"

	// maxContents is how many signatures one manifest may have, as for cosign.
	maxContents = 1000
)

// sbomWords are in the media types of bills of materials.
var sbomWords = []string{"spdx", "cyclonedx", "syft"}

// attachmentOf classifies a manifest by what is in it: the artifact type that a
// registry lists need not be that of the manifest
// (https://github.com/sigstore/cosign/issues/4422).
func attachmentOf(m content.Manifest, tag string) Attachment {
	a := Attachment{
		Kind: KindOther, Digest: m.Descriptor.Digest, MediaType: m.Descriptor.MediaType, ArtifactType: m.Descriptor.ArtifactType,
		Size: int64(len(m.Content)), Tag: tag, Annotations: m.Descriptor.Annotations,
	}
	var doc struct {
		MediaType    string
		ArtifactType string
		Config       content.Descriptor
		Layers       []content.Descriptor
		Annotations  map[string]string
	}
	err := checkJSON(m.Content, content.MaxManifestSize)
	if err == nil {
		err = json.Unmarshal(m.Content, &doc)
	}
	if err != nil {
		a.Kind = a.kindByType(nil)
		a.Problem = fmt.Sprintf("its manifest: %v", err)
		return a
	}
	a.Annotations = doc.Annotations
	switch {
	case doc.ArtifactType != "":
		a.ArtifactType = doc.ArtifactType
	case doc.Config.MediaType != "" && doc.Config.MediaType != ocispec.MediaTypeEmptyJSON:
		a.ArtifactType = doc.Config.MediaType
	}
	if a.MediaType == "" {
		a.MediaType = doc.MediaType
	}
	a.take(doc.Layers)
	return a
}

// take finds the signatures and attestations among the layers.
func (a *Attachment) take(layers []content.Descriptor) {
	bundles := 0
	for _, l := range layers {
		switch {
		case strings.HasPrefix(l.MediaType, bundlePrefix):
			bundles++
		case l.MediaType == payloadMediaType, l.MediaType == envelopeMediaType:
		default:
			continue
		}
		a.layers = append(a.layers, l)
	}
	a.Kind = a.kindByType(layers)
	switch {
	case len(a.layers) == 0:
		if _, kind, ok := content.ParseDigestTag(a.Tag); ok && kind != content.DigestTagSBOM {
			a.Problem = "it holds no signature, but something else"
		}
		return
	case bundles > 0:
		a.Format = FormatBundle
		a.Kind = KindSignature
		if t := a.Annotations[predicateTypeAnnotation]; t != "" && t != signaturePredicateType {
			a.Kind = KindAttestation // until the bundle says so itself
		}
	default:
		if a.Format = FormatOCI11; a.Tag != "" {
			a.Format = FormatLegacy
		}
		a.Kind = KindSignature
		if a.layers[0].MediaType == envelopeMediaType {
			a.Kind = KindAttestation
		}
	}
	a.Problem = a.layersProblem(len(layers), bundles)
	if a.Problem != "" {
		a.layers = nil
	}
	for _, l := range a.layers {
		a.Contents = append(a.Contents, AttachmentContent{Digest: l.Digest, Size: l.Size})
	}
}

// layersProblem reports what keeps layers from being read.
func (a *Attachment) layersProblem(all, bundles int) string {
	if bundles > 0 && all != 1 {
		return fmt.Sprintf("it has %d layers; a bundle is alone in its manifest", all)
	}
	if len(a.layers) > maxContents {
		return fmt.Sprintf("it has %d signatures; at most %d are read", len(a.layers), maxContents)
	}
	for _, l := range a.layers {
		if _, err := parseDigest(string(l.Digest)); err != nil {
			return fmt.Sprintf("its layer: %v", err)
		}
		if limit := sizeLimit(l.MediaType); l.Size < 0 || l.Size > limit {
			return fmt.Sprintf("its layer %s has %d bytes; at most %d are read", l.Digest, l.Size, limit)
		}
		if bundles > 0 && l.MediaType != bundleMediaType {
			return fmt.Sprintf("it is a bundle of media type %q; %s is read", l.MediaType, bundleMediaType)
		}
		if l.MediaType != a.layers[0].MediaType {
			return "its layers are both signatures and attestations"
		}
	}
	return ""
}

// sizeLimit is how many bytes a blob of a media type may have.
func sizeLimit(mediaType string) int64 {
	if mediaType == payloadMediaType {
		return maxPayloadSize
	}
	return maxBundleSize
}

// kindByType tells from types and tag what something is that is not read here.
func (a *Attachment) kindByType(layers []content.Descriptor) AttachmentKind {
	types := []string{a.ArtifactType}
	for _, l := range layers {
		types = append(types, l.MediaType)
	}
	for _, t := range types {
		if t == notationMediaType {
			return KindNotation
		}
		for _, word := range sbomWords {
			if strings.Contains(t, word) {
				return KindSBOM
			}
		}
	}
	_, tagKind, _ := content.ParseDigestTag(a.Tag)
	switch {
	case tagKind == content.DigestTagSBOM:
		return KindSBOM
	case tagKind == content.DigestTagAttestation:
		return KindAttestation
	case tagKind == content.DigestTagSignatures, strings.HasPrefix(a.ArtifactType, bundlePrefix), a.ArtifactType == oci11ArtifactType:
		return KindSignature
	}
	return KindOther
}

// suspected is the kind of what cannot be read: a signature, if nothing says that it is
// none.
func (a Attachment) suspected() AttachmentKind {
	if a.Kind == KindOther && (a.ArtifactType == "" || a.ArtifactType == ocispec.MediaTypeEmptyJSON) {
		return KindSignature
	}
	return a.Kind
}

// oci11ArtifactType is that of cosign's experimental format.
const oci11ArtifactType = "application/vnd.dev.cosign.artifact.sig.v1+json"

// keyOf makes of a bundle's hint a fingerprint, if it is one as cosign writes it.
func keyOf(hint string) string {
	sum, err := base64.StdEncoding.DecodeString(hint)
	if err != nil || len(sum) != digest.SHA256.Size() {
		return hint
	}
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum)).String()
}
