package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/sign"
)

// addSetKeyFlag adds the keys that a set must be signed with.
func addSetKeyFlag(cmd *cobra.Command, keys *[]string) {
	inGroup(cmd, groupTrust, func() {
		cmd.Flags().StringArrayVar(keys, "key", nil, "require that the set is signed by this `KEY`; may be repeated: by one of them")
	})
}

// setSigner opens the key that signs a set; nil if there is none.
func (app *App) setSigner(ctx context.Context, key string) (*sign.Signer, error) {
	if key == "" {
		return nil, nil
	}
	from := app.keysFor()
	signer, err := from.signer(ctx, key)
	if err == nil {
		from.warn(signer)
	}
	return signer, err
}

// signSet signs the description of a set.
func (app *App) signSet(ctx context.Context, dir string, signer *sign.Signer) error {
	path := filepath.Join(dir, media.SetFile)
	signed, err := app.signBlob(ctx, path, signer, signBlobFlags{bundle: filepath.Join(dir, media.SignatureFile)})
	if err != nil {
		return fmt.Errorf("the set is complete, but not signed: %w", err)
	}
	app.Messagef("signed %s with %s", signed.File, signer.Key.Name)
	return nil
}

// signDescription signs the description of a set in one file.
func signDescription(signer *sign.Signer) func(ctx context.Context, set []byte) ([]byte, error) {
	return func(ctx context.Context, set []byte) ([]byte, error) {
		signed, err := sign.SignBlob(ctx, sign.Blob{Content: bytes.NewReader(set)}, signer)
		return signed.Bundle, err
	}
}

// setOptions are how a set is read that has to be signed by one of the keys, if there are any.
func (app *App) setOptions(ctx context.Context, names []string) (media.ReadOptions, error) {
	if len(names) == 0 {
		return media.ReadOptions{}, nil
	}
	keys, err := app.keysFor().publicKeys(ctx, names)
	if err != nil {
		return media.ReadOptions{}, err
	}
	return media.ReadOptions{Verify: func(set, signature []byte) error {
		if signature == nil {
			return fmt.Errorf("%w: the set is not signed", sign.ErrUntrusted)
		}
		_, err := sign.VerifyBlob(ctx, sign.Blob{Content: bytes.NewReader(set)}, signature, sign.BlobRequirements{Keys: keys})
		return err
	}}, nil
}
