package sign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxReferrers bounds what is attached to one image; an image with more is an
	// error, since a signature may be among what is not read.
	maxReferrers = 1000
	// maxReferrerSize bounds the manifest of a referrer that is opened, in bytes.
	maxReferrerSize = 1 << 20
	// maxReferrerBytes bounds all of those, in bytes: what they say is held in memory.
	maxReferrerBytes = 64 << 20
	// referrersAtOnce is how many manifests of referrers are held in memory.
	referrersAtOnce = 50
)

// List finds what is attached to the image that m is: referrers, and manifests below
// the tags sha256-HEX.sig, .att and .sbom. It opens signatures and attestations to
// tell what they are, but verifies none. What is malformed is listed with its
// problem; an error is what could not be asked, and no list is complete then.
func List(ctx context.Context, src Source, m content.Manifest) ([]Attachment, error) {
	found, err := discover(ctx, src, m.Descriptor.Digest, content.DigestTagSignatures, content.DigestTagAttestation, content.DigestTagSBOM)
	if err != nil {
		return nil, err
	}
	err = readEvidence(ctx, src, found, func(a, i int, e evidence) {
		c := &found[a].Contents[i]
		c.PredicateType, c.Key, c.Certificate = clean(e.predicateType), clean(keyOf(e.hint)), e.certificate
		if e.err != nil {
			c.Problem = e.err.Error()
		} else if found[a].Format == FormatBundle {
			found[a].Kind = e.kind()
		}
	})
	return found, err
}

// clean makes of the words of a stranger what may be shown.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 500)]
}

// discover finds the attachments of an image: referrers in the order of their list,
// then the manifests of the tags of these kinds. Referrers of all types are
// opened, since a list may name a wrong one.
func discover(ctx context.Context, src Source, image digest.Digest, tagKinds ...string) ([]Attachment, error) {
	var referrers []Attachment
	tagged := make([][]Attachment, len(tagKinds))
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		referrers, err = discoverReferrers(groupCtx, src, image)
		return err
	})
	for i, kind := range tagKinds {
		group.Go(func() (err error) {
			tagged[i], err = discoverTag(groupCtx, src, content.DigestTag(image, kind))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("looking for the signatures of %s: %w", image, imagetree.Named(src, err))
	}
	return append(referrers, slices.Concat(tagged...)...), nil
}

// discoverTag returns the attachment that a tag names, if there is one.
func discoverTag(ctx context.Context, src Source, tag string) ([]Attachment, error) {
	m, err := src.Resolve(ctx, tag)
	missing := errors.Is(err, content.ErrIncomplete)
	if errors.Is(err, content.ErrNotFound) && !missing {
		return nil, nil
	}
	if err == nil {
		err = checkContent(m.Descriptor, m.Content)
	}
	if missing || isMalformed(err) {
		a := Attachment{Tag: tag, Problem: err.Error(), missing: missing}
		a.Kind = a.kindByType(nil)
		return []Attachment{a}, nil
	}
	if err != nil {
		return nil, err
	}
	return []Attachment{attachmentOf(m, tag)}, nil
}

func discoverReferrers(ctx context.Context, src Source, image digest.Digest) ([]Attachment, error) {
	listed, err := src.Referrers(ctx, image)
	if err != nil {
		return nil, err
	}
	listed = distinct(listed)
	if len(listed) > maxReferrers {
		return nil, fmt.Errorf("%w: %d manifests refer to it; at most %d are read", content.ErrUnsupported, len(listed), maxReferrers)
	}
	total := int64(0)
	for _, d := range listed {
		if d.Size <= maxReferrerSize {
			total += max(d.Size, 0)
		}
	}
	if total > maxReferrerBytes {
		return nil, fmt.Errorf("%w: the manifests that refer to it have %d bytes together; at most %d are read", content.ErrUnsupported, total, maxReferrerBytes)
	}
	var found []Attachment
	for some := range slices.Chunk(listed, referrersAtOnce) {
		opened, err := openReferrers(ctx, src, image, some)
		if err != nil {
			return nil, err
		}
		found = append(found, opened...)
	}
	return found, nil
}

// distinct keeps the first entry of each digest.
func distinct(list []content.Descriptor) []content.Descriptor {
	seen := map[digest.Digest]bool{}
	var kept []content.Descriptor
	for _, d := range list {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			kept = append(kept, d)
		}
	}
	return kept
}

