package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/sign"
)

const generateKeyPairHelp = `Make a key that signs, in a file, where there is no AWS KMS.

  ecrkit generate-key-pair release
  ecrkit sign HOST/app:1.2 --key release.key
  ecrkit verify HOST/app:1.2 --key release.pub

Writes NAME.key, an ECDSA P-256 key encrypted as cosign does, which cosign signs with
too, and NAME.pub, its public key in PEM. No file is replaced. The password is
$COSIGN_PASSWORD, or is asked for twice.

Prints the paths and the fingerprint, or with --output json one object: privateKey,
publicKey, fingerprint.`

// keyPair is the JSON form of what generate-key-pair prints.
type keyPair struct {
	PrivateKey  string `json:"privateKey"` // a path
	PublicKey   string `json:"publicKey"`  // a path
	Fingerprint string `json:"fingerprint"`
}

func newGenerateKeyPairCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "generate-key-pair NAME",
		Short: "Create a signing key in a file",
		Long:  generateKeyPairHelp,
		Args:  arguments(0, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			pair := keyPair{PrivateKey: args[0] + ".key", PublicKey: args[0] + ".pub"}
			for _, path := range []string{pair.PrivateKey, pair.PublicKey} {
				if err := checkFileName(path); err != nil {
					return err
				}
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					return usagef("%s already exists; choose another NAME, or move it away", path)
				}
			}
			password, err := app.newPassword(cmd.Context(), filepath.Base(pair.PrivateKey))
			if err != nil {
				return err
			}
			private, public, err := sign.GenerateKeyPair(password)
			if err != nil {
				return err
			}
			key, err := sign.ParsePublicKey(pair.PublicKey, public)
			if err != nil {
				return err
			}
			if err := writeNew(pair.PrivateKey, private, 0o600); err != nil {
				return err
			}
			if err := writeNew(pair.PublicKey, public, 0o644); err != nil {
				return errors.Join(err, os.Remove(pair.PrivateKey))
			}
			pair.Fingerprint = string(key.Fingerprint())
			return app.PrintResult(pair, pair.PrivateKey+"\n"+pair.PublicKey+"  "+pair.Fingerprint+"\n")
		},
	}
}

// newPassword returns the password for a new key: from the environment, or what was
// typed twice.
func (app *App) newPassword(ctx context.Context, key string) ([]byte, error) {
	_, given := app.Env(passwordVariable)
	if !given && !app.Interactive {
		return nil, usagef("%s is to be encrypted; set %s to the password that it gets", key, passwordVariable)
	}
	password, err := app.password(ctx, key)
	if err != nil || given {
		return password, err
	}
	again, err := app.password(ctx, key+" again")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(password, again) {
		return nil, errors.New("the two passwords differ; nothing was written")
	}
	return password, nil
}

// writeNew writes a file that must not be there.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := files.Create(path, mode)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.CommitNew()
}
