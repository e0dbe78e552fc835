package lifecycle

import (
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Status is the imageStatus of Amazon ECR.
type Status string

// The statuses. One that is being restored is in no storage class: no rule selects
// it until that is done.
const (
	StatusActive     Status = "ACTIVE" // also ""
	StatusArchived   Status = "ARCHIVED"
	StatusActivating Status = "ACTIVATING"
)

// Image is what rules can know about an image. A zero time means never, or unknown.
type Image struct {
	Digest    digest.Digest
	Tags      []string
	MediaType string // of the manifest
	Status    Status

	PushedAt        time.Time
	LastPulledAt    time.Time // lastRecordedPullTime
	LastActivatedAt time.Time // when it was last restored from the archive
	LastArchivedAt  time.Time

	// Subject is the image that this one refers to, as a signature does.
	Subject digest.Digest
	// Children are the manifests that an index lists; nil if they are unknown.
	Children []digest.Digest

	// Size is the imageSizeInBytes of Amazon ECR: of the layers, and for an index that of its
	// largest image.
	Size int64
	// Blobs are the config and the layers; nil if they are unknown. With ManifestSize, in
	// bytes, they are the storage that the image needs.
	Blobs        []Blob
	ManifestSize int64
}

// Blob is a config or a layer. Images share blobs.
type Blob struct {
	Digest digest.Digest
	Size   int64 // in bytes
}

// IsIndex reports whether the image is an index (a manifest list).
func (i *Image) IsIndex() bool {
	return i.MediaType == ocispec.MediaTypeImageIndex || i.MediaType == mediaTypeManifestList
}

const mediaTypeManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"

// class is the storage class of the image, "" if it is in none.
func (i *Image) class() StorageClass {
	switch i.Status {
	case StatusActive, "":
		return Standard
	case StatusArchived:
		return Archive
	}
	return ""
}

// rankedAt is the time by which images are ordered: when it was pushed, or restored
// from the archive after that.
func (i *Image) rankedAt() time.Time {
	if !i.LastActivatedAt.IsZero() {
		return i.LastActivatedAt
	}
	return i.PushedAt
}

// countedFrom is the time from which a rule counts days.
func (i *Image) countedFrom(t CountType) time.Time {
	switch t {
	case SinceImageTransitioned:
		return i.LastArchivedAt
	case SinceImagePulled:
		switch {
		case i.LastActivatedAt.After(i.LastPulledAt):
			return i.LastActivatedAt
		case !i.LastPulledAt.IsZero():
			return i.LastPulledAt
		}
	}
	return i.PushedAt
}
