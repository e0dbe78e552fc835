package cli

import (
	"crypto/x509"
	"encoding/pem"

	"github.com/spf13/cobra"
)

const publicKeyHelp = `Print the public half of a key in PEM, for those who verify.

  ecrkit public-key alias/release > release.pub
  ecrkit public-key release.key --output json | jq -r .fingerprint

` + keyHelp + `
The password of an encrypted file is $COSIGN_PASSWORD, or is asked for.

With --output json one object: key, fingerprint (sha256:... of the key's
SubjectPublicKeyInfo, as policies and ` + "`ecrkit tree`" + ` have it), pem.`

// publicKey is the JSON form of what public-key prints.
type publicKey struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
	PEM         string `json:"pem"`
}

func newPublicKeyCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "public-key KEY",
		Short: "Print the public key of a signing key",
		Long:  publicKeyHelp,
		Args:  arguments(0, "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := app.keysFor().publicHalf(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKIXPublicKey(key.Public)
			if err != nil {
				return err
			}
			text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			return app.PrintResult(publicKey{args[0], string(key.Fingerprint()), text}, text)
		},
	}
}
