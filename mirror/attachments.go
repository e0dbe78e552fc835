package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// listsAtOnce is for how many manifests of a repository referrers are asked at once.
const listsAtOnce = 8

// attachment is what belongs to a manifest: it refers to it, or has a tag made of its digest.
type attachment struct {
	subject digest.Digest
	digest  digest.Digest
	tag     string // "" if it refers to the subject
	label   string // its artifact type, or a pattern of its tag
	// mediaType is "" if neither side has told it.
	mediaType string
}

// attachments finds what belongs to the subjects in src, what belongs to that and to its images if it is an index, and so
// on, by subject. Of which filter, if it is not nil, takes nothing is left out. there is what the target holds.
func (l *listing) attachments(ctx context.Context, src content.Source, there *listing, subjects []digest.Digest, filter func(types []string) bool) (map[digest.Digest][]attachment, error) {
	by := map[digest.Digest][]attachment{}
	asked := map[digest.Digest]bool{}
	for len(subjects) > 0 {
		for _, d := range subjects {
			asked[d] = true
		}
		referring, err := l.referring(ctx, src, subjects, filter)
		if err != nil {
			return nil, err
		}
		tagged, err := l.tagged(ctx, src, subjects, filter)
		if err != nil {
			return nil, err
		}
		subjects = nil
		var fresh []attachment
		for _, a := range append(referring, tagged...) {
			by[a.subject] = append(by[a.subject], a)
			if !asked[a.digest] {
				asked[a.digest] = true
				subjects = append(subjects, a.digest)
				fresh = append(fresh, a)
			}
		}
		if err := l.readAttachedIndexes(ctx, src, there, fresh); err != nil {
			return nil, err
		}
		for _, a := range fresh {
			for _, d := range l.indexes.under(a.digest) {
				if !asked[d] {
					asked[d] = true
					subjects = append(subjects, d)
				}
			}
		}
	}
	return by, nil
}

// readAttachedIndexes reads the indexes among attachments, since they are copied with their images, to which something may
// refer.
func (l *listing) readAttachedIndexes(ctx context.Context, src content.Source, there *listing, found []attachment) error {
	var indexes []digest.Digest
	known := maps.Clone(l.manifests)
	for _, a := range found {
		mediaType := cmp.Or(a.mediaType, there.images[a.digest].MediaType)
		// What an unknown one is matters where something may be deleted, and there only until it has arrived.
		if !content.IsIndex(mediaType) && (mediaType != "" || there.images == nil) {
			continue
		}
		if l.images == nil { // a list may name what does not exist, or does not refer to the subject
			m, err := l.reading(src).Resolve(ctx, string(a.digest))
			switch {
			case errors.Is(err, content.ErrNotFound):
				continue // the copy of the image says so
			case err != nil:
				return fmt.Errorf("referrer %s: %w", a.digest, err)
			}
			if _, subject, err := content.ReferrerOf(m); a.tag == "" && (err != nil || subject != a.subject) {
				continue
			}
			known[a.digest] = m
		}
		indexes = append(indexes, a.digest)
	}
	if err := l.indexes.read(ctx, l.reading(src), indexes, known); err != nil {
		return fmt.Errorf("indexes that refer to images: %w", err)
	}
	return nil
}

// referring returns what refers to the subjects.
func (l *listing) referring(ctx context.Context, src content.Source, subjects []digest.Digest, filter func(types []string) bool) (found []attachment, err error) {
	if l.images != nil {
		if l.by == nil {
			if l.by, l.types, err = l.referrers(ctx, src, filter); err != nil {
				return nil, err
			}
		}
		for _, subject := range subjects {
			for _, d := range l.by[subject] {
				found = append(found, attachment{subject: subject, digest: d, label: l.types[d], mediaType: l.images[d].MediaType})
			}
		}
		return found, nil
	}
	lists, err := l.lists(ctx, src, subjects)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		var read []content.Manifest
		if filter != nil { // not all registries list the type that the manifest has
			if read, err = imagetree.ReadManifests(ctx, l.reading(src), lists[subject]); err != nil {
				return nil, fmt.Errorf("types of referrers: %w", err)
			}
		}
		for i, d := range lists[subject] {
			artifactType := d.ArtifactType
			if filter != nil {
				entry, _, err := content.ReferrerOf(read[i])
				if err != nil {
					return nil, fmt.Errorf("referrer %s: %w", d.Digest, err)
				}
				artifactType = entry.ArtifactType
			}
			if filter == nil || filter([]string{artifactType}) {
				found = append(found, attachment{subject: subject, digest: d.Digest, label: artifactType, mediaType: d.MediaType})
			}
		}
	}
	return found, nil
}

