package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const verifyHelp = `Verify that images are signed, and show by whom.

  ecrkit verify 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 --key release.pub
  ecrkit verify HOST/app:1.2 --key alias/release --key next.pub -a env=prod
  ecrkit verify oci:app:1.2 --policy policy.yaml --output json
  ecrkit verify HOST/app:1.2 --key release.pub --type spdxjson --output-predicate sbom.json
  ecrkit pull HOST/app:1.2 --verify --key release.pub

To verify before a pull, use ecrkit pull --verify. A signature counts if one of the keys made it
over this digest, with all annotations that you require; --threshold requires signatures by several
keys. All signatures are checked, bundles and legacy ones, by cosign or ecrkit. An attestation is
not a signature; --type requires attestations of these types instead of a signature, and
--output-predicate writes their predicates, one a line.

` + keyHelp + `
With a PEM file the only AWS credentials needed are those that read the image. Without --key the
policy decides what is required of the repository (--policy, $ECRKIT_POLICY, or policy in the
configuration file).

Prints who signed, which signatures do not count and why, and what was not checked: ecrkit does
not use a transparency log. With --output json one object, also if the image is refused:
reference, digest, status (verified, unsigned, untrusted), signatures, attestations, rejected,
platforms, notChecked, and "images", an array of such objects, one for each REF. An image that
could not be checked has an "error" instead of a status.

The files for pipelines (--digest-file, ...) are those of ecrkit push. They are written only if all
images are verified: use the digest in them, as the tag can move later.

Exit code 0 if all are verified; 4 if one is unsigned or untrusted, or content does not match its
digest; 1 if an image could not be checked, for example because the tag does not exist or the
registry fails; 3 if that is true of some of several REF.`

// verifyFlags are the flags of `ecrkit verify`.
type verifyFlags struct {
	keys        []string
	policy      policyFlags
	annotations []string
	threshold   int
	formats     []string
	types       []string
	repository  string
	recursive   bool
	predicate   string // file for the predicates
	files       resultFiles
}

// verified is the JSON form of what verify prints of an image.
type verified struct {
	Reference string `json:"reference"` // as it was given
	sign.Verification
}

func newVerifyCommand(app *App) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify REF...",
		Short: "Verify that images are signed",
		Long:  verifyHelp,
		Args:  atLeast("REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.verify(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.keys, "key", nil, "accept signatures by this `KEY`; may be repeated")
	flags.StringArrayVarP(&f.annotations, "annotation", "a", nil, "require that `KEY=VALUE` is signed with the image; may be repeated")
	numberVar(flags, &f.threshold, "threshold", 1, math.MaxInt32, "number of different keys that must have signed (default 1)")
	flags.StringSliceVar(&f.formats, "format", nil, "only signatures of this `format`: bundle, legacy or oci-1-1; may be repeated")
	flags.StringArrayVar(&f.types, "type", nil, "require an attestation of this `TYPE` instead of a signature; may be repeated")
	flags.StringVar(&f.repository, "repository", "", "`HOST/REPOSITORY` that a legacy signature must name")
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "require the same of each image of an index")
	flags.StringVar(&f.predicate, "output-predicate", "", "with --type, write the predicate to this `file` (- for stdout)")
	addPolicyFlag(cmd, &f.policy)
	inGroup(cmd, groupPipeline, func() { f.files.add(cmd) })
	completeValues(cmd, "type", predicateTypeNames())
	completeValues(cmd, "format", verifyFormats())
	return cmd
}

func verifyFormats() []string {
	return []string{string(sign.FormatBundle), string(sign.FormatLegacy), string(sign.FormatOCI11)}
}

// requirer returns what is required of the image that r names.
type requirer func(ctx context.Context, r ref.Reference) (sign.Requirements, error)

// requirer is what the flags ask for: the same of every image with --key, else
// what the policy says.
func (f verifyFlags) requirer(ctx context.Context, app *App, references []ref.Reference) (requirer, error) {
	if len(f.keys) > 0 {
		if f.policy.file != "" {
			return nil, usagef("--key and --policy exclude each other")
		}
		r, err := f.requirements(ctx, app.keysFor(references...))
		return func(context.Context, ref.Reference) (sign.Requirements, error) { return r, err }, err
	}
	if len(f.annotations)+len(f.formats)+len(f.types) > 0 || f.threshold != 0 || f.repository != "" || f.recursive {
		return nil, usagef("--annotation, --threshold, --format, --type, --repository and --recursive go with --key; a policy has its own requirements")
	}
	policy, err := app.policy(f.policy, app.keysFor(references...))
	if err != nil {
		return nil, err
	}
	if policy == nil {
		return nil, errNoKey("")
	}
	return policy.demand, nil
}

