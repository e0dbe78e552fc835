package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/minisign"
	"github.com/ecrkit/ecrkit/mirror/media"
	"github.com/ecrkit/ecrkit/sign"
)

// addSetKeyFlag adds the keys that a set must be signed with.
func addSetKeyFlag(cmd *cobra.Command, keys *[]string) {
	inGroup(cmd, groupTrust, func() {
		cmd.Flags().StringArrayVar(keys, "key", nil, "require that the set is signed by this `KEY`; may be repeated: by one of them")
	})
}

// setSigner signs the description of a set.
type setSigner struct {
	key  string // its name
	file string // the name of the signature in the set
	sign func(ctx context.Context, set []byte) ([]byte, error)
}

// setSigner opens the key that signs a set; nil if there is none.
func (app *App) setSigner(ctx context.Context, name string) (*setSigner, error) {
	if name == "" {
		return nil, nil
	}
	from := app.keysFor()
	if secret, ok, err := from.minisignSecret(ctx, name); ok || err != nil {
		return &setSigner{name, media.MinisignFile, func(_ context.Context, set []byte) ([]byte, error) {
			return secret.Sign(media.SetFile, set, app.Now()), nil
		}}, err
	}
	signer, err := from.signer(ctx, name)
	if err != nil {
		return nil, err
	}
	from.warn(signer)
	return &setSigner{signer.Key.Name, media.SignatureFile, func(ctx context.Context, set []byte) ([]byte, error) {
		signed, err := sign.SignBlob(ctx, sign.Blob{Content: bytes.NewReader(set)}, signer)
		return append(signed.Bundle, '\n'), err
	}}, nil
}

// signSet signs the description of a set in a directory.
func (app *App) signSet(ctx context.Context, dir string, signer *setSigner) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the set is complete, but not signed: %w", err)
		}
	}()
	path := filepath.Join(dir, media.SetFile)
	set, err := files.Read(path, media.MaxSetFile)
	if err != nil {
		return err
	}
	signature, err := signer.sign(ctx, set)
	if err != nil {
		return err
	}
	if err := files.WriteFile(filepath.Join(dir, signer.file), signature, 0o666); err != nil {
		return err
	}
	app.Messagef("signed %s with %s", path, signer.key)
	return nil
}

// setOptions are how a set is read that has to be signed by one of the keys, if there are any.
func (app *App) setOptions(ctx context.Context, names []string) (media.ReadOptions, error) {
	if len(names) == 0 {
		return media.ReadOptions{}, nil
	}
	from := app.keysFor()
	var mini []minisign.PublicKey
	var others []string
	for _, name := range names {
		key, ok, err := from.minisignPublic(name)
		switch {
		case err != nil:
			return media.ReadOptions{}, err
		case ok:
			mini = append(mini, key)
		default:
			others = append(others, name)
		}
	}
	keys, err := from.publicKeys(ctx, others)
	if err != nil {
		return media.ReadOptions{}, err
	}
	return media.ReadOptions{Verify: func(set, signature []byte) error {
		switch {
		case signature == nil:
			return fmt.Errorf("%w: the set is not signed", sign.ErrUntrusted)
		case minisign.IsFile(signature):
			return verifyMinisign(mini, set, signature)
		case len(keys) == 0:
			return fmt.Errorf("%w: the set is signed with a Sigstore bundle, and --key names only keys of minisign", sign.ErrUntrusted)
		}
		_, err := sign.VerifyBlob(ctx, sign.Blob{Content: bytes.NewReader(set)}, signature, sign.BlobRequirements{Keys: keys})
		return err
	}}, nil
}

// verifyMinisign returns an error unless a signature is by one of the keys.
func verifyMinisign(keys []minisign.PublicKey, set, signature []byte) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: the set is signed with minisign, and --key names no key of minisign", sign.ErrUntrusted)
	}
	var err error
	for _, key := range keys {
		if err = key.Verify(set, signature); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", sign.ErrUntrusted, err)
}
