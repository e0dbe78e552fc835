package content

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

var (
	// ErrNotFound reports that an image, a manifest or a blob does not exist.
	ErrNotFound = Permanent(errors.New("not found"))
	// ErrIntegrity reports that content does not fit the descriptor, digest or
	// media type by which it was asked for.
	ErrIntegrity = Permanent(errors.New("integrity check failed"))
	// ErrConflict reports that the target refuses to replace what it has.
	ErrConflict = Permanent(errors.New("conflict"))
	// ErrUnsupported reports that an image has something that cannot be copied.
	ErrUnsupported = Permanent(errors.New("not supported"))
	// ErrNoRanges reports that a server, or a proxy before it, sends whole blobs
	// only. A copy then reads them over one connection.
	ErrNoRanges = Permanent(errors.New("the server sends no ranges"))
)

// ErrIncomplete is wrapped, with [ErrNotFound], by errors about content that a layout lists, but
// does not have.
var ErrIncomplete = errors.New("the layout is incomplete")

// ErrNoRoom is the error of a directory for temporary files that has no room for more.
var ErrNoRoom = errors.New("there is no room")

// NoImageError reports that what is at a path is no image, or none in the form in which it was named.
type NoImageError struct {
	Path string
	Err  error
}

func (e *NoImageError) Error() string { return e.Err.Error() }

// Unwrap returns what is there instead.
func (e *NoImageError) Unwrap() error { return e.Err }

// SourceError is an error of a [BlobUploader] whose cause is the source: what was to be
// uploaded could not be read, or is not what its descriptor says.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// Permanent has the target not send again what it cannot read: the source has retried.
func (e *SourceError) Permanent() bool { return true }

// SizeError reports that content has another size than a descriptor says. It is an
// [ErrIntegrity].
type SizeError struct {
	Object    string // what has the size
	Digest    digest.Digest
	Has, Says int64 // bytes: that it has, and that the descriptor says
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: %s has %d bytes, its descriptor says %d", ErrIntegrity, e.Object, e.Has, e.Says)
}

// Is makes the error an [ErrIntegrity].
func (e *SizeError) Is(target error) bool { return target == ErrIntegrity }

// ErrForeign is the error of a layer whose bytes are at a URL outside the registry and
// are not fetched. It comes with [ErrUnsupported].
var ErrForeign = errors.New("foreign layer")

// ErrPlatformNeeded is the error of an index that is copied to a destination of one
// image, where no platform was chosen or none fits this machine.
var ErrPlatformNeeded = errors.New("the destination takes one image")

// ImageNotFoundError reports that an endpoint does not have an image. It is an
// [ErrNotFound].
type ImageNotFoundError struct {
	Place string // the endpoint, such as HOST/REPOSITORY
	Image string // tag or digest
	Err   error  // what the endpoint answered, or nil
}

func (e *ImageNotFoundError) Error() string {
	text := fmt.Sprintf("%s: image %s: %v", e.Place, e.Image, ErrNotFound)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes the error an [ErrNotFound].
func (e *ImageNotFoundError) Is(target error) bool { return target == ErrNotFound }

func (e *ImageNotFoundError) Unwrap() error { return e.Err }

// ConflictError reports that a tag that may not be moved names another image already.
type ConflictError struct {
	Image string        // HOST/repository:tag
	Have  digest.Digest // what the tag names; "" if that is not known
	Want  digest.Digest // what it was to name
	// Kept reports that the copy was not to move it; otherwise the tag is immutable.
	Kept bool
}

// ErrTagKept is the error of a tag that could be moved, and was not to be.
var ErrTagKept = errors.New("the tag is kept")

func (e *ConflictError) Error() string {
	have := string(e.Have)
	if have == "" {
		have = "another image"
	}
	if e.Kept {
		return fmt.Sprintf("tag %s names %s, and was not moved to %s", e.Image, have, e.Want)
	}
	next := "use a new tag"
	if _, _, ok := ParseDigestTag(e.Image[strings.LastIndexByte(e.Image, ':')+1:]); ok {
		next = "so nothing can be added to it; exclude sha256-* from the immutability of the tags, or sign with bundles, which need no tag"
	}
	return fmt.Sprintf("tag %s is immutable and names %s, not %s; %s", e.Image, have, e.Want, next)
}

// Is makes the error an [ErrConflict], and an [ErrTagKept] if it is one.
func (e *ConflictError) Is(target error) bool {
	return target == ErrConflict || e.Kept && target == ErrTagKept
}

// ErrProtocol reports an answer that the distribution API does not allow.
var ErrProtocol = Permanent(errors.New("not an answer of a registry"))
