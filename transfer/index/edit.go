package index

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/indexedit"
)

// EntryName names entries of an index: by digest, or by platform.
type EntryName struct {
	Digest   digest.Digest // "" if it is by platform
	Platform content.Platform
}

// ParseEntryName reads a digest, or a platform as [content.ParsePlatform] does.
func ParseEntryName(s string) (EntryName, error) {
	if !strings.HasPrefix(s, string(digest.SHA256)+":") {
		p, err := content.ParsePlatform(s)
		return EntryName{Platform: p}, err
	}
	d, err := digest.Parse(s)
	if err != nil {
		return EntryName{}, fmt.Errorf("%q is not a digest: %w", s, err)
	}
	return EntryName{Digest: d}, nil
}

// String is the digest or the platform.
func (n EntryName) String() string {
	if n.Digest != "" {
		return string(n.Digest)
	}
	return n.Platform.String()
}

// Add puts images into the index, each in the place of those that are for the
// same platform, whose attestations go with them; an image for another platform
// comes last. One that is already present stays as it is, and others for its platform go.
func (x *Index) Add(ctx context.Context, additions []Addition) error {
	entries, err := x.read(ctx, additions)
	if err != nil {
		return err
	}
	if err := imagetree.ReadPlatforms(ctx, x.endpoint, x.children); err != nil {
		return fmt.Errorf("%s: %w", x.endpoint, err)
	}
	for i, e := range entries {
		for _, other := range entries[:i] {
			if e.HasPlatform && other.HasPlatform && e.Key() == other.Key() && e.Digest != other.Digest {
				return fmt.Errorf("%w, %s: %s and %s", ErrSamePlatform, e.Key(), other.Digest, e.Digest)
			}
		}
	}
	for _, e := range entries {
		if err := x.put(e); err != nil {
			return err
		}
	}
	return nil
}

// put adds an entry in the place of those for its platform. One that is already present keeps its own place.
func (x *Index) put(e entry) error {
	if err := x.accept(e); err != nil {
		return err
	}
	same, at := -1, -1
	drop := make([]bool, len(x.children))
	for i, c := range x.children {
		switch {
		case c.Same(e.IndexEntry):
			same = i
		case !c.HasPlatform || !e.HasPlatform || c.Key() != e.Key():
		default:
			drop[i] = true
			if at < 0 {
				at = i
			}
		}
	}
	switch {
	case at < 0 && same < 0:
		x.append(e)
		return nil
	case at < 0:
		return nil
	case same >= 0:
		x.dropAttestations(drop)
	default:
		drop[at] = false
		x.dropAttestations(drop, at)
		x.doc.Replace(at, e.raw)
		x.children[at] = e.IndexEntry
		x.note(e)
	}
	x.keep(func(i int) bool { return !drop[i] })
	return nil
}

// dropAttestations adds those entries to drop that are about what goes, attestations and
// SOCI indexes: the entries in drop and also.
func (x *Index) dropAttestations(drop []bool, also ...int) {
	gone := map[digest.Digest]bool{}
	for i, c := range x.children {
		if drop[i] || slices.Contains(also, i) {
			gone[c.Digest] = true
		}
	}
	for i, c := range x.children {
		if !drop[i] && !slices.Contains(also, i) {
			delete(gone, c.Digest) // the same image for another platform
		}
	}
	for i, c := range x.children {
		if gone[imagetree.EntrySubject(c.Descriptor)] {
			drop[i] = true
		}
	}
}

func (x *Index) keep(f func(i int) bool) {
	x.doc.Keep(f)
	var kept []imagetree.IndexEntry
	for i, c := range x.children {
		if f(i) {
			kept = append(kept, c)
		}
	}
	x.children = kept
}

// Remove takes entries out of the index, and the attestations of their images. The
// error wraps [content.ErrNotFound] if a name fits none of them.
func (x *Index) Remove(ctx context.Context, names []EntryName) error {
	drop := make([]bool, len(x.children))
	for _, name := range names {
		found, err := x.find(ctx, name)
		if err != nil {
			return err
		}
		for _, i := range found {
			drop[i] = true
		}
	}
	x.dropAttestations(drop)
	if !slices.Contains(drop, false) {
		return fmt.Errorf("%w: nothing would be left in the index; delete it instead", content.ErrUnsupported)
	}
	x.keep(func(i int) bool { return !drop[i] })
	return nil
}

