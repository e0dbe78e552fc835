package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// RequiredBlob is a blob or a manifest that a repository of the destination has to have already: the set does not have it.
type RequiredBlob struct {
	Name   string        `json:"name"` // repository under a destination
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	// Set is the ID of the set that carried the blob, "" if it is not known.
	Set digest.Digest `json:"set,omitempty"`
	// From is a repository under the destination that has the blob, if the one that needs it did not.
	From string `json:"from,omitempty"`
	// Manifest reports whether it is a manifest.
	Manifest bool `json:"manifest,omitempty"`
}

// ErrRequiredBlobs reports that a destination lacks blobs that a set was made without. Errors that wrap it wrap
// [content.ErrConflict] too.
var ErrRequiredBlobs = errors.New("the destination lacks blobs that this set was made without")

// needsError is an ErrNeeds with an example.
type needsError struct {
	missing int
	first   RequiredBlob
	to      string
	sets    []string // that had them, as far as it is known, sorted
}

func (e needsError) Error() string {
	before := "the sets that were exported before this one"
	if len(e.sets) > 0 {
		before = fmt.Sprintf("the sets with these IDs: %s", strings.Join(e.sets, ", "))
	}
	return fmt.Sprintf("%v: %d, such as %s in %s; import first %s", ErrRequiredBlobs, e.missing, e.first.Digest, e.to, before)
}

func (e needsError) Is(target error) bool {
	return target == ErrRequiredBlobs || target == content.ErrConflict
}

// CheckNeeds asks each repository of the destination whether it has what the set was made without. open
// opens one by its name. The error wraps [ErrRequiredBlobs].
func (s Set) CheckNeeds(ctx context.Context, open func(ctx context.Context, name string) (content.Target, error)) error {
	missing, err := missingNeeds(ctx, s.Needs, func(n RequiredBlob) string { return n.Name }, open)
	if err != nil {
		return err
	}
	borrowed := slices.DeleteFunc(slices.Clone(missing), func(n RequiredBlob) bool { return n.From == "" })
	lost, err := missingNeeds(ctx, borrowed, func(n RequiredBlob) string { return n.From }, open)
	if err != nil {
		return err
	}
	gone := map[RequiredBlob]bool{}
	for _, n := range lost {
		gone[n] = true
	}
	missing = slices.DeleteFunc(missing, func(n RequiredBlob) bool { return n.From != "" && !gone[n] })
	if len(missing) == 0 {
		return checkReadable(ctx, borrowed, open)
	}
	target, err := open(ctx, missing[0].Name)
	if err != nil {
		return err
	}
	failed := needsError{missing: len(missing), first: missing[0], to: target.String()}
	for _, n := range missing {
		if n.Set != "" {
			failed.sets = append(failed.sets, string(n.Set))
		}
	}
	slices.Sort(failed.sets)
	failed.sets = slices.Compact(failed.sets)
	return failed
}

// missingNeeds returns those of the needs that the repository named by of does not have, by its name.
func missingNeeds(ctx context.Context, needs []RequiredBlob, of func(RequiredBlob) string, open func(ctx context.Context, name string) (content.Target, error)) (missing []RequiredBlob, err error) {
	by := map[string][]RequiredBlob{}
	for _, n := range needs {
		by[of(n)] = append(by[of(n)], n)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		target, err := open(ctx, name)
		if err != nil {
			return nil, err
		}
		lacks, err := missingBlobs(ctx, target, by[name])
		if err != nil {
			return nil, err
		}
		lacksManifests, err := missingManifests(ctx, target, by[name])
		if err != nil {
			return nil, err
		}
		missing = append(missing, slices.DeleteFunc(by[name], func(n RequiredBlob) bool {
			if n.Manifest {
				return !lacksManifests[n.Digest]
			}
			return !lacks[n.Digest]
		})...)
	}
	return missing, nil
}

// missingBlobs returns the digests of those of the blobs that a repository lacks.
func missingBlobs(ctx context.Context, target content.Target, needs []RequiredBlob) (map[digest.Digest]bool, error) {
	var blobs []content.Descriptor
	listed := map[digest.Digest]bool{}
	for _, n := range needs {
		if !n.Manifest && !listed[n.Digest] {
			listed[n.Digest] = true
			blobs = append(blobs, n.descriptor())
		}
	}
	if len(blobs) == 0 {
		return nil, nil
	}
	absent, err := target.MissingBlobs(ctx, blobs)
	if errors.Is(err, content.ErrNotFound) {
		absent, err = blobs, nil
	}
	lacks := map[digest.Digest]bool{}
	for _, d := range absent {
		lacks[d.Digest] = true
	}
	return lacks, err
}

