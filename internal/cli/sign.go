package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const signHelp = `Sign images where they are: in a repository or an OCI layout.

  ecrkit sign 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2 --key alias/release
  ecrkit sign HOST/app@sha256:0123... --key release.key -a commit=3f2a91c
  ecrkit sign HOST/app:1.2 --key alias/release --recursive --format both
  ecrkit push oci:build HOST/app:1.2 --sign alias/release

To publish an image, use ecrkit push --sign: it signs before the tag names the image. A
tag is resolved once, and the digest that is signed is printed. cosign verifies the
signatures (see docs/signing.md for how to call it).

` + keyHelp + `
The password of an encrypted file is $COSIGN_PASSWORD, or is asked for. Without
--key it is the one that the policy names for the repository.

--format bundle writes what cosign v3 does, a bundle that refers to the image;
legacy the tag sha256-....sig that older tools read, and that a second signer
cannot add to where tags are immutable. A signature of an index covers its images;
--recursive signs each of them too. What the key has signed so before is not
signed again, unless --force is given.

Prints a line for each signature, or with --output json one object: key,
fingerprint, signatures (reference, digest, format, signature, tag, existed) and
failed (reference, error). Exit code 3 if some REF were signed and some not.

The files for pipelines (--digest-file, ...) are those of ecrkit push.`

// signing are the flags that say how images are signed.
type signing struct {
	annotations []string
	format      signFormat
	recursive   bool
}

// options are what the flags say.
func (s signing) options(app *App) (sign.Options, error) {
	annotations, err := keyValues(s.annotations)
	if err != nil {
		return sign.Options{}, err
	}
	lockDir, err := app.signingLockDir()
	if err != nil {
		return sign.Options{}, err
	}
	return sign.Options{Formats: s.format.formats(), Annotations: annotations, Recursive: s.recursive, LockDir: lockDir, Now: app.Now}, nil
}

// signingLockDir is where those who sign on this machine wait for each other; "" is
// nowhere, also where the user may not write: signers look again after writing, too.
func (app *App) signingLockDir() (string, error) {
	config, err := app.settings()
	if err != nil || config.StateDir == "" {
		return "", err
	}
	dir := filepath.Join(config.StateDir, "signing")
	if os.MkdirAll(dir, 0o700) != nil {
		return "", nil
	}
	return dir, nil
}

// signedImage is a signature in the JSON form of what sign prints.
type signedImage struct {
	Reference string `json:"reference"` // as it was given
	sign.Signed
}

// signedImages is the JSON form of what sign and attest print.
type signedImages struct {
	Key         string        `json:"key"`
	Fingerprint digest.Digest `json:"fingerprint"`
	Signatures  []signedImage `json:"signatures"`
	Failed      []failedImage `json:"failed,omitempty"`
}

// failedImage is an image of which something was to be done, and could not.
type failedImage struct {
	Reference string  `json:"reference"`
	Error     failure `json:"error"`
}

