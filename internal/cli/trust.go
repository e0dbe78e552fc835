package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// trustFlags describe what a copy signs and what it verifies.
type trustFlags struct {
	policy policyFlags

	verify bool     // --verify
	keys   []string // --key

	key string // --sign
	signing
}

// addVerify adds the flags of what is verified to a command.
func (f *trustFlags) addVerify(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.verify, "verify", false, "refuse SRC unless it is signed, before anything is written")
	cmd.Flags().StringArrayVar(&f.keys, "key", nil, "with --verify, accept signatures by this `KEY`; may be repeated (default the policy's)")
}

// addSign adds the flags of what is signed to a command. annotation and short are the
// names of that for annotations.
func (f *trustFlags) addSign(cmd *cobra.Command, annotation, short string) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "sign", "", "sign with this `KEY` before the tag is set (default the policy's)")
	flags.StringArrayVarP(&f.annotations, annotation, short, nil, "sign `KEY=VALUE` with the image; may be repeated")
	addFixed(cmd, &f.format, "sign-format", "format of the signature (default bundle)")
	flags.BoolVar(&f.recursive, "sign-recursive", false, "sign each image of an index too")
}

// addPolicy adds the flags of the policy to a command.
func (f *trustFlags) addPolicy(cmd *cobra.Command) {
	addPolicyFlag(cmd, &f.policy)
	addNoPolicyFlag(cmd, &f.policy)
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
func (f *trustFlags) prepare(ctx context.Context, app *App, src ref.Reference, dsts []ref.Reference, publishes bool) (*trust, error) {
	if len(f.keys) > 0 && !f.verify {
		return nil, usagef("--key needs --verify")
	}
	options, err := f.options(app)
	if err != nil {
		return nil, err
	}
	from := app.keysFor(append(append([]ref.Reference{}, dsts...), src)...)
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
		return nil, usagef("annotations that are signed, --sign-format and --sign-recursive need --sign KEY")
	}
	return t, nil
}

// demands are what is required of the source.
func (f *trustFlags) demands(ctx context.Context, from *keys, policy *imagePolicy, src ref.Reference) ([]demand, error) {
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

// errNoKey is the error of a verification without a key and without a policy.
func errNoKey(flag string) error {
	return usagef("%ssay whose signature is wanted: --key alias/NAME, an ARN or a file with a public key; or what is required of which image: --policy FILE or $%s", flag, policyVariable)
}

// outlet is what is to be done at a destination; nil is nothing.
func (f *trustFlags) outlet(ctx context.Context, from *keys, policy *imagePolicy, dst ref.Reference, options sign.Options) (*outlet, error) {
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

// active reports whether anything is verified or signed.
func (t *trust) active() bool { return len(t.source)+len(t.destinations) > 0 }
