package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Inspection is what [Inspect] finds in an image or index. Its JSON form is
// stable: fields are only added. Sizes are in bytes, of what lies in the registry,
// compressed.
type Inspection struct {
	Digest       digest.Digest       `json:"digest"`
	MediaType    string              `json:"mediaType"`
	ArtifactType string              `json:"artifactType,omitempty"`
	ManifestSize int64               `json:"manifestSize"`
	Size         int64               `json:"size"` // of all blobs, each once
	Subject      *content.Descriptor `json:"subject,omitempty"`
	Annotations  map[string]string   `json:"annotations,omitempty"`
	// Images are those that an index names; an image is the only one.
	Images []InspectedImage `json:"images"`
}

// InspectedImage is an image, or an entry of an index.
type InspectedImage struct {
	Digest       digest.Digest `json:"digest"`
	MediaType    string        `json:"mediaType"`
	ArtifactType string        `json:"artifactType,omitempty"`
	ManifestSize int64         `json:"manifestSize"`
	Platform     string        `json:"platform,omitempty"` // as content.ParsePlatform reads it
	// Attests is the image of which this is an attestation of BuildKit.
	Attests     digest.Digest     `json:"attests,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // of its entry in the index
	// Missing reports that an index lists it, but the endpoint does not have its manifest.
	Missing bool                `json:"missing,omitempty"`
	Size    int64               `json:"size"` // of config and layers
	Config  *content.Descriptor `json:"config,omitempty"`
	Layers  []InspectedLayer    `json:"layers,omitempty"`
	config  content.Descriptor  // whole, as it is read

	// The rest is in the config, which is read if only one image is inspected.

	CreatedAt *time.Time           `json:"createdAt,omitempty"`
	Execution *ocispec.ImageConfig `json:"execution,omitempty"`
}

// InspectedLayer is a layer of an image.
type InspectedLayer struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	CreatedBy string        `json:"createdBy,omitempty"` // if the config is read and says so
}

// ReadManifest returns the verified manifest that reference, a tag or a digest,
// names; "" is the only image there. If platform is not nil and it is an index, it
// is the manifest of the image for that platform.
func ReadManifest(ctx context.Context, src content.Source, reference string, platform *content.Platform) (content.Manifest, error) {
	opts := Options{Reference: reference}
	if platform != nil {
		if platform.Variant == content.AnyVariant {
			return content.Manifest{}, fmt.Errorf("%s: %w: platform %s is several; name one", src, content.ErrUnsupported, platform)
		}
		opts.Platforms = []content.Platform{*platform}
	}
	_, chosen, err := resolveChosen(ctx, src, opts)
	return chosen, err
}

// Inspect reports what is in an image or index of src. The manifests that an index
// names are read with as few requests as src needs for all of them; a config is
// read if root is an image, and where an index does not name a platform.
func Inspect(ctx context.Context, src content.Source, root content.Manifest) (Inspection, error) {
	c, err := content.DecodeManifest(root.Content, root.Descriptor.MediaType)
	if err != nil {
		return Inspection{}, fmt.Errorf("%s: manifest %s: %w", src, root.Descriptor.Digest, err)
	}
	root.Descriptor.MediaType = c.MediaType
	about, err := decodeAbout(root.Content)
	if err != nil {
		return Inspection{}, fmt.Errorf("%s: manifest %s: %w", src, root.Descriptor.Digest, err)
	}
	in := Inspection{
		Digest: root.Descriptor.Digest, MediaType: c.MediaType, ManifestSize: root.Descriptor.Size,
		ArtifactType: cmp.Or(about.ArtifactType, imagetree.ArtifactType(root.Content)), Subject: about.Subject, Annotations: about.Annotations,
	}
	var children []imagetree.IndexEntry
	if c.Manifests == nil {
		root.Descriptor.Platform, root.Descriptor.Annotations = nil, nil
		children = []imagetree.IndexEntry{{Descriptor: root.Descriptor, Manifest: root}}
	} else if children, err = readChildren(ctx, src, c.Manifests); err != nil {
		return Inspection{}, imagetree.Named(src, imagetree.InIndex(err, root.Descriptor.Digest))
	}
	blobs := map[digest.Digest]int64{}
	in.Images = make([]InspectedImage, len(children))
	for i, child := range children {
		image, err := inspectChild(child, blobs)
		if err == nil && c.Manifests == nil {
			err = image.addConfig(ctx, src)
		}
		if err != nil {
			return Inspection{}, imagetree.Named(src, err)
		}
		in.Images[i] = image
	}
	for _, size := range blobs {
		in.Size += size
	}
	return in, nil
}

// about is what manifests and indexes say of themselves.
type about struct {
	ArtifactType string
	Subject      *content.Descriptor
	Annotations  map[string]string
}

func decodeAbout(data []byte) (about, error) {
	var a about
	if err := json.Unmarshal(data, &a); err != nil {
		return about{}, fmt.Errorf("%w: not a manifest: %w", content.ErrIntegrity, err)
	}
	if a.Subject != nil {
		if err := content.CheckDescriptor(*a.Subject); err != nil {
			return about{}, fmt.Errorf("subject: %w", err)
		}
	}
	return a, nil
}

// readChildren reads the manifests and platforms of the entries of an index. One
// that src does not have has no content.
func readChildren(ctx context.Context, src content.Source, entries []content.Descriptor) ([]imagetree.IndexEntry, error) {
	total := int64(0)
	for _, d := range entries {
		total += d.Size
	}
	if total > imagetree.MaxTreeBytes {
		return nil, fmt.Errorf("%w: the manifests of the index have more than %d bytes together", content.ErrUnsupported, imagetree.MaxTreeBytes)
	}
	manifests, err := imagetree.ReadPresent(ctx, src, entries)
	if err != nil {
		return nil, err
	}
	children := make([]imagetree.IndexEntry, len(entries))
	var present []int
	for i, d := range entries {
		children[i] = imagetree.IndexEntry{Descriptor: d, Manifest: manifests[i]}
		children[i].RunsOn, children[i].HasPlatform = content.PlatformOf(d.Platform)
		if manifests[i].Content != nil && !content.IsIndex(d.MediaType) {
			present = append(present, i)
		}
	}
	// Only those in which there is a config to look into.
	some := make([]imagetree.IndexEntry, len(present))
	for k, i := range present {
		some[k] = children[i]
	}
	if err := imagetree.ReadPlatforms(ctx, src, some); err != nil {
		return nil, err
	}
	for k, i := range present {
		children[i] = some[k]
	}
	return children, nil
}

// inspectChild describes an image and adds its blobs to those of the index.
func inspectChild(c imagetree.IndexEntry, blobs map[digest.Digest]int64) (InspectedImage, error) {
	image := InspectedImage{
		Digest: c.Digest, MediaType: c.MediaType, ArtifactType: c.ArtifactType, ManifestSize: c.Size,
		Attests: digest.Digest(c.Annotations[imagetree.AnnotationAttests]), Annotations: c.Annotations,
		Missing: c.Manifest.Content == nil,
	}
	if c.HasPlatform {
		image.Platform = c.RunsOn.String()
	}
	if image.Missing {
		return image, nil
	}
	named, err := content.DecodeManifest(c.Manifest.Content, c.MediaType)
	if err != nil {
		return image, fmt.Errorf("manifest %s: %w", c.Digest, err)
	}
	// The manifest decides, not what a tool has copied to the entry.
	if a, err := decodeAbout(c.Manifest.Content); err == nil {
		image.ArtifactType = cmp.Or(a.ArtifactType, imagetree.ArtifactType(c.Manifest.Content))
	}
	for i, d := range named.Blobs {
		image.Size += d.Size
		blobs[d.Digest] = d.Size
		if i == 0 {
			image.Config, image.config = &content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, d
			continue
		}
		image.Layers = append(image.Layers, InspectedLayer{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	}
	return image, nil
}

// addConfig reads the config, if it is that of a container image.
func (i *InspectedImage) addConfig(ctx context.Context, src content.Source) error {
	if i.Config.MediaType != ocispec.MediaTypeImageConfig && i.Config.MediaType != content.MediaTypeDockerConfig {
		return nil
	}
	data, err := imagetree.ReadConfigBlob(ctx, src, i.config)
	if err != nil {
		return err
	}
	config, err := decodeConfig(data)
	if err != nil {
		return fmt.Errorf("%w: config %s: %w", content.ErrIntegrity, i.Config.Digest, err)
	}
	if p, ok := content.PlatformOf(&config.Platform); ok {
		i.Platform = p.String()
	}
	if config.Created != nil && !config.Created.IsZero() {
		i.CreatedAt = config.Created
	}
	i.Execution = &config.Config
	var steps []string
	for _, h := range config.History {
		if !h.EmptyLayer {
			steps = append(steps, h.CreatedBy)
		}
	}
	if len(steps) == len(i.Layers) {
		for k := range i.Layers {
			i.Layers[k].CreatedBy = steps[k]
		}
	}
	return nil
}

// decodeConfig reads the config of an image. A member of another type than that of the
// specification is left out: clients differ in what they write, and the rest can be shown.
func decodeConfig(data []byte) (config ocispec.Image, err error) {
	if json.Unmarshal(data, &config) == nil {
		return config, nil
	}
	config = ocispec.Image{}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return config, err
	}
	for name, target := range map[string]any{"created": &config.Created, "history": &config.History,
		"architecture": &config.Architecture, "variant": &config.Variant, "os": &config.OS, "os.version": &config.OSVersion} {
		keepDecodable(members[name], target)
	}
	var execution map[string]json.RawMessage
	_ = json.Unmarshal(members["config"], &execution) // one that is no object has no members
	e := &config.Config
	for name, target := range map[string]any{"User": &e.User, "ExposedPorts": &e.ExposedPorts, "Env": &e.Env, "Entrypoint": &e.Entrypoint,
		"Cmd": &e.Cmd, "Volumes": &e.Volumes, "WorkingDir": &e.WorkingDir, "Labels": &e.Labels, "StopSignal": &e.StopSignal} {
		keepDecodable(execution[name], target)
	}
	return config, nil
}

// keepDecodable decodes a value into what target points to, which stays empty if the
// value is of another type.
func keepDecodable(value json.RawMessage, target any) {
	if json.Unmarshal(value, target) != nil {
		reflect.ValueOf(target).Elem().SetZero()
	}
}