// lists asks for the referrers of the subjects, each once. Once it is known that clients keep these lists under tags,
// only those are asked for that have such a tag.
func (l *listing) lists(ctx context.Context, endpoint fmt.Stringer, subjects []digest.Digest) (map[digest.Digest][]content.Descriptor, error) {
	lister, ok := endpoint.(content.ReferrerLister)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it cannot tell what refers to an image", endpoint, content.ErrUnsupported)
	}
	unknown := slices.DeleteFunc(slices.Clone(subjects), func(d digest.Digest) bool { _, known := l.referrersOf[d]; return known })
	found := make([][]content.Descriptor, len(unknown))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	names := l.names()
	for i, subject := range unknown {
		byTag := l.listsByTag(endpoint)
		if byTag && !names[content.DigestTag(subject, content.DigestTagReferrers)] {
			continue
		}
		ask := func(ctx context.Context) (err error) {
			found[i], err = content.ReferrersAmong(ctx, lister, subject, names)
			return err
		}
		if !byTag && len(l.referrersOf) == 0 && i == 0 {
			if err := ask(ctx); err != nil { // before the others: it finds out how the lists are kept
				return nil, err
			}
			continue
		}
		group.Go(func() error { return ask(groupCtx) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, subject := range unknown {
		l.referrersOf[subject] = found[i]
		if l.read != nil {
			l.read.AddReferrers(subject, found[i])
		}
	}
	return l.referrersOf, nil
}

// listsByTag reports whether the endpoint was found to leave lists of referrers to its clients.
func (l *listing) listsByTag(endpoint fmt.Stringer) bool {
	e, ok := endpoint.(content.ReferrerTagger)
	return ok && e.ReferrersByTag()
}

// names returns the names of all tags.
func (l *listing) names() map[string]bool {
	if l.tagNames == nil {
		l.tagNames = make(map[string]bool, len(l.tags))
		for _, tag := range l.tags {
			l.tagNames[tag.Name] = true
		}
	}
	return l.tagNames
}

// attachedKinds are those of tags that are copied with their image.
var attachedKinds = []string{content.DigestTagSignatures, content.DigestTagAttestation, content.DigestTagSBOM}

// tagged returns what belongs to the subjects by tags.
func (l *listing) tagged(ctx context.Context, src content.Source, subjects []digest.Digest, filter func(types []string) bool) (found []attachment, err error) {
	names := l.names()
	var tags []string
	for _, subject := range subjects {
		for _, kind := range attachedKinds {
			if tag := content.DigestTag(subject, kind); names[tag] {
				tags = append(tags, tag)
			}
		}
	}
	if len(tags) == 0 {
		return nil, nil
	}
	if err := l.find(ctx, src, tags); err != nil {
		return nil, err
	}
	for _, tag := range tags {
		subject, kind, _ := content.ParseDigestTag(tag)
		a := attachment{subject: subject, digest: l.digests[tag], tag: tag, label: "sha256-*." + kind}
		if a.digest == "" {
			continue // deleted since it was listed
		}
		a.mediaType = cmp.Or(l.images[a.digest].MediaType, l.manifests[a.digest].Descriptor.MediaType)
		if filter != nil {
			read, err := readRoots(ctx, l.reading(src), []digest.Digest{a.digest}, l.manifests, newTrees(false).budget(src, 1))
			if err != nil {
				return nil, fmt.Errorf("tag %s: %w", tag, err)
			}
			types, err := transfer.AttachedTypes(read[0])
			if err != nil {
				return nil, fmt.Errorf("tag %s: %w", tag, err)
			}
			if !filter(types) {
				continue
			}
		}
		found = append(found, a)
	}
	return found, nil
}

// missing returns which of the attachments of src the target does not have; l is what the target holds. What cannot be
// known, because the target lists no referrers, is not missing.
func (l *listing) missing(ctx context.Context, src content.Source, target fmt.Stringer, all []attachment) (map[attachment]bool, error) {
	missing := map[attachment]bool{}
	if !l.exists {
		for _, a := range all {
			missing[a] = true
		}
		return missing, nil
	}
	var subjects []digest.Digest
	var tags []string
	asked := map[string]bool{}
	names := l.names()
	for _, a := range all {
		switch {
		case a.tag != "" && names[a.tag]:
			tags = append(tags, a.tag)
			asked[a.tag] = true
		case a.tag != "":
			missing[a] = true
		case l.images != nil:
			missing[a] = l.images[a.digest].Digest == ""
		case !asked[string(a.subject)]:
			subjects = append(subjects, a.subject)
			asked[string(a.subject)] = true
		}
	}
	lists, err := l.lists(ctx, target, subjects)
	if err != nil && !errors.Is(err, content.ErrUnsupported) {
		return nil, err
	}
	resolver, ok := target.(content.Resolver)
	if !ok {
		clear(asked)
	} else if err := l.find(ctx, resolver, tags); err != nil {
		return nil, err
	}
	for _, a := range all {
		switch {
		case a.tag == "" && l.images == nil && err == nil:
			missing[a] = !slices.ContainsFunc(lists[a.subject], func(d content.Descriptor) bool { return d.Digest == a.digest })
		case asked[a.tag] && l.digests[a.tag] != a.digest:
			if missing[a], err = differs(ctx, src, resolver, a); err != nil {
				return nil, err
			}
		}
	}
	return missing, nil
}

// differs reports whether a tag that names another manifest at the target lacks something of the source: a list of
// signatures there may have more.
func differs(ctx context.Context, src content.Source, target content.Resolver, a attachment) (bool, error) {
	if _, kind, _ := content.ParseDigestTag(a.tag); kind == content.DigestTagSBOM {
		return true, nil // it is no list
	}
	wanted, err := src.Resolve(ctx, string(a.digest))
	if err != nil {
		return false, err
	}
	have, err := target.Resolve(ctx, a.tag)
	if err != nil {
		return false, err
	}
	return !transfer.HasSignatures(have, wanted), nil
}
