package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxEvidence bounds all signatures and attestations of one image, in bytes.
	maxEvidence = 256 << 20
	// maxEvidenceCount bounds how many they are: each is a request.
	maxEvidenceCount = 5000
	// evidenceInMemory bounds those that are read at the same time, in bytes.
	evidenceInMemory = maxBundleSize
	// evidenceAtOnce is how many are read at the same time.
	evidenceAtOnce = 8
)

// evidence is a signature or attestation that was read and not verified yet.
type evidence struct {
	message     []byte // what the signature is over
	file        *sums  // the same if it is a file; message is then nil
	signature   []byte
	subjects    []subject // the images that it is about
	repository  string    // that a payload of simple signing names
	hint        string    // which key, as a bundle says
	certificate bool      // and no key
	// predicateType is "" for a payload of simple signing, which is a signature, and
	// if it could not be read.
	predicateType string
	predicate     json.RawMessage // of a statement; nil if it has none
	err           error           // why it cannot be read
}

// signedBy reports whether the key has made the signature, and how. allowed are the
// algorithms that count; none is all.
func (e evidence) signedBy(k *Key, allowed []Algorithm) (Algorithm, bool) {
	if e.file != nil {
		return e.file.signedBy(k, e.signature, allowed)
	}
	return k.verify(e.message, e.signature, allowed)
}

// kind tells a signature from an attestation.
func (e evidence) kind() AttachmentKind {
	if e.predicateType == "" || e.predicateType == signaturePredicateType {
		return KindSignature
	}
	return KindAttestation
}

// about returns what the evidence says of an image. Where a statement names several
// images it is about each of them, as for cosign.
func (e evidence) about(d digest.Digest) (subject, bool) {
	return statement{subjects: e.subjects}.about(d)
}

// readEvidence reads all contents of the attachments and calls found for each, one at
// a time, with its place in attachments and their contents.
func readEvidence(ctx context.Context, src content.BlobReader, attachments []Attachment, found func(a, c int, e evidence)) error {
	total, count := int64(0), 0
	for _, a := range attachments {
		count += len(a.layers)
		for _, l := range a.layers {
			total += l.Size
		}
	}
	if count > maxEvidenceCount {
		return fmt.Errorf("%s: %w: it has %d signatures and attestations; at most %d are read", src, content.ErrUnsupported, count, maxEvidenceCount)
	}
	if total > maxEvidence {
		return fmt.Errorf("%s: %w: its signatures and attestations have %d bytes together; at most %d are read", src, content.ErrUnsupported, total, maxEvidence)
	}
	memory := semaphore.NewWeighted(evidenceInMemory)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(evidenceAtOnce)
	for i, a := range attachments {
		for k, l := range a.layers {
			group.Go(func() error {
				if err := memory.Acquire(ctx, l.Size); err != nil {
					return err
				}
				defer memory.Release(l.Size)
				blob, err := readBlob(ctx, src, l)
				e := evidence{err: err}
				switch {
				case err == nil:
					e = decodeEvidence(l, blob)
				case !isMalformed(err) && !errors.Is(err, content.ErrNotFound):
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				found(i, k, e)
				return nil
			})
		}
	}
	return group.Wait()
}

// decodeEvidence reads the blob of a layer by the layer's media type. What could be
// told of it before an error is there too.
func decodeEvidence(layer content.Descriptor, blob []byte) (e evidence) {
	switch layer.MediaType {
	case payloadMediaType:
		e.err = e.decodePayload(layer.Annotations[signatureAnnotation], blob)
	case envelopeMediaType:
		var b bundle
		if e.err = decodeBareEnvelope(&b, blob); e.err == nil {
			e.err = e.takeBundle(b)
		}
		if e.err == nil && e.kind() == KindSignature {
			e.err = errors.New("it is a signature where attestations are kept")
		}
	default:
		var b bundle
		if b, e.err = decodeBundle(blob); e.err == nil {
			e.err = e.takeBundle(b)
		}
	}
	return e
}

func (e *evidence) decodePayload(sig string, blob []byte) (err error) {
	if e.signature, err = decodeSignature(sig); err != nil {
		return fmt.Errorf("annotation %s: %w", signatureAnnotation, err)
	}
	p, err := decodePayload(blob)
	if err != nil {
		return err
	}
	e.message, e.repository = blob, p.repository
	e.subjects = []subject{{digest: p.digest, annotations: p.annotations}}
	return nil
}

// takeBundle reads the statement of a bundle.
func (e *evidence) takeBundle(b bundle) error {
	e.hint, e.certificate = b.hint, b.certificate
	s, err := decodeStatement(b.payload)
	if err != nil {
		e.predicateType = predicateTypeOf(b.payload)
		return err
	}
	e.message, e.signature = b.signed(), b.signature
	e.subjects, e.predicateType, e.predicate = s.subjects, s.predicateType, s.predicate
	return nil
}

// predicateTypeOf reads only that of a statement that was refused.
func predicateTypeOf(payload []byte) string {
	var s struct{ PredicateType string }
	if json.Unmarshal(payload, &s) != nil {
		return ""
	}
	return s.PredicateType
}

// decodeBareEnvelope reads an envelope that is in no bundle.
func decodeBareEnvelope(b *bundle, data []byte) error {
	if err := checkJSON(data, maxBundleSize); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	if err := b.decodeEnvelope(data); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	return nil
}
