package sign

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// legacyJob adds a signature to those that the tag sha256-HEX.sig names:
// https://github.com/sigstore/cosign/blob/v3.1.3/specs/SIGNATURE_SPEC.md.
type legacyJob struct {
	store   Store
	image   content.Descriptor
	signer  *Signer
	tag     string
	payload []byte
	force   bool
	pause   time.Duration

	tagged    bool   // the tag was there before
	signature string // in base64
	result    Signed
}

func newLegacyJob(store Store, image content.Manifest, signer *Signer, opts Options) (*legacyJob, error) {
	d := image.Descriptor
	payload, err := encodePayload(simplePayload{repository: opts.Repository, digest: d.Digest, annotations: opts.Annotations})
	if err != nil {
		return nil, err
	}
	tag := content.DigestTag(d.Digest, content.DigestTagSignatures)
	return &legacyJob{
		store: store, image: d, signer: signer, tag: tag, payload: payload, force: opts.Force, pause: opts.pause,
		result: Signed{Digest: d.Digest, Format: FormatLegacy, Tag: tag},
	}, nil
}

func (j *legacyJob) signed() *Signed { return &j.result }
func (j *legacyJob) appends() bool   { return j.tagged }

func (j *legacyJob) find(ctx context.Context) (bool, error) {
	list, err := j.read(ctx)
	if err != nil {
		return false, err
	}
	j.tagged, j.result.Signature = list.digest != "", list.digest
	return !j.force && list.find(j.isMine) >= 0, nil
}

func (j *legacyJob) make(ctx context.Context) error {
	sig, err := j.signer.sign(ctx, j.payload)
	if err != nil {
		return fmt.Errorf("image %s: %w", j.image.Digest, err)
	}
	j.signature = base64.StdEncoding.EncodeToString(sig)
	return nil
}

func (j *legacyJob) blobs() []blob { return []blob{newBlob(payloadMediaType, j.payload)} }

const (
	// appendTries is how often a signature is added to a list.
	appendTries = 10
	// appendPause is the shortest time after which a list is read again.
	appendPause = 500 * time.Millisecond
)

// write adds the signature to the list, until it stays there.
func (j *legacyJob) write(ctx context.Context) error {
	err := retry.Settle(ctx, appendTries, j.pause, func(ctx context.Context) (func(context.Context) error, error) {
		list, err := j.read(ctx)
		if err != nil {
			return nil, err
		}
		if list.find(j.isWritten) >= 0 {
			j.result.Signature = list.digest
			return nil, nil
		}
		return func(ctx context.Context) error { return j.add(ctx, list) }, nil
	})
	if errors.Is(err, retry.ErrUnsettled) {
		return fmt.Errorf("%s: tag %s: %w; sign again later", j.store, j.tag, err)
	}
	return err
}

// isWritten reports whether a layer has the signature that was made, or one that does
// as well.
func (j *legacyJob) isWritten(layer content.Descriptor) bool {
	return j.isMine(layer) && (!j.force || layer.Annotations[signatureAnnotation] == j.signature)
}

// isMine reports whether a layer has a signature of this payload by this key.
func (j *legacyJob) isMine(layer content.Descriptor) bool {
	payload := newBlob(payloadMediaType, j.payload)
	if layer.MediaType != payloadMediaType || layer.Digest != payload.Digest || layer.Size != payload.Size {
		return false
	}
	sig, err := decodeSignature(layer.Annotations[signatureAnnotation])
	if err != nil {
		return false
	}
	_, ok := j.signer.Key.verify(j.payload, sig, nil)
	return ok
}

// read returns the list that the tag names, an empty one if there is none.
func (j *legacyJob) read(ctx context.Context) (signatureList, error) {
	m, err := j.store.Resolve(ctx, j.tag)
	if errors.Is(err, content.ErrNotFound) {
		return newSignatureList(), nil
	}
	if err != nil {
		return signatureList{}, err
	}
	list, err := decodeSignatureList(m)
	if err != nil {
		return signatureList{}, fmt.Errorf("%s: tag %s: %w", j.store, j.tag, err)
	}
	return list, nil
}

// add writes the list with the signature in it, in the place of an older one.
func (j *legacyJob) add(ctx context.Context, list signatureList) error {
	layer := newBlob(payloadMediaType, j.payload).Descriptor
	layer.Annotations = map[string]string{signatureAnnotation: j.signature}
	m, config, err := list.with(layer, j.isMine)
	if err != nil {
		return fmt.Errorf("%s: tag %s: %w", j.store, j.tag, err)
	}
	if err := j.store.PutBlob(ctx, config.Descriptor, bytes.NewReader(config.content)); err != nil {
		return err
	}
	return j.store.PutTagged(ctx, m, j.tag)
}
