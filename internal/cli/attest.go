package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const attestHelp = `Attach a signed statement to an image: how it was built, what is in it.

  ecrkit attest HOST/app:1.2 --key alias/release --type spdxjson --predicate sbom.json
  ecrkit attest HOST/app@sha256:0123... --key release.key --type slsaprovenance1 --predicate -
  ecrkit verify HOST/app:1.2 --key release.pub --type spdxjson

TYPE is a URI or one of custom, cyclonedx, link, openvex, slsaprovenance,
slsaprovenance02, slsaprovenance1, spdx, spdxjson, vuln, as for cosign. The
predicate is one JSON value in a file, or on stdin (-). It is written as a bundle
that refers to the image. An attestation is no signature of the image: sign that
too.

` + keyHelp + `

Prints a line, or with --output json one object, as ` + "`ecrkit sign`" + ` does. The files for
pipelines (--digest-file, ...) are those of ecrkit push.`

// maxPredicate bounds a predicate, in bytes.
const maxPredicate = 64 << 20

func newAttestCommand(app *App) *cobra.Command {
	var key, kind, path string
	var annotations []string
	var force bool
	var policy policyFlags
	var files resultFiles
	cmd := &cobra.Command{
		Use:   "attest REF",
		Short: "Attach a signed statement to an image",
		Long:  attestHelp,
		Args:  arguments(0, "REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind == "" || path == "" {
				return usagef("name the statement: --type TYPE and --predicate FILE (- for stdin)")
			}
			signed, err := keyValues(annotations)
			if err != nil {
				return err
			}
			predicate := sign.Predicate{}
			if predicate.Type, err = predicateType(kind); err != nil {
				return err
			}
			references, err := app.parseReferences(args)
			if err != nil {
				return err
			}
			if predicate.Content, err = app.readPredicate(path); err != nil {
				return err
			}
			signer, _, err := app.signerFor(cmd.Context(), key, policy, references)
			if err != nil {
				return err
			}
			lockDir, err := app.signingLockDir()
			if err != nil {
				return err
			}
			options := sign.Options{Annotations: signed, Force: force, LockDir: lockDir, Now: app.Now}
			return app.sign(cmd.Context(), "attested", args, references, signer, files, func(ctx context.Context, _ ref.Reference, store sign.Store, m content.Manifest) ([]sign.Signed, error) {
				one, err := sign.Attest(ctx, store, m, signer, predicate, options)
				if err != nil {
					return nil, err
				}
				return []sign.Signed{one}, nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "the `KEY` that signs (default the policy's)")
	flags.StringVar(&kind, "type", "", "`TYPE` of the predicate")
	flags.StringVar(&path, "predicate", "", "`file` with the predicate")
	flags.StringArrayVarP(&annotations, "annotation", "a", nil, "`KEY=VALUE` to be signed with the image; may be repeated")
	flags.BoolVar(&force, "force", false, "attach it again if it exists")
	addPolicyFlag(cmd, &policy)
	inGroup(cmd, groupPipeline, func() { files.add(cmd) })
	completeValues(cmd, "type", predicateTypeNames())
	return cmd
}

// writePredicates writes what the attestations of one type say, a line each, to a file
// or to stdout.
func (app *App) writePredicates(path string, stdout io.Writer, v sign.Verification) error {
	var predicates []json.RawMessage
	for _, a := range v.Attestations {
		predicates = append(predicates, a.Predicate)
	}
	return app.writePredicate(path, stdout, predicates...)
}

// writePredicate is writePredicates for predicates that were read already; nil means none.
func (app *App) writePredicate(path string, stdout io.Writer, predicates ...json.RawMessage) error {
	var lines bytes.Buffer
	for _, p := range predicates {
		if p == nil {
			continue
		}
		if err := json.Compact(&lines, p); err != nil {
			return err
		}
		lines.WriteByte('\n')
	}
	if path == ref.StandardStream {
		_, err := stdout.Write(lines.Bytes())
		return err
	}
	return app.writeOutput(path, lines.Bytes())
}

// readPredicate reads one JSON value from a file, or from stdin.
func (app *App) readPredicate(path string) (json.RawMessage, error) {
	in, name := app.stdin(), "stdin"
	if path != ref.StandardStream {
		f, err := app.openText(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, path
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPredicate+1))
	switch {
	case err == nil && len(data) > maxPredicate:
		err = fmt.Errorf("a predicate has at most %d bytes", maxPredicate)
	case err == nil && !json.Valid(data):
		err = errors.New("a predicate is one JSON value, and this is not")
	}
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	return data, nil
}
