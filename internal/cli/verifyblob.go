package cli

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const verifyBlobHelp = `Verify that files are signed.

  ecrkit verify-blob SHA256SUMS --key release.pub
  ecrkit verify-blob app.tar.gz --key alias/release --bundle app.sigstore.json
  ecrkit verify-blob app.tar.gz --key release.pub --signature app.tar.gz.sig
  ecrkit verify-blob sha256:0123... --key release.pub --bundle app.sigstore.json
  ecrkit verify-blob app.tar.gz --key release.pub --bundle provenance.sigstore.json \
    --type slsaprovenance1 --output-predicate -

The signature of FILE is in FILE.sigstore.json, or in the file that --bundle or --signature names:
a Sigstore bundle, as ecrkit sign-blob and cosign sign-blob write it, or the signature alone, in
base64 or as it is. It counts if one of the keys made it over this file. A bundle with an
attestation is not a signature; --type requires an attestation of this type instead.

FILE is a path, - for stdin, or, where there is no such file, the digest of a file: sha256:HEX, or
sha384 or sha512 if the key signs that hash.

` + keyHelp + `
With a PEM file no AWS credentials are needed. ecrkit does not use a transparency log.

Prints who signed each file, or why its signature does not count. With --output json one object,
also if a file is refused: file, digest, status (verified, untrusted), format, key, fingerprint,
algorithm, predicateType, reason, notChecked, and "files", an array of such objects, one for each
FILE. A file that could not be checked has an "error" instead of a status.

Exit code 0 if all are verified; 4 if a signature does not count; 1 if a file or its signature
cannot be read; 3 if that is true of some of several FILE.`

// verifyBlobFlags are the flags of `ecrkit verify-blob`.
type verifyBlobFlags struct {
	keys              []string
	bundle, signature string
	kind, predicate   string
}

// verifiedBlob is the JSON form of what verify-blob prints of a file.
type verifiedBlob struct {
	File string `json:"file"` // as it was given
	sign.BlobVerification
}

