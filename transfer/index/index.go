package index

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

var (
	// ErrDockerList is the error of what only an OCI index can have.
	ErrDockerList = errors.New("a Docker manifest list")
	// ErrNotIndex is the error of an image where an index is needed.
	ErrNotIndex = errors.New("not an index")
	// ErrSamePlatform is the error of a second image for a platform of an index.
	ErrSamePlatform = errors.New("two images for the same platform")
)

// Type is the format of an index.
type Type string

// The formats of an index.
const (
	OCI    Type = "oci"    // OCI image index
	Docker Type = "docker" // Docker manifest list: Docker images only, no annotations
)

// Index is an image index that is being made or edited. What is not edited of its
// JSON stays byte for byte. Nothing is written before [Index.Put].
type Index struct {
	endpoint  content.Endpoint
	mediaType string
	doc       *indexedit.Index
	children  []imagetree.IndexEntry           // as the entries of doc
	sources   map[digest.Digest]content.Source // of the children that are not in endpoint
}

// Addition is an image that becomes an entry of an index, or an index whose
// entries do.
type Addition struct {
	Source    content.Source // nil is the endpoint of the index
	Reference string         // tag or digest there
	// Verify, if not nil, is asked about the image or index when it was read from Source, before anything is taken from
	// it. Its error is that of the function.
	Verify func(ctx context.Context, source content.Source, image content.Manifest) error
}

// Options describe what kind of index [New] makes. The zero value is a
// Docker manifest list if all of its images are Docker's, otherwise an OCI index.
type Options struct {
	Type        Type
	Annotations map[string]string // of the index; they make it an OCI index
	// Force allows several images for one platform.
	Force bool
}

// New makes an index in endpoint. The platform of an image is that of its
// config; an artifact, which has none, becomes an entry without one. Equal
// additions in equal order make an equal index, byte for byte.
//
// In Amazon ECR that is one BatchGetImage for all images of the repository, and
// one GetDownloadUrlForLayer and one GET for each different config.
func New(ctx context.Context, endpoint content.Endpoint, additions []Addition, o Options) (*Index, error) {
	x := &Index{endpoint: endpoint, sources: map[digest.Digest]content.Source{}}
	entries, err := x.read(ctx, additions)
	if err != nil {
		return nil, err
	}
	isDocker := func(e entry) bool { return e.MediaType == content.MediaTypeDockerManifest }
	if o.Type == "" && len(o.Annotations) == 0 && !slices.ContainsFunc(entries, func(e entry) bool { return !isDocker(e) }) {
		o.Type = Docker
	}
	x.mediaType = ocispec.MediaTypeImageIndex
	if o.Type == Docker {
		x.mediaType = content.MediaTypeDockerList
	}
	x.doc, err = indexedit.Parse([]byte(`{"schemaVersion":2,"mediaType":"` + x.mediaType + `","manifests":[]}`))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := x.insert(e, o.Force); err != nil {
			return nil, err
		}
	}
	if len(o.Annotations) > 0 {
		if err := x.Annotate(o.Annotations, nil); err != nil {
			return nil, err
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, x.doc.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	x.doc, err = indexedit.Parse(indented.Bytes())
	return x, err
}

// Open reads the index that reference, a tag or a digest, names in endpoint.
// The error wraps [content.ErrUnsupported] if it is an image.
func Open(ctx context.Context, endpoint content.Endpoint, reference string) (*Index, error) {
	m, err := imagetree.ResolveTyped(ctx, endpoint, reference)
	if err != nil {
		return nil, err
	}
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return nil, fmt.Errorf("%s: manifest %s: %w", endpoint, m.Descriptor.Digest, err)
	}
	if c.Manifests == nil {
		return nil, fmt.Errorf("%s: %w: %s is an image, %w", endpoint, content.ErrUnsupported, m.Descriptor.Digest, ErrNotIndex)
	}
	x := &Index{endpoint: endpoint, mediaType: c.MediaType, sources: map[digest.Digest]content.Source{}}
	if x.doc, err = indexedit.Parse(m.Content); err != nil {
		return nil, fmt.Errorf("%s: index %s: %w: %w", endpoint, m.Descriptor.Digest, content.ErrIntegrity, err)
	}
	x.children = make([]imagetree.IndexEntry, len(c.Manifests))
	for i, d := range c.Manifests {
		x.children[i].Descriptor = d
	}
	return x, nil
}

// Manifest returns the index as it is now. The error wraps [content.ErrUnsupported] if it
// is larger than a manifest may be, or empty.
func (x *Index) Manifest() (content.Manifest, error) {
	m := content.NewManifest(x.doc.Bytes(), x.mediaType)
	if len(x.children) == 0 {
		return m, fmt.Errorf("%w: an index without any image", content.ErrUnsupported)
	}
	_, err := content.DecodeManifest(m.Content, x.mediaType)
	return m, err
}

// Entries returns the descriptors of the index.
func (x *Index) Entries() []content.Descriptor {
	descriptors := make([]content.Descriptor, len(x.children))
	for i, c := range x.children {
		descriptors[i] = c.Descriptor
	}
	return descriptors
}

// entry is what is to be in an index.
type entry struct {
	imagetree.IndexEntry
	raw    []byte         // the descriptor as JSON
	source content.Source // nil is the endpoint of the index
}

// accept reports whether the index may have the entry.
func (x *Index) accept(e entry) error {
	if x.mediaType == content.MediaTypeDockerList && e.MediaType != content.MediaTypeDockerManifest {
		return fmt.Errorf("%w: %w takes Docker images only, and %s is %s; an OCI index takes both", content.ErrUnsupported, ErrDockerList, e.Digest, e.MediaType)
	}
	return nil
}

// insert adds an entry at the end unless it is there.
func (x *Index) insert(e entry, force bool) error {
	if err := x.accept(e); err != nil {
		return err
	}
	for _, c := range x.children {
		if c.Same(e.IndexEntry) {
			return nil
		}
		if c.HasPlatform && e.HasPlatform && c.Key() == e.Key() && !force {
			return fmt.Errorf("%w, %s: %s and %s", ErrSamePlatform, e.Key(), c.Digest, e.Digest)
		}
	}
	x.append(e)
	return nil
}

func (x *Index) append(e entry) {
	x.doc.Append(e.raw)
	x.children = append(x.children, e.IndexEntry)
	x.note(e)
}

// note keeps from where an entry has to be copied.
func (x *Index) note(e entry) {
	if e.source != nil {
		x.sources[e.Digest] = e.source
	}
}
