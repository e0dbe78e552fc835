package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// trustResult is what became of one image: what was verified, and where what was
// signed.
type trustResult struct {
	*trust

	mu           sync.Mutex
	verification *sign.Verification // of the source
	signed       map[content.Target][]sign.Signed
	notes        []string // for people, when the progress is not shown any more
}

// apply lets a copy from source to destinations, which outcomes name, verify and sign.
func (t *trust) apply(options *transfer.Options, source content.Source, destinations []transfer.Destination, outcomes []copyOutcome) *trustResult {
	r := &trustResult{trust: t, signed: map[content.Target][]sign.Signed{}}
	outlets := map[content.Target]*outlet{}
	for i, d := range destinations {
		o := t.destinations[outcomes[i].references[0].Place()]
		if o == nil {
			continue
		}
		if len(d.Tags) == 0 && outlets[d.Target] == nil {
			// Nobody finds it yet: others may still have to sign it.
			o = &outlet{signer: o.signer, options: o.options}
		}
		outlets[d.Target] = o
	}
	if len(t.source) > 0 {
		options.Verify = func(ctx context.Context, resolved, chosen content.Manifest) error {
			return r.verifySource(ctx, source, resolved, chosen)
		}
	}
	if len(outlets) > 0 {
		options.BeforeTags = func(ctx context.Context, dst content.Target, image content.Manifest) error {
			if o := outlets[dst]; o != nil {
				return r.publish(ctx, dst, o, image)
			}
			return nil
		}
	}
	return r
}

// applyIndex lets an index be signed, and verified if it gets a tag, at dst.
func (t *trust) applyIndex(options *transfer.Options, dst ref.Reference) *trustResult {
	r := &trustResult{trust: t, signed: map[content.Target][]sign.Signed{}}
	if o := t.destinations[dst.Place()]; o != nil {
		if dst.Tag == "" {
			o = &outlet{signer: o.signer, options: o.options}
		}
		options.BeforeTags = func(ctx context.Context, target content.Target, image content.Manifest) error {
			return r.publish(ctx, target, o, image)
		}
	}
	return r
}

// signatures are those at all destinations.
func (r *trustResult) signatures() []sign.Signed {
	return slices.Concat(slices.Collect(maps.Values(r.signed))...)
}

// verifySource does what is required of the image that is about to be copied.
func (r *trustResult) verifySource(ctx context.Context, source content.Source, resolved, chosen content.Manifest) error {
	for _, d := range r.source {
		v, err := verifyChosen(ctx, source, resolved, chosen, d.Requirements)
		if err == nil || isRefusal(err) {
			r.verification = &v
		}
		if err == nil {
			r.note("verified %s@%s, signed by %s", source, v.Digest, strings.Join(signerNames(v), " and "))
		}
		if err := r.refuse(ctx, err, d.warn); err != nil {
			return err
		}
	}
	return nil
}

// signerNames are the names of the keys whose signatures count, or of whose
// attestations do.
func signerNames(v sign.Verification) []string {
	var names []string
	for _, s := range slices.Concat(v.Signatures, v.Attestations) {
		if !slices.Contains(names, s.Key) {
			names = append(names, s.Key)
		}
	}
	return names
}

// verifyChosen verifies an image that is copied alone out of an index. The signature
// of the index covers it, since the index names its digest; so does one of its own.
func verifyChosen(ctx context.Context, src content.Source, resolved, chosen content.Manifest, r sign.Requirements) (sign.Verification, error) {
	alone := chosen.Descriptor.Digest != resolved.Descriptor.Digest && kindOf(chosen.Descriptor.MediaType, "") != "index"
	if !alone {
		return verifyImage(ctx, src, resolved, r)
	}
	each := r.Platforms // which are not asked for here
	r.Platforms = false
	v, err := verifyImage(ctx, src, resolved, r)
	if each && err == nil || !each && (isRefusal(err) || lacksSignature(err)) {
		own, ownErr := verifyImage(ctx, src, chosen, r)
		if each || !isRefusal(ownErr) {
			return own, ownErr
		}
	}
	return v, err
}

// publish signs an image where it has arrived, and verifies what is required there.
func (r *trustResult) publish(ctx context.Context, dst content.Target, o *outlet, image content.Manifest) error {
	store, err := storeOf(dst)
	if err != nil {
		return err
	}
	if o.signer != nil {
		signed, err := sign.Sign(ctx, store, image, o.signer, o.options)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.signed[dst] = signed
		r.mu.Unlock()
		for _, s := range signed {
			r.note("%s", strings.TrimSpace(signedText(dst.String(), "signed", s)))
		}
	}
	if o.demand == nil {
		return nil
	}
	_, err = sign.Verify(ctx, store, image, o.demand.Requirements)
	return r.refuse(ctx, err, o.demand.warn)
}

// note keeps a line for tell.
func (r *trustResult) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// tell writes to people what was verified and signed.
func (r *trustResult) tell() {
	for _, note := range r.notes {
		r.app.Messagef("%s", note)
	}
}

// refuse is App.refuse while progress is shown.
func (r *trustResult) refuse(ctx context.Context, err error, warn bool) error {
	if isWarning(ctx, err, warn) {
		r.note("warning: %v", err)
		return nil
	}
	return err
}

// refuse makes a warning of what keeps an image from being verified, if that is all
// that was asked for.
func (app *App) refuse(ctx context.Context, err error, warn bool) error {
	if isWarning(ctx, err, warn) {
		app.Messagef("warning: %v", err)
		return nil
	}
	return err
}

func isWarning(ctx context.Context, err error, warn bool) bool {
	return err != nil && warn && ctx.Err() == nil
}
