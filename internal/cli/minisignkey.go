package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/internal/minisign"
	"github.com/ecrkit/ecrkit/sign"
)

// minisignFile returns the content of a key of minisign; ok is false if it is another one.
func (k *keys) minisignFile(name string) (data []byte, ok bool, err error) {
	if sign.IsKMSReference(name) {
		return nil, false, nil
	}
	data, err = k.pem(name)
	return data, err == nil && minisign.IsFile(data), err
}

// minisignSecret opens a secret key of minisign; ok is false if it is another key.
func (k *keys) minisignSecret(ctx context.Context, name string) (key minisign.SecretKey, ok bool, err error) {
	data, ok, err := k.minisignFile(name)
	if err != nil || !ok {
		return key, false, err
	}
	key, err = minisign.ParseSecretKey(data, func() ([]byte, error) {
		password, err := k.app.password(ctx, name)
		if err == nil {
			k.app.Messagef("opening %s; minisign has made this take some seconds, and up to 1 GiB of memory", showFile(name))
		}
		return password, err
	})
	switch {
	case errors.Is(err, minisign.ErrPublic):
		err = usagef("key %s: %w", name, err)
	case err != nil:
		err = fmt.Errorf("key %s: %w", name, err)
	}
	return key, true, err
}

// minisignPublic reads a public key of minisign; ok is false if it is another key.
func (k *keys) minisignPublic(name string) (key minisign.PublicKey, ok bool, err error) {
	data, ok, err := k.minisignFile(name)
	if err != nil || !ok {
		return key, false, err
	}
	if key, err = minisign.ParsePublicKey(data); err != nil {
		return key, true, usagef("key %s: %w", name, err)
	}
	return key, true, nil
}

// notForImages refuses a key of minisign where images and files are signed or verified.
func notForImages(name string, data []byte) error {
	if minisign.IsFile(data) {
		return usagef("key %s is a key of minisign, with which only sets of ecrkit mirror are signed; use a key of AWS KMS or in PEM", name)
	}
	return nil
}