// missingManifests returns the digests of those of the manifests that a repository lacks. Nothing is read of them: Amazon ECR
// would count that as a pull.
func missingManifests(ctx context.Context, target content.Target, needs []RequiredBlob) (map[digest.Digest]bool, error) {
	lacks := map[digest.Digest]bool{}
	var references []string
	for _, n := range needs {
		if n.Manifest && !lacks[n.Digest] {
			lacks[n.Digest] = true
			references = append(references, string(n.Digest))
		}
	}
	if len(references) == 0 {
		return lacks, nil
	}
	var err error
	switch there := target.(type) {
	case content.ImageLister:
		for image, failed := range there.Images(ctx, content.AnyTags) {
			if err = failed; err != nil {
				break
			}
			delete(lacks, image.Digest)
		}
	case content.DigestFinder:
		var found map[string]digest.Digest
		found, err = there.FindDigests(ctx, references)
		for _, d := range found {
			delete(lacks, d)
		}
	case content.Resolver:
		for _, reference := range references {
			if _, failed := there.Resolve(ctx, reference); failed == nil {
				delete(lacks, digest.Digest(reference))
			} else if !errors.Is(failed, content.ErrNotFound) {
				return nil, failed
			}
		}
	default:
		err = unreadable(target)
	}
	if errors.Is(err, content.ErrNotFound) {
		err = nil // the repository does not exist
	}
	return lacks, err
}

func unreadable(target content.Target) error {
	return fmt.Errorf("%s: %w: it cannot be read, and the set was made without what it has", target, content.ErrUnsupported)
}

// holder returns the repository that has to have the blob.
func (n RequiredBlob) holder() string { return cmp.Or(n.From, n.Name) }

// borrows returns the blobs that repositories take from others with the set.
func (s Set) borrows() map[string]map[digest.Digest]bool {
	all := map[string]map[digest.Digest]bool{}
	for _, n := range s.Needs {
		if n.From == "" {
			continue
		}
		if all[n.Name] == nil {
			all[n.Name] = map[digest.Digest]bool{}
		}
		all[n.Name][n.Digest] = true
	}
	return all
}

func (n RequiredBlob) descriptor() content.Descriptor {
	return content.Descriptor{MediaType: "application/octet-stream", Digest: n.Digest, Size: n.Size}
}

// checkReadable returns an error unless what repositories borrow can be read in those that have it: manifests, and blobs
// where the registry does not mount them.
func checkReadable(ctx context.Context, borrowed []RequiredBlob, open func(ctx context.Context, name string) (content.Target, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	manifests := map[string][]content.Descriptor{}
	checked := map[string]bool{}
	for _, n := range borrowed {
		key := fmt.Sprint(n.From, n.Digest, n.Manifest)
		if checked[key] {
			continue
		}
		checked[key] = true
		if n.Manifest {
			manifests[n.From] = append(manifests[n.From], n.descriptor())
			continue
		}
		group.Go(func() error {
			src, err := sourceAt(ctx, n.From, open)
			if err == nil {
				err = openable(ctx, src, n.descriptor())
			}
			if err != nil {
				err = fmt.Errorf("%s takes blob %s from another repository, where it cannot be read: %w", n.Name, n.Digest, err)
			}
			return err
		})
	}
	for from, list := range manifests {
		group.Go(func() error {
			src, err := sourceAt(ctx, from, open)
			if err == nil {
				_, err = src.Manifests(ctx, list)
			}
			if err != nil {
				err = fmt.Errorf("other repositories take manifests from %s, where they cannot be read: %w", from, err)
			}
			return err
		})
	}
	return group.Wait()
}

// sourceAt opens a repository of the destination to be read.
func sourceAt(ctx context.Context, name string, open func(ctx context.Context, name string) (content.Target, error)) (content.Source, error) {
	target, err := open(ctx, name)
	if err != nil {
		return nil, err
	}
	src, ok := target.(content.Source)
	if !ok {
		return nil, unreadable(target)
	}
	return src, nil
}

// openable returns an error if a blob cannot be opened.
func openable(ctx context.Context, src content.Source, d content.Descriptor) error {
	if ranges, ok := src.(content.RangeReader); ok {
		if _, err := ranges.Ranges(ctx, d); !errors.Is(err, content.ErrNoRanges) {
			return err
		}
	}
	body, err := src.Blob(ctx, d)
	if err == nil {
		_ = body.Close() // nothing was read
	}
	return err
}

// Borrowed returns the digests of the blobs that repositories of the destination take from others there, by the name of the one
// that has them.
func (s Set) Borrowed() map[string][]digest.Digest {
	from := map[string][]digest.Digest{}
	listed := map[string]bool{}
	for _, n := range s.Needs {
		if key := n.From + " " + string(n.Digest); n.From != "" && !n.Manifest && !listed[key] {
			listed[key] = true
			from[n.From] = append(from[n.From], n.Digest)
		}
	}
	return from
}
