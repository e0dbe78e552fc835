package registry

import (
	"encoding/json"
	"slices"
	"strings"

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
	layers       []string // digests of config and layers that have to be in the repository
	children     []string // digests of an index's manifests
	size         int64    // bytes of config and layers, each counted once
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

// parseManifest reads a manifest. mediaType is what the caller says it is, "" if the manifest says
// so itself. Errors: InvalidParameter.
func parseManifest(data []byte, mediaType string, limit int) (*manifest, error) {
	const member = "imageManifest"
	if len(data) < 1 || len(data) > limit {
		return nil, invalidParameter(member, "must have a length between 1 and %d", limit)
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, invalidParameter(member, "Invalid JSON syntax")
	}
	switch {
	case mediaType == "":
		mediaType = doc.MediaType
	case doc.MediaType != "" && doc.MediaType != mediaType:
		return nil, invalidParameter("imageManifestMediaType", "must be the mediaType of the manifest, %s, not %s", doc.MediaType, mediaType)
	}
	switch {
	case strings.HasPrefix(mediaType, mediaTypeSchema1Prefix) || doc.SchemaVersion == 1:
		return nil, invalidParameter(member, "Docker image manifest schema version 1 is not supported; push the image as schema version 2 or OCI")
	case mediaType == "":
		return nil, invalidParameter("imageManifestMediaType", "must be given for a manifest without mediaType")
	case doc.SchemaVersion != 2:
		return nil, invalidParameter(member, "schemaVersion must be 2")
	}
	m := &manifest{mediaType: mediaType, artifactType: doc.ArtifactType, annotations: doc.Annotations}
	if doc.Subject != nil {
		m.subject = doc.Subject.Digest.String()
		if err := checkDigest(member+".subject", m.subject); err != nil {
			return nil, err
		}
	}
	switch mediaType {
	case mediaTypeDockerManifest, v1.MediaTypeImageManifest:
		return m, m.addImage(doc)
	case mediaTypeDockerList, v1.MediaTypeImageIndex:
		return m, m.addIndex(doc)
	default:
		return nil, invalidParameter("imageManifestMediaType", "unsupported media type %s", mediaType)
	}
}

func (m *manifest) addImage(doc document) error {
	if doc.Config == nil {
		return invalidParameter("imageManifest", "config must be present")
	}
	if len(doc.Manifests) > 0 {
		return invalidParameter("imageManifest", "a manifest of type %s must not list manifests", m.mediaType)
	}
	m.configType = doc.Config.MediaType
	if m.artifactType == "" {
		m.artifactType = m.configType
	}
	for _, d := range append([]v1.Descriptor{*doc.Config}, doc.Layers...) {
		layer := d.Digest.String()
		if err := checkDigest("imageManifest", layer); err != nil {
			return err
		}
		if d.Size < 0 {
			return invalidParameter("imageManifest", "the size of %s must not be negative", layer)
		}
		if slices.Contains(m.layers, layer) || foreign(d) {
			continue
		}
		m.layers = append(m.layers, layer)
		m.size += d.Size
	}
	return nil
}

// foreign says whether a layer stays where its URLs say, and is not in the registry.
func foreign(d v1.Descriptor) bool {
	return len(d.URLs) > 0 && (strings.Contains(d.MediaType, ".foreign.") || strings.Contains(d.MediaType, ".nondistributable."))
}

func (m *manifest) addIndex(doc document) error {
	if doc.Config != nil || len(doc.Layers) > 0 {
		return invalidParameter("imageManifest", "a manifest of type %s must not have config or layers", m.mediaType)
	}
	for _, d := range doc.Manifests {
		child := d.Digest.String()
		if err := checkDigest("imageManifest", child); err != nil {
			return err
		}
		if !slices.Contains(m.children, child) {
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
