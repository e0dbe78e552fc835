package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/sign"
)

const attestBlobHelp = `Write a signed statement about files: how they were built, what is in them.

  ecrkit attest-blob app.tar.gz --key alias/release --type slsaprovenance1 \
    --predicate provenance.json --bundle app.provenance.sigstore.json
  ecrkit attest-blob dist/*.tar.gz --key release.key --type slsaprovenance1 \
    --predicate - --bundle provenance.sigstore.json
  ecrkit verify-blob app.tar.gz --key release.pub --type slsaprovenance1 \
    --bundle app.provenance.sigstore.json

TYPE is a URI or one of custom, cyclonedx, link, openvex, slsaprovenance,
slsaprovenance02, slsaprovenance1, spdx, spdxjson, vuln, as for cosign. The
predicate is one JSON object in a file, or on stdin (-). The statement is about all
FILE, and is written to one Sigstore bundle, which cosign verify-blob-attestation
verifies too. An attestation is not a signature of a file.

` + keyHelp + `
The password of an encrypted file is $COSIGN_PASSWORD, or is asked for.

Prints a line for each file, or with --output json one object: key, fingerprint,
predicateType, bundle (the path) and files (file, digest).`

// attestedBlobs is the JSON form of what attest-blob prints.
type attestedBlobs struct {
	Key           string         `json:"key"`
	Fingerprint   digest.Digest  `json:"fingerprint"`
	PredicateType string         `json:"predicateType"`
	BundlePath    string         `json:"bundle"`
	Files         []attestedBlob `json:"files"`
}

type attestedBlob struct {
	File   string        `json:"file"` // as it was given
	Digest digest.Digest `json:"digest"`
}

func newAttestBlobCommand(app *App) *cobra.Command {
	var key, kind, predicate, bundle string
	cmd := &cobra.Command{
		Use:   "attest-blob FILE...",
		Short: "Write a signed statement about files",
		Long:  attestBlobHelp,
		Args:  atLeast("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case key == "":
				return usagef("name the key: --key alias/NAME, an ARN or a file")
			case kind == "" || predicate == "":
				return usagef("name the statement: --type TYPE and --predicate FILE (- for stdin)")
			case bundle == "":
				return usagef("name the file for the statement: --bundle FILE")
			}
			for _, file := range append(args, predicate) {
				if samePath(bundle, file) {
					return usagef("the bundle would replace %s; choose another path", file)
				}
			}
			p := sign.Predicate{}
			var err error
			if p.Type, err = predicateType(kind); err != nil {
				return err
			}
			if p.Content, err = app.readPredicate(predicate); err != nil {
				return err
			}
			return app.attestBlobs(cmd.Context(), args, key, p, bundle)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "the `KEY` that signs")
	flags.StringVar(&kind, "type", "", "`TYPE` of the predicate")
	flags.StringVar(&predicate, "predicate", "", "`file` with the predicate")
	flags.StringVar(&bundle, "bundle", "", "write the bundle to this `file`")
	completeValues(cmd, "type", predicateTypeNames())
	return cmd
}

func (app *App) attestBlobs(ctx context.Context, args []string, key string, p sign.Predicate, bundle string) error {
	from := app.keysFor()
	signer, err := from.signer(ctx, key)
	if err != nil {
		return err
	}
	from.warn(signer)
	result := attestedBlobs{Key: signer.Key.Name, Fingerprint: signer.Key.Fingerprint(), PredicateType: p.Type, BundlePath: bundle}
	var subjects []sign.BlobSubject
	var text strings.Builder
	for _, file := range args {
		d, err := fileDigest(ctx, file)
		if err != nil {
			return err
		}
		subjects = append(subjects, sign.BlobSubject{Name: filepath.Base(file), Digest: d})
		result.Files = append(result.Files, attestedBlob{file, d})
		fmt.Fprintf(&text, "%s  %s  attested, bundle %s\n", d, printable(file), printable(bundle))
	}
	out, err := app.createOutput(bundle)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", bundle, err)
	}
	defer out.discard()
	data, err := sign.AttestBlobs(ctx, subjects, signer, p)
	if err != nil {
		return err
	}
	if err := out.commit(append(data, '\n')); err != nil {
		return fmt.Errorf("%s cannot be written: %w", bundle, err)
	}
	return app.PrintResult(result, text.String())
}

// fileDigest is the SHA-256 of a file.
func fileDigest(ctx context.Context, path string) (digest.Digest, error) {
	f, err := files.Open(ctx, path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	digester := digest.SHA256.Digester()
	if _, err := io.Copy(digester.Hash(), f); err != nil {
		return "", err
	}
	if err := unchanged(f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return digester.Digest(), nil
}
