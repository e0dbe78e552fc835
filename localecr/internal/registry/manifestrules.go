package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go/v1"
)

// The media types of manifests that ECR takes, and the refused ones of schema 1.
const (
	mediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	mediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaTypeSchema1Prefix  = "application/vnd.docker.distribution.manifest.v1+"
)

// A manifest is what the rules need to know of a manifest's bytes.
type manifest struct {
	mediaType    string
	artifactType string // of the manifest itself, else the media type of its config
	configType   string // media type of the config; "" of an index
	subject      string // digest, or ""
	annotations  map[string]string
	layers       []string        // digests of config and layers that have to be in the repository
	children     []string        // digests of an index's manifests
	parts        []v1.Descriptor // all of them, as the manifest lists them
	size         int64           // bytes of config and layers, each counted once
}

// document has the fields of all four kinds of manifest.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *v1.Descriptor    `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Manifests     []v1.Descriptor   `json:"manifests"`
	Subject       *v1.Descriptor    `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// invalidManifest refuses a manifest in ECR's words, which are the same whatever is wrong, and adds the reason.
// Sources: aws-sdk#193, containers-roadmap#2306.
func invalidManifest(format string, args ...any) error {
	return &types.InvalidParameterException{Message: aws.String(
		"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax' (" + fmt.Sprintf(format, args...) + ")")}
}

// parseManifest reads a manifest. mediaType is what the caller declares, "" if the manifest itself has one. Errors:
// InvalidParameter.
func parseManifest(data []byte, mediaType string, limit int, quirks Quirks) (*manifest, error) {
	if len(data) < 1 || len(data) > limit {
		return nil, invalidParameter("ImageManifest", "must have a length between 1 and %d", limit)
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, invalidManifest("%v", err)
	}
	switch {
	case mediaType == "":
		mediaType = doc.MediaType
	case doc.MediaType != "" && doc.MediaType != mediaType:
		return nil, invalidParameter("imageManifestMediaType", "must be the mediaType of the manifest, %s, not %s", doc.MediaType, mediaType)
	}
	switch {
	case strings.HasPrefix(mediaType, mediaTypeSchema1Prefix) || doc.SchemaVersion == 1:
		return nil, invalidParameter("ImageManifest", "Docker image manifest schema version 1 is not supported; push the image as schema version 2 or OCI")
	case mediaType == "":
		return nil, invalidManifest("imageManifestMediaType must be given for a manifest without mediaType")
	case doc.SchemaVersion != 2:
		return nil, invalidManifest("schemaVersion must be 2")
	}
	m := &manifest{mediaType: mediaType, artifactType: doc.ArtifactType, annotations: doc.Annotations}
	if doc.ArtifactType != "" {
		if err := checkMediaType("artifactType", doc.ArtifactType); err != nil {
			return nil, err
		}
	}
	if doc.Subject != nil {
		m.subject = doc.Subject.Digest.String()
		if err := checkDescriptor("subject", *doc.Subject); err != nil {
			return nil, err
		}
	}
	switch mediaType {
	case mediaTypeDockerManifest, v1.MediaTypeImageManifest:
		return m, m.addImage(doc, quirks)
	case mediaTypeDockerList, v1.MediaTypeImageIndex:
		return m, m.addIndex(doc, quirks)
	default:
		return nil, invalidParameter("imageManifestMediaType", "unsupported media type %s", mediaType)
	}
}

// validMediaType reports whether a text is a media type without parameters (RFC 6838, section 4.2). ECR takes no other, in
// any field of a manifest (containers-roadmap#2306, sigstore-js#1058).
func validMediaType(text string) bool {
	main, sub, ok := strings.Cut(text, "/")
	return ok && restrictedName(main) && restrictedName(sub)
}

// restrictedName reports whether a text is a restricted-name of RFC 6838. Not by a regular expression: each manifest has
// many of them.
func restrictedName(text string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return len(text) >= 1 && len(text) <= 127 && strings.Contains(letters, text[:1]) && strings.Trim(text, letters+"!#$&^_.+-") == ""
}

func checkMediaType(member, mediaType string) error {
	if !validMediaType(mediaType) {
		return invalidManifest("%s %q is no media type, or has parameters", member, mediaType)
	}
	return nil
}

// checkDescriptor checks what every descriptor of a manifest must have.
func checkDescriptor(member string, d v1.Descriptor) error {
	switch {
	case !ValidDigest(d.Digest.String()):
		return invalidManifest("%s.digest %q must be sha256: and 64 lower-case hexadecimal digits", member, d.Digest)
	case d.Size < 0:
		return invalidManifest("%s.size must not be negative", member)
	default:
		return checkMediaType(member+".mediaType", d.MediaType)
	}
}

// artifactTypeBuildKit is that of an attestation which BuildKit 0.32 or later pushes as an OCI artifact.
const artifactTypeBuildKit = "application/vnd.docker.attestation.manifest.v1+json"

func (m *manifest) addImage(doc document, quirks Quirks) error {
	switch {
	case doc.Config == nil:
		return invalidManifest("config must be present")
	case len(doc.Manifests) > 0:
		return invalidManifest("a manifest of type %s must not list manifests", m.mediaType)
	case len(doc.Layers) == 0:
		// werf#2558, buildkit#4331, containers-roadmap#876
		return invalidParameter("ImageManifest", "Image has to have at least 1 layer")
	case quirks.NoConfigAnnotations && len(doc.Config.Annotations) > 0:
		return invalidManifest("config must not have annotations")
	case !quirks.BuildKitArtifact && doc.ArtifactType == artifactTypeBuildKit:
		return invalidManifest("an attestation of BuildKit as an OCI artifact")
	}
	m.configType = doc.Config.MediaType
	if m.artifactType == "" {
		m.artifactType = m.configType
	}
	for i, d := range append([]v1.Descriptor{*doc.Config}, doc.Layers...) {
		member := "config"
		if i > 0 {
			member = fmt.Sprintf("layers[%d]", i-1)
		}
		if err := checkDescriptor(member, d); err != nil {
			return err
		}
		if foreign(d) {
			continue
		}
		m.parts = append(m.parts, d)
		if layer := d.Digest.String(); !slices.Contains(m.layers, layer) {
			m.layers = append(m.layers, layer)
			m.size += d.Size
		}
	}
	return nil
}

// foreign reports whether a layer stays where its URLs lead, and is not in the registry.
func foreign(d v1.Descriptor) bool {
	return len(d.URLs) > 0 && (strings.Contains(d.MediaType, ".foreign.") || strings.Contains(d.MediaType, ".nondistributable."))
}

func (m *manifest) addIndex(doc document, quirks Quirks) error {
	switch {
	case doc.Config != nil || len(doc.Layers) > 0:
		return invalidManifest("a manifest of type %s must not have config or layers", m.mediaType)
	case !quirks.EmptyIndex && len(doc.Manifests) == 0:
		return invalidManifest("manifests must not be empty")
	}
	for i, d := range doc.Manifests {
		if err := checkDescriptor(fmt.Sprintf("manifests[%d]", i), d); err != nil {
			return err
		}
		m.parts = append(m.parts, d)
		if child := d.Digest.String(); !slices.Contains(m.children, child) {
			m.children = append(m.children, child)
		}
	}
	return nil
}

// Digest is the digest of a manifest's bytes.
func Digest(data []byte) string { return digest.FromBytes(data).String() }

// Subject is the digest of the manifest that a manifest refers to, "" for none.
func Subject(data []byte) string {
	var doc document
	if json.Unmarshal(data, &doc) != nil || doc.Subject == nil {
		return ""
	}
	return doc.Subject.Digest.String()
}