// requirements are what the flags ask for with --key.
func (f verifyFlags) requirements(ctx context.Context, from *keys) (sign.Requirements, error) {
	if len(f.types) > 0 && (len(f.annotations) > 0 || f.threshold != 0) {
		return sign.Requirements{}, usagef("--annotation and --threshold are about signatures, and --type asks for attestations; verify them one after the other")
	}
	r := sign.Requirements{Threshold: f.threshold, Repository: f.repository, Platforms: f.recursive, AttestationsOnly: len(f.types) > 0}
	var err error
	if r.Annotations, err = keyValues(f.annotations); err != nil {
		return r, err
	}
	if f.threshold < 0 || f.threshold > len(f.keys) {
		return r, usagef("--threshold %d is not a number from 1 to that of the keys, %d", f.threshold, len(f.keys))
	}
	for _, s := range f.formats {
		if !slices.Contains(verifyFormats(), s) {
			return r, usagef("--format %q is not one of bundle, legacy and oci-1-1", s)
		}
		r.Formats = append(r.Formats, sign.Format(s))
	}
	for _, s := range f.types {
		uri, err := predicateType(s)
		if err != nil {
			return r, err
		}
		r.PredicateTypes = append(r.PredicateTypes, uri)
	}
	r.Keys, err = from.publicKeys(ctx, f.keys)
	return r, err
}

// publicKeys loads the keys that --key names.
func (k *keys) publicKeys(ctx context.Context, names []string) ([]*sign.Key, error) {
	var loaded []*sign.Key
	for _, name := range names {
		key, err := k.public(ctx, name)
		if err != nil {
			return nil, err
		}
		loaded = append(loaded, key)
	}
	return loaded, nil
}

func (app *App) verify(ctx context.Context, args []string, f verifyFlags) error {
	references, err := app.parseReferences(args)
	if err != nil {
		return err
	}
	if f.predicate != "" && (len(references) != 1 || len(f.types) != 1) {
		return usagef("--output-predicate writes the predicate of one image and type; pass one REF and one --type")
	}
	require, err := f.requirer(ctx, app, references)
	if err != nil {
		return err
	}
	results, err := f.files.open(app)
	if err != nil {
		return err
	}
	defer results.discard()
	stdout := app.rawStdout()
	if f.predicate == ref.StandardStream {
		app.Stdout = app.Stderr // for the results
	}
	var failures []error
	var text strings.Builder
	images := []any{}
	var verifiedImages []made
	refused, done := 0, 0 // those after an interruption are neither
	for i, r := range references {
		r = withLatest(r)
		v, found, err := app.verifyOne(ctx, r, require)
		switch {
		case err == nil || isRefusal(err):
			images = append(images, verified{args[i], v})
			text.WriteString(app.verificationText(r, v))
			if err == nil && f.predicate != "" {
				err = app.writePredicates(f.predicate, stdout, v)
			}
		default:
			images = append(images, failedImage{args[i], newFailure(args[i], err)})
		}
		switch {
		case err == nil:
			done++
			found.signers = signerNames(v)
			verifiedImages = append(verifiedImages, found)
		case isRefusal(err):
			refused++
			fallthrough
		default:
			failures = append(failures, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	var only any
	if len(references) == 1 && len(failures) == refused {
		only = images[0]
	}
	if app.Output == outputJSON {
		err = app.printImages(images, only)
	} else {
		err = app.PrintResult(nil, text.String())
	}
	if err != nil {
		return err
	}
	if refused > 0 {
		return errors.Join(failures...) // whatever became of the others
	}
	if len(verifiedImages) == len(references) {
		return app.report("Images verified", results, verifiedImages)
	}
	return partly(done, failures)
}

// verifyOne verifies an image where it is.
func (app *App) verifyOne(ctx context.Context, r ref.Reference, require requirer) (sign.Verification, made, error) {
	requirements, err := require(ctx, r)
	if err != nil {
		v := noVerification("", sign.StatusUntrusted)
		v.Rejected = append(v.Rejected, sign.Rejection{Reason: err.Error()})
		return v, made{}, err
	}
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return sign.Verification{}, made{}, err
	}
	defer closeSource()
	image, err := transfer.ReadManifest(ctx, source, r.Name(), nil)
	if err != nil {
		return sign.Verification{}, made{}, err
	}
	v, err := verifyImage(ctx, source, image, requirements)
	if err != nil {
		return v, made{}, err
	}
	found, err := madeFrom(r, image)
	return v, found, err
}

// verifyImage is [sign.Verify] for sources of any kind: where no signatures can be,
// an image is unsigned.
func verifyImage(ctx context.Context, source content.Source, image content.Manifest, r sign.Requirements) (sign.Verification, error) {
	if signed, ok := source.(sign.Source); ok {
		return sign.Verify(ctx, signed, image, r)
	}
	return noVerification(image.Descriptor.Digest, sign.StatusUnsigned),
		fmt.Errorf("%s: %w; %w", source, sign.ErrUnsigned, errNoSignatures)
}

// errNoSignatures is the reason why an image in a file or a docker daemon is unsigned.
var errNoSignatures = errors.New("only images in repositories and OCI layouts can have signatures")

// noVerification is that of an image at which nobody looked.
func noVerification(d digest.Digest, status sign.Status) sign.Verification {
	return sign.Verification{Digest: d, Status: status, Signatures: []sign.Signature{}, Attestations: []sign.Signature{}, Rejected: []sign.Rejection{}, NotChecked: []string{}}
}

// lacksSignature reports whether err is that a signature is listed, but missing: without it an image
// is not verified, but may be by another one.
func lacksSignature(err error) bool { return errors.Is(err, sign.ErrMissing) }

// isRefusal reports whether err is about an image that was checked and refused.
func isRefusal(err error) bool {
	return errors.Is(err, sign.ErrUnsigned) || errors.Is(err, sign.ErrUntrusted)
}