// find returns the places of the entries that name fits, at least one.
func (x *Index) find(ctx context.Context, name EntryName) ([]int, error) {
	if name.Digest == "" {
		if err := imagetree.ReadPlatforms(ctx, x.endpoint, x.children); err != nil {
			return nil, fmt.Errorf("%s: %w", x.endpoint, err)
		}
	}
	var found []int
	for i, c := range x.children {
		if c.Digest == name.Digest || name.Digest == "" && c.HasPlatform && name.Platform.Matches(c.RunsOn) {
			found = append(found, i)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if name.Digest != "" {
		return nil, fmt.Errorf("the index has no entry %s: %w", name.Digest, content.ErrNotFound)
	}
	return nil, fmt.Errorf("the index is for %s, not for %s: %w", imagetree.PlatformList(x.children), name, content.ErrNotFound)
}

// findOne returns the place of the only entry that name fits.
func (x *Index) findOne(ctx context.Context, name EntryName) (int, error) {
	found, err := x.find(ctx, name)
	if err != nil {
		return 0, err
	}
	if len(found) > 1 {
		if name.Digest != "" {
			return 0, fmt.Errorf("%w: %d entries of the index are %s, each for its own platform", content.ErrUnsupported, len(found), name)
		}
		return 0, fmt.Errorf("%d entries of the index are %s; name one by its digest", len(found), name)
	}
	return found[0], nil
}

// Annotate sets annotations of the index and removes others. The error wraps
// [content.ErrUnsupported] if it is a Docker manifest list.
func (x *Index) Annotate(set map[string]string, remove []string) error {
	if err := x.mayAnnotate(); err != nil {
		return err
	}
	if err := x.doc.Annotate(set, remove); err != nil {
		return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	return nil
}

// AnnotateEntry is Annotate for one entry.
func (x *Index) AnnotateEntry(ctx context.Context, name EntryName, set map[string]string, remove []string) error {
	if err := x.mayAnnotate(); err != nil {
		return err
	}
	return x.editEntry(ctx, name, func(raw []byte) ([]byte, error) { return indexedit.Annotate(raw, set, remove) })
}

func (x *Index) mayAnnotate() error {
	if x.mediaType == content.MediaTypeDockerList {
		return fmt.Errorf("%w: %w has no annotations", content.ErrUnsupported, ErrDockerList)
	}
	return nil
}

// SetPlatform sets the platform of one entry to p.
func (x *Index) SetPlatform(ctx context.Context, name EntryName, p content.Platform) error {
	p = p.Normal()
	at, err := x.findOne(ctx, name)
	if err != nil {
		return err
	}
	if err := imagetree.ReadPlatforms(ctx, x.endpoint, x.children); err != nil {
		return fmt.Errorf("%s: %w", x.endpoint, err)
	}
	for i, c := range x.children {
		if i != at && c.HasPlatform && c.RunsOn == p {
			return fmt.Errorf("another entry of the index, %s, is for %s", c.Digest, p)
		}
	}
	return x.editEntry(ctx, name, func(raw []byte) ([]byte, error) {
		return indexedit.SetPlatform(raw, map[string]string{
			"os": p.OS, "architecture": p.Architecture, "variant": p.Variant, "os.version": p.OSVersion,
		})
	})
}

// editEntry edits the JSON of one entry. A manifest that is several entries is named by
// its digest alone, and all of them are edited.
func (x *Index) editEntry(ctx context.Context, name EntryName, edit func(raw []byte) ([]byte, error)) error {
	found, err := x.find(ctx, name)
	if err == nil && name.Digest == "" {
		_, err = x.findOne(ctx, name)
	}
	if err != nil {
		return err
	}
	for _, at := range found {
		raw, err := edit(x.doc.Entries()[at])
		if err != nil {
			return fmt.Errorf("entry %s: %w: %w", x.children[at].Digest, content.ErrIntegrity, err)
		}
		x.doc.Replace(at, raw)
	}
	return x.refresh()
}

// refresh reads the descriptors of the entries again.
func (x *Index) refresh() error {
	c, err := content.DecodeManifest(x.doc.Bytes(), x.mediaType)
	if err != nil {
		return err
	}
	for i, d := range c.Manifests {
		x.children[i] = imagetree.IndexEntry{Descriptor: d, Manifest: x.children[i].Manifest}
	}
	return nil
}
