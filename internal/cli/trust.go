package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
)

// trustFlags say what a copy signs and what it verifies.
type trustFlags struct {
	policy policyFlags

	verify bool     // --verify
	keys   []string // --key

	key string // --sign
	signing
}

// addTrustFlags adds to a command that copies those flags that apply to it.
func (f *trustFlags) add(cmd *cobra.Command, verifies, signs bool) {
	flags := cmd.Flags()
	if verifies {
		flags.BoolVar(&f.verify, "verify", false, "refuse SRC unless it is signed, before anything is written")
		flags.StringArrayVar(&f.keys, "key", nil, "with --verify, a `KEY` that may have signed; may be repeated (default the policy's)")
	}
	if signs {
		flags.StringVar(&f.key, "sign", "", "sign with this `KEY` before the tag is set (default the policy's)")
		flags.StringArrayVarP(&f.annotations, "annotation", "a", nil, "`KEY=VALUE` to be signed with the image; may be repeated")
		addFixed(cmd, &f.format, "sign-format", "form of the signature (default bundle)")
		flags.BoolVar(&f.recursive, "sign-recursive", false, "sign each image of an index too")
	}
	addPolicyFlag(cmd, &f.policy)
	flags.BoolVar(&f.policy.none, "no-policy", false, "leave the policy out, and say so")
}

// trust is what a command has to sign and to verify. It is made before anything is
// sent, so that a key that cannot be used is found out then.
type trust struct {
	app          *App
	source       []demand           // of the image that is copied
	destinations map[string]*outlet // by Reference.Place; none is nothing to do
}

// demand is what is required of an image.
type demand struct {
	sign.Requirements
	warn bool // instead of refusing
}

// outlet is what is done where an image arrives, before it gets its tags.
type outlet struct {
	signer  *sign.Signer // nil signs nothing
	options sign.Options
	demand  *demand // nil verifies nothing
}

// prepare finds out what flags and policy want, and loads the keys. publishes says
// that the source is what was built here, of which nothing is required.
func (f *trustFlags) prepare(ctx context.Context, app *App, src transfer.Reference, dsts []transfer.Reference, publishes bool) (*trust, error) {
	if len(f.keys) > 0 && !f.verify {
		return nil, usagef("--key says whose signature --verify wants; give that too")
	}
	options, err := f.options(app)
	if err != nil {
		return nil, err
	}
	from := app.keysFor(append(append([]transfer.Reference{}, dsts...), src)...)
	policy, err := app.policy(f.policy, from)
	if err != nil {
		return nil, err
	}
	t := &trust{app: app, destinations: map[string]*outlet{}}
	if !publishes {
		if t.source, err = f.demands(ctx, from, policy, src); err != nil {
			return nil, err
		}
	}
	signs := false
	for _, dst := range dsts {
		if t.destinations[dst.Place()] != nil {
			continue
		}
		o, err := f.outlet(ctx, from, policy, dst, options)
		if err != nil {
			return nil, err
		}
		if o != nil {
			t.destinations[dst.Place()] = o
			signs = signs || o.signer != nil
		}
	}
	if !signs && (len(f.annotations) > 0 || f.format != "" || f.recursive) {
		return nil, usagef("--annotation, --sign-format and --sign-recursive need --sign KEY")
	}
	return t, nil
}

// demands are what is required of the source.
func (f *trustFlags) demands(ctx context.Context, from *keys, policy *imagePolicy, src transfer.Reference) ([]demand, error) {
	var demands []demand
	if len(f.keys) > 0 {
		keys, err := from.publicKeys(ctx, f.keys)
		if err != nil {
			return nil, err
		}
		demands = append(demands, demand{Requirements: sign.Requirements{Keys: keys}})
	}
	if policy == nil {
		if f.verify && len(f.keys) == 0 {
			return nil, errNoKey("--verify: ")
		}
		return demands, nil
	}
	d, err := policy.ofSource(ctx, src, f.verify && len(f.keys) == 0)
	if d != nil {
		demands = append(demands, *d)
	}
	return demands, err
}

// errNoKey says that it is not known whose signature is wanted.
func errNoKey(flag string) error {
	return usagef("%ssay whose signature is wanted: --key alias/NAME, an ARN or a file with a public key; or what is required of which image: --policy FILE or $%s", flag, policyVariable)
}

// outlet is what is to be done at a destination; nil is nothing.
func (f *trustFlags) outlet(ctx context.Context, from *keys, policy *imagePolicy, dst transfer.Reference, options sign.Options) (*outlet, error) {
	if !dst.IsRepository() {
		policy = nil // whoever copies from there asks it
	}
	o := &outlet{options: policy.signOptions(dst, options)}
	var err error
	if f.key != "" {
		if !isStore(dst) {
			return nil, usagef("--sign: an image in %s cannot be signed, only in a repository or an OCI layout", dst)
		}
		o.signer, err = from.signer(ctx, f.key)
	} else {
		o.signer, err = policy.signer(ctx, dst)
	}
	if err == nil && policy != nil {
		o.demand, err = policy.ofDestination(ctx, dst)
	}
	if err != nil || o.signer == nil && o.demand == nil {
		return nil, err
	}
	if o.signer != nil {
		from.warn(o.signer)
	}
	return o, nil
}

// trustResult is what became of one image: what was verified, and where what was
// signed.
type trustResult struct {
	*trust

	mu           sync.Mutex
	verification *sign.Verification // of the source
	signed       map[transfer.Target][]sign.Signed
	notes        []string // for people, when the progress is not shown any more
}

// active tells whether anything is verified or signed.
func (t *trust) active() bool { return len(t.source)+len(t.destinations) > 0 }

// apply lets a copy from source to destinations, which outcomes name, verify and sign.
func (t *trust) apply(options *transfer.Options, source transfer.Source, destinations []transfer.Destination, outcomes []copyOutcome) *trustResult {
	r := &trustResult{trust: t, signed: map[transfer.Target][]sign.Signed{}}
	outlets := map[transfer.Target]*outlet{}
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
		options.Verify = func(ctx context.Context, resolved, chosen transfer.Manifest) error {
			return r.verifySource(ctx, source, resolved, chosen)
		}
	}
	if len(outlets) > 0 {
		options.BeforeTags = func(ctx context.Context, dst transfer.Target, image transfer.Manifest) error {
			if o := outlets[dst]; o != nil {
				return r.publish(ctx, dst, o, image)
			}
			return nil
		}
	}
	return r
}

// verifySource does what is required of the image that is about to be copied.
func (r *trustResult) verifySource(ctx context.Context, source transfer.Source, resolved, chosen transfer.Manifest) error {
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
func verifyChosen(ctx context.Context, src transfer.Source, resolved, chosen transfer.Manifest, r sign.Requirements) (sign.Verification, error) {
	alone := chosen.Descriptor.Digest != resolved.Descriptor.Digest && kindOf(chosen.Descriptor.MediaType, "") != "index"
	if !alone {
		return verifyImage(ctx, src, resolved, r)
	}
	each := r.Platforms // which are not asked for here
	r.Platforms = false
	v, err := verifyImage(ctx, src, resolved, r)
	if each && err == nil || !each && isRefusal(err) {
		own, ownErr := verifyImage(ctx, src, chosen, r)
		if each || ownErr == nil || !isRefusal(ownErr) {
			return own, ownErr
		}
	}
	return v, err
}

// publish signs an image where it has arrived, and verifies what is required there.
func (r *trustResult) publish(ctx context.Context, dst transfer.Target, o *outlet, image transfer.Manifest) error {
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