func newVerifyBlobCommand(app *App) *cobra.Command {
	var f verifyBlobFlags
	cmd := &cobra.Command{
		Use:   "verify-blob FILE...",
		Short: "Verify that files are signed",
		Long:  verifyBlobHelp,
		Args:  atLeast("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.verifyBlobs(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.keys, "key", nil, "accept signatures by this `KEY`; may be repeated")
	flags.StringVar(&f.bundle, "bundle", "", "the bundle is in this `file` (default FILE"+blobBundleSuffix+")")
	flags.StringVar(&f.signature, "signature", "", "the signature is in this `file`, or is this text in base64")
	flags.StringVar(&f.kind, "type", "", "require an attestation of this `TYPE` instead of a signature")
	flags.StringVar(&f.predicate, "output-predicate", "", "with --type, write the predicate to this `file` (- for stdout)")
	completeValues(cmd, "type", predicateTypeNames())
	return cmd
}

// check refuses flags that do not go together or with the files.
func (f verifyBlobFlags) check(files []string) error {
	switch given := f.bundle != "" || f.signature != ""; {
	case len(f.keys) == 0:
		return usagef("say whose signature is wanted: --key alias/NAME, an ARN or a file with a public key")
	case f.bundle != "" && f.signature != "":
		return usagef("--bundle and --signature exclude each other")
	case f.signature != "" && f.kind != "":
		return usagef("--type asks for an attestation, which is in a bundle; use --bundle instead of --signature")
	case given && f.kind == "" && len(files) > 1:
		return usagef("--bundle and --signature are for one FILE; without them each bundle is in FILE%s", blobBundleSuffix)
	case f.predicate != "" && (f.kind == "" || len(files) > 1):
		return usagef("--output-predicate writes the predicate of one file and type; pass one FILE and --type")
	case !given:
		for _, file := range files {
			if !isBlobPath(file) {
				return usagef("%s: name the file with the signature, with --bundle or --signature", file)
			}
		}
	}
	return nil
}

func (app *App) verifyBlobs(ctx context.Context, args []string, f verifyBlobFlags) error {
	if err := f.check(args); err != nil {
		return err
	}
	var required sign.BlobRequirements
	var err error
	if f.kind != "" {
		if required.PredicateType, err = predicateType(f.kind); err != nil {
			return err
		}
	}
	if required.Keys, err = app.keysFor().publicKeys(ctx, f.keys); err != nil {
		return err
	}
	stdout := app.Stdout
	if f.predicate == ref.StandardStream {
		app.Stdout = app.Stderr // for the results
	}
	var failures []error
	var text strings.Builder
	results := []any{}
	refused, done := 0, 0 // those after an interruption are neither
	for _, file := range args {
		v, err := app.verifyBlob(ctx, file, f, required)
		switch {
		case err == nil || isRefusal(err):
			results = append(results, verifiedBlob{file, v})
			text.WriteString(verifiedBlobText(file, v))
			if err == nil && f.predicate != "" {
				err = app.writePredicate(f.predicate, stdout, v.Predicate)
			}
		default:
			results = append(results, failedBlob{file, newFailure(file, err)})
		}
		switch {
		case err == nil:
			done++
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
	if len(args) == 1 && len(failures) == refused {
		only = results[0]
	}
	if app.Output == outputJSON {
		err = app.printAll("files", results, only)
	} else {
		err = app.PrintResult(nil, text.String())
	}
	if err != nil {
		return err
	}
	if refused > 0 {
		return errors.Join(failures...) // whatever became of the others
	}
	return partly(done, failures)
}

// verifiedBlobText is a verification for people.
func verifiedBlobText(file string, v sign.BlobVerification) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s  %s  %s\n", v.Digest, printable(file), v.Status)
	switch {
	case v.Status != sign.StatusVerified:
		fmt.Fprintf(&out, "  does not count: %s: %s\n", v.Format, printable(v.Reason))
	case v.PredicateType != "":
		fmt.Fprintf(&out, "  %s attested by %s (%s)\n", printable(v.PredicateType), v.Key, v.Fingerprint)
	default:
		fmt.Fprintf(&out, "  signed by %s (%s): %s\n", v.Key, v.Fingerprint, v.Format)
	}
	fmt.Fprintf(&out, "  not checked: %s\n", strings.Join(v.NotChecked, ", "))
	return out.String()
}

// verifyBlob verifies one file.
func (app *App) verifyBlob(ctx context.Context, file string, f verifyBlobFlags, required sign.BlobRequirements) (sign.BlobVerification, error) {
	signature, err := f.read(app, file)
	if err != nil {
		return sign.BlobVerification{}, err
	}
	blob, closeBlob, err := app.openBlob(file)
	if err != nil {
		return sign.BlobVerification{}, err
	}
	defer closeBlob()
	v, err := sign.VerifyBlob(ctx, blob, signature, required)
	err = cmp.Or(unchanged(blob.Content), err)
	if err != nil {
		return v, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

// maxBlobSignature bounds the file with a signature, in bytes.
const maxBlobSignature = 32 << 20

// read reads the signature of a file.
func (f verifyBlobFlags) read(app *App, file string) ([]byte, error) {
	path := f.bundle
	switch {
	case f.signature != "":
		path = f.signature
	case f.bundle == "":
		path = file + blobBundleSuffix
	}
	in, err := app.open(path)
	if f.signature != "" && errors.Is(err, fs.ErrNotExist) {
		if _, decodeErr := base64.StdEncoding.DecodeString(f.signature); decodeErr == nil {
			return []byte(f.signature), nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) && f.bundle == "" && f.signature == "" {
		return nil, fmt.Errorf("signature of %s: there is no file %s; name another with --bundle or --signature, or sign the file with `ecrkit sign-blob`", file, path)
	}
	if err != nil {
		return nil, fmt.Errorf("signature of %s: %w", file, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxBlobSignature+1))
	if err == nil && len(data) > maxBlobSignature {
		err = fmt.Errorf("it has more than %d bytes", maxBlobSignature)
	}
	if err != nil {
		return nil, fmt.Errorf("signature %s: %w", path, err)
	}
	return data, nil
}
