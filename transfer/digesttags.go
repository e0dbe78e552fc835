package transfer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// Kinds of a tag that is made of a digest, which is how cosign attaches to an image
// what has no subject:
// https://github.com/sigstore/cosign/blob/v3.0.2/specs/SIGNATURE_SPEC.md#tag-based-discovery.
const (
	DigestTagReferrers   = ""     // sha256-HEX: the list of referrers that clients keep
	DigestTagSignatures  = "sig"  // sha256-HEX.sig
	DigestTagAttestation = "att"  // sha256-HEX.att
	DigestTagSBOM        = "sbom" // sha256-HEX.sbom
)

// attachedKinds are those that are copied with their image. A list of referrers is
// kept by who writes a referrer.
var attachedKinds = []string{DigestTagSignatures, DigestTagAttestation, DigestTagSBOM}

var digestTag = regexp.MustCompile(`^sha256-([0-9a-f]{64})(?:\.(sig|att|sbom))?$`)

// ParseDigestTag reads a tag that is made of the digest of another image.
func ParseDigestTag(tag string) (subject digest.Digest, kind string, ok bool) {
	m := digestTag.FindStringSubmatch(tag)
	if m == nil {
		return "", "", false
	}
	return digest.NewDigestFromEncoded(digest.SHA256, m[1]), m[2], true
}

// DigestTag is the tag of one of the kinds.
func DigestTag(subject digest.Digest, kind string) string {
	tag := strings.ReplaceAll(string(subject), ":", "-")
	if kind != "" {
		tag += "." + kind
	}
	return tag
}

// attachedTags are the tags of what may be attached to the manifests.
func attachedTags(subjects []Manifest) []string {
	tags := make([]string, 0, len(subjects)*len(attachedKinds))
	for _, m := range subjects {
		for _, kind := range attachedKinds {
			tags = append(tags, DigestTag(m.Descriptor.Digest, kind))
		}
	}
	return tags
}

// tagFinder is an endpoint that finds out at once which of many tags are there.
type tagFinder interface {
	// findTags gives what those of the tags name that are there, by tag. The caller
	// verifies it.
	findTags(ctx context.Context, tags []string) (map[string]Manifest, error)
}

// findTags gives what those of the tags name that are there, by tag, and verifies
// it. An endpoint that cannot be read has none.
func findTags(ctx context.Context, endpoint fmt.Stringer, tags []string) (found map[string]Manifest, err error) {
	switch e := endpoint.(type) {
	case tagFinder:
		found, err = e.findTags(ctx, tags)
	case Resolver:
		found, err = findEach(ctx, tags, e.Resolve)
	}
	if err != nil {
		return nil, err
	}
	for tag, m := range found {
		if err := checkResolved(endpoint, tag, m); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// foundAtOnce is how many tags findEach asks for at the same time.
const foundAtOnce = 16

// findEach asks for each tag, for several at once.
func findEach(ctx context.Context, tags []string, resolve func(ctx context.Context, tag string) (Manifest, error)) (map[string]Manifest, error) {
	found := map[string]Manifest{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(foundAtOnce)
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(tags))) {
		group.Go(func() error {
			m, err := resolve(ctx, tag)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[tag] = m
			return nil
		})
	}
	return found, group.Wait()
}

// mergedTag is a manifest that is to have a tag in a destination.
type mergedTag struct {
	taggedManifest
	config []byte // of it, to be stored before; nil if it is there
	grows  bool   // a list that the destination has
}

// mergeTags finds out what is to be written so that the destination has what is
// attached to the image, and keeps the signatures that it has.
func (t *delivery) mergeTags(attached []taggedManifest) ([]mergedTag, error) {
	tags := make([]string, len(attached))
	for i, m := range attached {
		tags[i] = m.tag
	}
	if len(tags) == 0 {
		return nil, nil
	}
	there, err := findTags(t.ctx, t.Target, tags)
	if err != nil {
		return nil, err
	}
	var writes []mergedTag
	for _, m := range attached {
		write := mergedTag{taggedManifest: m}
		have, ok := there[m.tag]
		_, kind, _ := ParseDigestTag(m.tag)
		// A bill of materials is one, and no list: it is replaced as by any other copy.
		if ok && kind != DigestTagSBOM {
			write.grows = true
			if write.Manifest, write.config, err = mergeSignatures(have, m.Manifest); err != nil {
				return nil, fmt.Errorf("%s:%s: %w", t.Target, m.tag, err)
			}
		}
		if !ok || write.Descriptor.Digest != have.Descriptor.Digest {
			writes = append(writes, write)
		}
	}
	return writes, nil
}

// putAttached stores what is attached to the image under tags made of its digest. Two
// who add to one list may both read it before one of them writes, and the second then
// takes away what the first has added: no registry must know If-Match. So who adds
// looks once more, after the time that a writer needs which read before.
func (t *delivery) putAttached(attached []taggedManifest) error {
	_, atOnce := t.Target.(committer) // nobody else writes to it
	for range maxReferrerTries {
		start := time.Now()
		writes, err := t.mergeTags(attached)
		if err == nil {
			err = t.putMerged(writes)
		}
		if err != nil || atOnce || !slices.ContainsFunc(writes, func(w mergedTag) bool { return w.grows }) {
			return err
		}
		took := time.Since(start)
		select {
		case <-time.After(max(2*took, referrerPause) + rand.N(took+time.Millisecond)):
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
	}
	return fmt.Errorf("%s: the signatures of image %s: other clients replace them all the time; copy again later", t.Target, t.root.Descriptor.Digest)
}

func (t *delivery) putMerged(writes []mergedTag) error {
	group, ctx := errgroup.WithContext(t.ctx)
	group.SetLimit(manifestsAtOnce)
	for _, w := range writes {
		group.Go(func() error {
			if w.config != nil {
				if err := t.Target.PutBlob(ctx, configDescriptor(w.config), strings.NewReader(string(w.config))); err != nil {
					return err
				}
			}
			if err := t.Target.PutTagged(ctx, w.Manifest, w.tag); err != nil {
				return err
			}
			t.emit(Event{Kind: EventDone, Descriptor: w.Descriptor, Bytes: w.Descriptor.Size, Outcome: OutcomeSent})
			return nil
		})
	}
	return group.Wait()
}
