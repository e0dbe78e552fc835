package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// policyVariable names the policy where no flag does.
const policyVariable = "ECRKIT_POLICY"

// policyFlags select the policy that holds.
type policyFlags struct {
	file string
	none bool // --no-policy
}

func addPolicyFlag(cmd *cobra.Command, f *policyFlags) {
	cmd.Flags().StringVar(&f.file, "policy", "", "`file` with the signing policy (default $"+policyVariable+", or policy in the configuration file)")
}

func addNoPolicyFlag(cmd *cobra.Command, f *policyFlags) {
	cmd.Flags().BoolVar(&f.none, "no-policy", false, "ignore the policy, with a warning")
}

// imagePolicy is what is required of images, and where that was read.
type imagePolicy struct {
	*sign.Policy
	path string
	keys *keys
}

// policy reads the policy that the flags, the environment or the configuration file
// names; nil if none of them does. Its keys are loaded when they are needed.
func (app *App) policy(f policyFlags, from *keys) (*imagePolicy, error) {
	path := f.file
	if path == "" {
		config, err := app.settings()
		if err != nil {
			return nil, err
		}
		path = config.Policy
	}
	if f.none {
		if f.file != "" {
			return nil, usagef("--policy and --no-policy exclude each other")
		}
		if path != "" {
			// Also with --quiet: nobody should do this without knowing.
			app.say(fmt.Sprintf("warning: --no-policy: what %s requires is neither verified nor signed", path))
		}
		return nil, nil
	}
	if path == "" {
		return nil, nil
	}
	parsed, err := app.readSigningPolicy(path)
	if err != nil {
		return nil, usageError{err}
	}
	return &imagePolicy{parsed, path, from}, nil
}

// readSigningPolicy is [sign.ReadPolicy] that ends with the command.
func (app *App) readSigningPolicy(path string) (*sign.Policy, error) {
	f, err := app.openText(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	defer f.Close()
	p, err := sign.ParsePolicy(f)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", path, err)
	}
	p.Dir = filepath.Dir(path)
	return p, nil
}

// rule is what the policy says of where r is.
func (p *imagePolicy) rule(r ref.Reference) sign.Rule {
	var aliases []string
	if r.Kind == ref.KindECR {
		aliases = []string{r.Registry.CanonicalHost() + "/" + r.Repository}
	}
	return p.Rule(r.Place(), aliases...)
}

// signer loads the key with which the policy has what arrives at r signed; nil if it
// does not.
func (p *imagePolicy) signer(ctx context.Context, r ref.Reference) (*sign.Signer, error) {
	if p == nil || p.rule(r).Sign == nil {
		return nil, nil
	}
	key := p.rule(r).Sign
	signer, err := p.keys.fromKMS(ctx, key.Reference)
	if err != nil {
		return nil, err
	}
	if want, got := key.Fingerprint(), signer.Key.Fingerprint(); want != "" && got != want {
		return nil, fmt.Errorf("policy %s: key %s: its fingerprint is to be %s, but that of %s is %s", p.path, key.Name, want, key.Reference, got)
	}
	return signer, nil
}

// signOptions are options with what the policy requires of signatures at r.
func (p *imagePolicy) signOptions(r ref.Reference, options sign.Options) sign.Options {
	if p == nil {
		return options
	}
	required := p.rule(r).SignOptions()
	annotations := maps.Clone(required.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, options.Annotations)
	options.Annotations = annotations
	if options.Formats == nil {
		options.Formats = required.Formats
	}
	options.Recursive = options.Recursive || required.Recursive
	options.Repository = required.Repository
	return options
}

// demand is what the policy requires of the image that r names, whoever enforces it.
func (p *imagePolicy) demand(ctx context.Context, r ref.Reference) (sign.Requirements, error) {
	d, err := p.ofSource(ctx, r, true)
	if err != nil {
		return sign.Requirements{}, err
	}
	return d.Requirements, nil
}

// ofSource is what the policy requires of an image that is read; nil is nothing.
// asked reports whether the user wants it verified: nothing is then an error.
func (p *imagePolicy) ofSource(ctx context.Context, r ref.Reference, asked bool) (*demand, error) {
	rule := p.rule(r)
	switch {
	case rule.Action == sign.ActionReject:
		next := ""
		if !r.IsRepository() {
			next = "; what was built here is published with `ecrkit push`"
		}
		return nil, fmt.Errorf("%s: %w: the policy %s takes no image from there%s", r.Place(), sign.ErrUntrusted, p.path, next)
	case rule.Action == sign.ActionAccept && asked:
		return nil, fmt.Errorf("%s: the policy %s requires no signature there; name the accepted key with --key", r.Place(), p.path)
	case rule.Action == sign.ActionAccept:
		return nil, nil
	}
	return p.requirements(ctx, rule, rule.Enforcement == sign.EnforceWarn && !asked)
}

// ofDestination is what the policy requires of an image that arrives; nil is nothing.
func (p *imagePolicy) ofDestination(ctx context.Context, r ref.Reference) (*demand, error) {
	rule := p.rule(r)
	if rule.Action != sign.ActionVerify {
		return nil, nil
	}
	return p.requirements(ctx, rule, rule.Enforcement == sign.EnforceWarn)
}

// requirements loads the keys of a rule; nil if that cannot be done and is only a
// warning.
func (p *imagePolicy) requirements(ctx context.Context, rule sign.Rule, warn bool) (*demand, error) {
	requirements, err := rule.Requirements(ctx, func(ctx context.Context, name string) (*sign.Key, error) {
		return p.keys.public(ctx, name)
	})
	if err != nil {
		return nil, p.keys.app.refuse(ctx, err, warn)
	}
	return &demand{requirements, warn}, nil
}
