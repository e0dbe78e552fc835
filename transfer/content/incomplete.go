package content

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// AbsentError reports that files do not have a blob that an image in them names. It is an
// [ErrNotFound] and an [ErrIncomplete], and an [ErrIntegrity] where the blob was cut off.
type AbsentError struct {
	Place  string // of the files
	Digest digest.Digest
	Cut    bool // they are in an archive that ends too early
}

func (e *AbsentError) Error() string {
	if e.Cut {
		return fmt.Sprintf("%s ends too early: blob %s is missing; copy or make the archive again", e.Place, e.Digest)
	}
	return fmt.Sprintf("%s: blob %s: %v; %v", e.Place, e.Digest, ErrNotFound, ErrIncomplete)
}

// Is makes the error what its type says.
func (e *AbsentError) Is(target error) bool {
	return target == ErrNotFound || target == ErrIncomplete || e.Cut && target == ErrIntegrity
}

// IncompleteError reports that a source has only some images of an index, as `docker save`
// writes it of an image of which one platform was pulled. It wraps [ErrNotFound].
type IncompleteError struct {
	Index    digest.Digest
	Missing  []string // platforms, or what else the entries are, in the order of the index
	Complete []string // platforms that can be copied
	Err      error    // the first that was missing
}

func (e *IncompleteError) Error() string {
	has := "no image is complete"
	if len(e.Complete) > 0 {
		has = "complete: " + strings.Join(e.Complete, ", ")
	}
	return fmt.Sprintf("%v: %s of the incomplete index %s; %s", ErrNotFound, strings.Join(e.Missing, ", "), e.Index, has)
}

func (e *IncompleteError) Unwrap() error { return e.Err }
