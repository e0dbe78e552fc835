package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const signBlobHelp = `Sign files, such as release archives or a list of checksums.

  ecrkit sign-blob SHA256SUMS --key alias/release
  ecrkit sign-blob app.tar.gz app.zip --key release.key
  make-sbom | ecrkit sign-blob - --key env://KEY --bundle sbom.sigstore.json
  ecrkit sign-blob sha256:0123... --key alias/release --output-signature app.sig

The signature of FILE is a Sigstore bundle, which cosign verify-blob verifies too: in
FILE.sigstore.json, or in the file that --bundle names. --output-signature writes the signature
alone in base64, for openssl. A file at these paths is replaced.

FILE is a path, - for stdin, or, where there is no such file, the digest of a file: sha256:HEX, or
sha384 or sha512 for a key that signs that hash.

` + keyHelp + `
The password of an encrypted file is $COSIGN_PASSWORD, or is asked for. AWS KMS gets a hash, not
the file.

Prints a line for each file, or with --output json one object: key, fingerprint, signatures (file,
digest, algorithm, bundle, signature: the paths) and failed (file, error). Exit code 3 if some FILE
were signed and some not.`

// blobBundleSuffix is added to the name of a file for that of its bundle.
const blobBundleSuffix = ".sigstore.json"

// signedBlob is a signature in the JSON form of what sign-blob prints.
type signedBlob struct {
	File string `json:"file"` // as it was given
	sign.SignedBlob
	BundlePath    string `json:"bundle,omitempty"`
	SignaturePath string `json:"signature,omitempty"`
}

// signedBlobs is the JSON form of what sign-blob prints.
type signedBlobs struct {
	Key         string        `json:"key"`
	Fingerprint digest.Digest `json:"fingerprint"`
	Signatures  []signedBlob  `json:"signatures"`
	Failed      []failedBlob  `json:"failed,omitempty"`
}

// failedBlob is a file of which something was to be done, and could not.
type failedBlob struct {
	File  string  `json:"file"`
	Error failure `json:"error"`
}

// signBlobFlags are the flags of `ecrkit sign-blob`.
type signBlobFlags struct{ key, bundle, signature string }

