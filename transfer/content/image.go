package content

import (
	"context"
	"iter"
	"time"

	"github.com/opencontainers/go-digest"
)

// Image is an image of a repository or a layout, as a list shows it. Its JSON
// form is stable: fields are only added.
type Image struct {
	Digest    digest.Digest `json:"digest,omitempty"`
	Tags      []string      `json:"tags"` // sorted; [] if it has none
	MediaType string        `json:"mediaType,omitempty"`
	// ArtifactType is what Amazon ECR knows of the kind of content: the artifact type
	// of the manifest, else the media type of its config.
	ArtifactType string        `json:"artifactType,omitempty"`
	Subject      digest.Digest `json:"subject,omitempty"` // of a referrer
	// Size is in bytes. Amazon ECR returns that of the layers, and of an index that of
	// its largest image; of a layout it is that of all blobs, each once. 0 is not known.
	Size     int64      `json:"size,omitempty"`
	PushedAt *time.Time `json:"pushedAt,omitempty"`
	// PulledAt is when the image was last pulled, of which Amazon ECR keeps track at
	// least once in 24 hours.
	PulledAt *time.Time `json:"pulledAt,omitempty"`
	Status   string     `json:"status,omitempty"` // ACTIVE, ARCHIVED or ACTIVATING
}

// ImageLister lists the images of an endpoint.
type ImageLister interface {
	// Images lists the images, or those with a tag, or those without, in the order
	// of the endpoint. Where it takes several requests, each is made when its images
	// are asked for. An error ends the list.
	Images(ctx context.Context, tags TagFilter) iter.Seq2[Image, error]
}

// TagFilter selects the images that are listed.
type TagFilter string

// Which images are listed.
const (
	AnyTags      TagFilter = ""
	TaggedOnly   TagFilter = "TAGGED"
	UntaggedOnly TagFilter = "UNTAGGED"
)

// ImageDescriber knows of an image what is not in its manifest.
type ImageDescriber interface {
	// DescribeImage returns the tags, times and status of the image with this digest. The
	// error wraps [ErrNotFound] if there is none.
	DescribeImage(ctx context.Context, d digest.Digest) (Image, error)
}