func newSignCommand(app *App) *cobra.Command {
	var s signing
	var key, bundle string
	var force bool
	var policy policyFlags
	var files resultFiles
	cmd := &cobra.Command{
		Use:   "sign REF...",
		Short: "Sign images with a key in AWS KMS or a file",
		Long:  signHelp,
		Args:  atLeast("REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := s.options(app)
			if err != nil {
				return err
			}
			options.Force = force
			if bundle != "" && (len(args) > 1 || s.recursive || s.format == formatLegacy) {
				return usagef("--output-bundle writes the bundle of one image; pass one REF, without --recursive and --format legacy")
			}
			references, err := app.parseReferences(args)
			if err != nil {
				return err
			}
			signer, required, err := app.signerFor(cmd.Context(), key, policy, references)
			if err != nil {
				return err
			}
			var file *outputFile
			if bundle != "" {
				if file, err = app.createOutput(bundle); err != nil {
					return fmt.Errorf("--output-bundle: %w", err)
				}
				defer file.discard()
			}
			return app.sign(cmd.Context(), "signed", args, references, signer, files, func(ctx context.Context, r ref.Reference, store sign.Store, m content.Manifest) ([]sign.Signed, error) {
				signed, err := sign.Sign(ctx, store, m, signer, required.signOptions(r, options))
				if err == nil && file != nil {
					err = writeBundle(file, signed)
				}
				return signed, err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "the `KEY` that signs (default the policy's)")
	flags.StringArrayVarP(&s.annotations, "annotation", "a", nil, "`KEY=VALUE` to be signed with the image; may be repeated")
	flags.BoolVarP(&s.recursive, "recursive", "r", false, "sign each image of an index too")
	addFixed(cmd, &s.format, "format", "form of the signature (default bundle)")
	flags.StringVar(&bundle, "output-bundle", "", "write the bundle to this `file` too")
	flags.BoolVar(&force, "force", false, "sign again what the key has signed")
	addPolicyFlag(cmd, &policy)
	inGroup(cmd, groupPipeline, func() { files.add(cmd) })
	return cmd
}

// signerFor loads the key that was given or, without one, that of the policy, which is
// then given too.
func (app *App) signerFor(ctx context.Context, key string, flags policyFlags, references []ref.Reference) (*sign.Signer, *imagePolicy, error) {
	from := app.keysFor(references...)
	if key != "" {
		if flags.file != "" {
			return nil, nil, usagef("--key and --policy exclude each other")
		}
		signer, err := from.signer(ctx, key)
		if err == nil {
			from.warn(signer)
		}
		return signer, nil, err
	}
	policy, err := app.policy(flags, from)
	if err != nil {
		return nil, nil, err
	}
	var chosen *sign.Signer
	for _, r := range references {
		signer, err := policy.signer(ctx, r)
		switch {
		case err != nil:
			return nil, nil, err
		case signer == nil:
			return nil, nil, usagef("name the key: --key alias/NAME, an ARN or a file; no policy names one for %s", r.Place())
		case chosen != nil && chosen.Key.Fingerprint() != signer.Key.Fingerprint():
			return nil, nil, usagef("the policy %s names different keys for the images; sign those of one key at a time", policy.path)
		}
		chosen = signer
	}
	from.warn(chosen)
	return chosen, policy, nil
}

// attacher signs something of the image that r names.
type attacher func(ctx context.Context, r ref.Reference, store sign.Store, image content.Manifest) ([]sign.Signed, error)

// sign attaches something to each image and prints what; did is what that is for
// people. args are the references as they were given.
func (app *App) sign(ctx context.Context, did string, args []string, references []ref.Reference, signer *sign.Signer, files resultFiles, attach attacher) error {
	results, err := files.open(app)
	if err != nil {
		return err
	}
	defer results.discard()
	var all []made
	result := signedImages{Key: signer.Key.Name, Fingerprint: signer.Key.Fingerprint(), Signatures: []signedImage{}}
	var text strings.Builder
	var failures []error
	done := 0 // those after an interruption are neither done nor failed
	for i, r := range references {
		signed, image, err := app.signOne(ctx, withLatest(r), attach)
		if err != nil {
			failures = append(failures, err)
			result.Failed = append(result.Failed, failedImage{args[i], newFailure(args[i], err)})
		} else {
			done++
			image.signers = []string{signer.Key.Name}
			all = append(all, image)
		}
		for _, s := range signed {
			result.Signatures = append(result.Signatures, signedImage{args[i], s})
			text.WriteString(signedText(r.Place(), did, s))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(result.Signatures) > 0 || len(references) > 1 {
		if err := app.PrintResult(result, text.String()); err != nil {
			return err
		}
	}
	if err := app.report("Images "+did, results, all); err != nil {
		failures = append(failures, err)
	}
	return partly(done, failures)
}

func (app *App) signOne(ctx context.Context, r ref.Reference, attach attacher) ([]sign.Signed, made, error) {
	store, err := app.openStore(ctx, r)
	if err != nil {
		return nil, made{}, err
	}
	image, err := transfer.ReadManifest(ctx, store, r.Name(), nil)
	if err != nil {
		return nil, made{}, err
	}
	found, err := madeFrom(r, image)
	if err != nil {
		return nil, made{}, err
	}
	signed, err := attach(ctx, r, store, image)
	return signed, found, err
}

// openStore opens where an image is, to sign it there.
func (app *App) openStore(ctx context.Context, r ref.Reference) (sign.Store, error) {
	if !isStore(r) {
		return nil, usagef("%s: an image in a file or a docker daemon cannot be signed; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	endpoint, err := app.openRepository(ctx, r)
	if err != nil {
		return nil, err
	}
	return storeOf(endpoint)
}

// isStore reports whether images are signed where r is.
func isStore(r ref.Reference) bool { return r.IsRepository() || r.Kind == ref.KindLayout }

// storeOf is a target of a copy as a place in which images are signed.
func storeOf(target content.Target) (sign.Store, error) {
	store, ok := target.(sign.Store)
	if !ok {
		return nil, fmt.Errorf("%s: %w: images there cannot be signed", target, content.ErrUnsupported)
	}
	return store, nil
}

// signedText is a signature for people; did is what was done, place where.
func signedText(place, did string, s sign.Signed) string {
	if s.Existed {
		did = "was " + did + " before"
	}
	at := string(s.Signature)
	if s.Tag != "" {
		at = s.Tag
	}
	return fmt.Sprintf("%s  %s  %s, %s %s\n", s.Digest, place, did, s.Format, at)
}

// writeBundle writes the bundle among signatures to a file.
func writeBundle(file *outputFile, signed []sign.Signed) error {
	for _, s := range signed {
		if s.Format != sign.FormatBundle {
			continue
		}
		if err := file.commit(s.Bundle); err != nil {
			return fmt.Errorf("%s is signed, but the bundle is not in a file: %w; sign again, which only writes the file", s.Digest, err)
		}
		return nil
	}
	return fmt.Errorf("%s: there is no bundle", file.path)
}