func newSignBlobCommand(app *App) *cobra.Command {
	var f signBlobFlags
	cmd := &cobra.Command{
		Use:   "sign-blob FILE...",
		Short: "Sign files with a key in AWS KMS or a file",
		Long:  signBlobHelp,
		Args:  atLeast("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.signBlobs(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "the `KEY` that signs")
	flags.StringVar(&f.bundle, "bundle", "", "write the bundle to this `file` (default FILE"+blobBundleSuffix+")")
	flags.StringVar(&f.signature, "output-signature", "", "write the signature in base64 to this `file`")
	return cmd
}

// bundlePath is where the bundle of a file goes; "" is nowhere.
func (f signBlobFlags) bundlePath(file string) string {
	if f.bundle == "" && f.signature == "" {
		return file + blobBundleSuffix
	}
	return f.bundle
}

// check refuses flags that do not go with the files.
func (f signBlobFlags) check(files []string) error {
	if f.key == "" {
		return usagef("name the key: --key alias/NAME, an ARN or a file")
	}
	if (f.bundle != "" || f.signature != "") && len(files) > 1 {
		return usagef("--bundle and --output-signature are for one FILE; without them each bundle is in FILE%s", blobBundleSuffix)
	}
	for _, file := range files {
		bundle := f.bundlePath(file)
		if !isBlobPath(file) {
			if f.bundle == "" && f.signature == "" {
				return usagef("%s: name a file for the signature, with --bundle or --output-signature", file)
			}
			continue
		}
		for _, out := range []string{bundle, f.signature} {
			if out != "" && samePath(out, file) {
				return usagef("the signature of %s would replace the file; choose another path", file)
			}
		}
	}
	if f.bundle != "" && f.signature != "" && samePath(f.bundle, f.signature) {
		return usagef("--bundle and --output-signature are the same file; choose two")
	}
	return nil
}

func (app *App) signBlobs(ctx context.Context, args []string, f signBlobFlags) error {
	if err := f.check(args); err != nil {
		return err
	}
	from := app.keysFor()
	signer, err := from.signer(ctx, f.key)
	if err != nil {
		return err
	}
	from.warn(signer)
	result := signedBlobs{Key: signer.Key.Name, Fingerprint: signer.Key.Fingerprint(), Signatures: []signedBlob{}}
	var text strings.Builder
	var failures []error
	for _, file := range args {
		signed, err := app.signBlob(ctx, file, signer, f)
		if err != nil {
			failures = append(failures, err)
			result.Failed = append(result.Failed, failedBlob{file, newFailure(file, err)})
		} else {
			result.Signatures = append(result.Signatures, signed)
			text.WriteString(signedBlobText(signed))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(result.Signatures) > 0 || len(args) > 1 {
		if err := app.PrintResult(result, text.String()); err != nil {
			return err
		}
	}
	return partly(len(result.Signatures), failures)
}

// signedBlobText is a signature for people.
func signedBlobText(s signedBlob) string {
	text := fmt.Sprintf("%s  %s  signed", s.Digest, printable(s.File))
	if s.BundlePath != "" {
		text += ", bundle " + printable(s.BundlePath)
	}
	if s.SignaturePath != "" {
		text += ", signature " + printable(s.SignaturePath)
	}
	return text + "\n"
}

// signBlob signs a file. Where the signature goes is opened before the key is used.
func (app *App) signBlob(ctx context.Context, file string, signer *sign.Signer, f signBlobFlags) (signedBlob, error) {
	result := signedBlob{File: file, BundlePath: f.bundlePath(file), SignaturePath: f.signature}
	blob, closeBlob, err := app.openBlob(file)
	if err != nil {
		return result, err
	}
	defer closeBlob()
	outputs := map[string]*outputFile{}
	for _, path := range []string{result.BundlePath, result.SignaturePath} {
		if path == "" {
			continue
		}
		create := app.createOutput
		if path == result.BundlePath && f.bundle == "" {
			create = createDerived
		}
		if outputs[path], err = create(path); err != nil {
			return result, fmt.Errorf("%s cannot be written: %w", path, err)
		}
		defer outputs[path].discard()
	}
	if result.SignedBlob, err = sign.SignBlob(ctx, blob, signer); err == nil {
		err = unchanged(blob.Content)
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", file, err)
	}
	contents := map[string][]byte{
		result.BundlePath:    append(result.Bundle, '\n'),
		result.SignaturePath: []byte(base64.StdEncoding.EncodeToString(result.Signature) + "\n"),
	}
	for path, out := range outputs {
		if err := out.commit(contents[path]); err != nil {
			return result, fmt.Errorf("%s: the signature is not written: %w", file, err)
		}
	}
	return result, nil
}

// unchanged returns a [*content.ChangedError] if a file was written to while it was read to be signed or verified.
func unchanged(file io.Reader) error {
	if f, ok := file.(content.Changer); ok && f.Changed() {
		return &content.ChangedError{}
	}
	return nil
}

// openBlob opens a file that is signed or verified: a path, stdin or a digest.
func (app *App) openBlob(file string) (sign.Blob, func(), error) {
	if file == ref.StandardStream {
		return sign.Blob{Content: app.stdin()}, func() {}, nil
	}
	if !isBlobPath(file) {
		d, err := digest.Parse(file)
		if err != nil {
			return sign.Blob{}, nil, usagef("%s: there is no such file, and it is not a digest: %w", file, err)
		}
		return sign.Blob{Digest: d}, func() {}, nil
	}
	f, err := app.open(file)
	if err != nil {
		return sign.Blob{}, nil, err
	}
	return sign.Blob{Content: f}, func() { f.Close() }, nil
}

// isBlobPath reports whether file is a path, and not stdin or a digest.
func isBlobPath(file string) bool {
	if file == ref.StandardStream {
		return false
	}
	algorithm, _, ok := strings.Cut(file, ":")
	if _, err := os.Lstat(file); err == nil || !ok {
		return true
	}
	return !digest.Algorithm(algorithm).Available()
}

// samePath reports whether two paths lead to one file.
func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