// openReferrers reads manifests of the list of referrers of image and tells what they are.
func openReferrers(ctx context.Context, src Source, image digest.Digest, listed []content.Descriptor) ([]Attachment, error) {
	var small []content.Descriptor
	for _, d := range listed {
		if d.Size <= maxReferrerSize {
			small = append(small, d)
		}
	}
	manifests, problems, err := readManifests(ctx, src, small)
	if err != nil {
		return nil, err
	}
	found := make([]Attachment, len(listed))
	next := 0
	for i, d := range listed {
		problem := fmt.Errorf("its manifest has %d bytes; at most %d are read", d.Size, maxReferrerSize)
		if d.Size <= maxReferrerSize {
			if problem = problems[next]; problem == nil {
				found[i] = attachmentOf(content.Manifest{Descriptor: d, Content: manifests[next].Content}, "")
			}
			next++
		}
		if problem != nil {
			problem = imagetree.InReferrers(problem, map[digest.Digest]digest.Digest{d.Digest: image})
			found[i] = Attachment{
				Digest: d.Digest, MediaType: d.MediaType, ArtifactType: d.ArtifactType, Size: d.Size, Annotations: d.Annotations,
				Problem: problem.Error(), missing: errors.Is(problem, content.ErrNotFound),
			}
			found[i].Kind = found[i].kindByType(nil)
		}
	}
	return found, nil
}

// readManifests reads and checks manifests with as few requests as src needs for all
// of them. A problem is what is wrong with one of them, "" if nothing is.
func readManifests(ctx context.Context, src content.ManifestReader, list []content.Descriptor) (manifests []content.Manifest, problems []error, err error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	problems = make([]error, len(list))
	manifests, err = src.Manifests(ctx, list)
	if len(list) > 1 && (isMalformed(err) || errors.Is(err, content.ErrNotFound)) {
		manifests = nil
		for i, d := range list {
			one, problem, err := readManifests(ctx, src, []content.Descriptor{d})
			if err != nil {
				return nil, nil, err
			}
			manifests, problems[i] = append(manifests, one...), problem[0]
		}
		return manifests, problems, nil
	}
	if isMalformed(err) || errors.Is(err, content.ErrNotFound) {
		return make([]content.Manifest, 1), []error{err}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if len(manifests) != len(list) {
		return nil, nil, fmt.Errorf("asked for %d manifests, got %d", len(list), len(manifests))
	}
	for i, d := range list {
		if err := checkContent(d, manifests[i].Content); err != nil {
			problems[i] = fmt.Errorf("its manifest: %w", err)
		}
	}
	return manifests, problems, nil
}

// isMalformed tells errors that what is attached is to blame for, and not who was
// asked for it.
func isMalformed(err error) bool {
	return errors.Is(err, content.ErrIntegrity) || errors.Is(err, content.ErrUnsupported)
}

// checkContent checks that content is what d names.
func checkContent(d content.Descriptor, data []byte) error {
	if got := int64(len(data)); got != d.Size {
		return &content.SizeError{Object: "it", Digest: d.Digest, Has: got, Says: d.Size}
	}
	if got := digest.FromBytes(data); got != d.Digest {
		return fmt.Errorf("%w: its bytes have the digest %s", content.ErrIntegrity, got)
	}
	return nil
}

// readBlob reads and checks a blob, whose size must have been bounded. It is read again if its connection breaks; what
// src itself has given up is not.
func readBlob(ctx context.Context, src content.BlobReader, d content.Descriptor) (data []byte, err error) {
	err = retry.Do(ctx, retry.Default(), func(ctx context.Context) error {
		r, err := src.Blob(ctx, d)
		if err != nil {
			return content.Permanent(err)
		}
		defer r.Close()
		data, err = io.ReadAll(io.LimitReader(r, d.Size+1))
		return err
	})
	if err == nil {
		err = checkContent(d, data)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return data, nil
}
