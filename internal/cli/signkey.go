package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/term"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/sign/awskms"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// keyHelp explains in the help of commands how keys are named.
const keyHelp = `KEY is a key of AWS KMS (alias/NAME, its ARN, or awskms:///... as cosign writes it),
a file in PEM, or env://NAME, an environment variable with such PEM.`

const (
	// passwordVariable has the password of an encrypted key, as for cosign.
	passwordVariable = "COSIGN_PASSWORD"
	// environmentKey begins the name of a key or file that is in an environment variable.
	environmentKey = "env://"
	// maxKeyFile bounds a key in PEM, in bytes.
	maxKeyFile = 1 << 20
)

// keys loads the keys of one command, each of KMS once.
type keys struct {
	app *App
	// near is the registry for whose images they are; see kmsConfig.
	near auth.Registry
	kms  map[string]*sign.Signer // that were loaded
	// warned has the fingerprints of keys about which was warned.
	warned map[digest.Digest]bool
}

// keysFor prepares to load the keys of a command that is about references.
func (app *App) keysFor(references ...ref.Reference) *keys {
	return &keys{app: app, near: firstECR(references...), kms: map[string]*sign.Signer{}, warned: map[digest.Digest]bool{}}
}

// signer loads a key that signs, and asks it for its public half.
func (k *keys) signer(ctx context.Context, name string) (*sign.Signer, error) {
	if sign.IsKMSReference(name) {
		return k.fromKMS(ctx, name)
	}
	pem, err := k.pem(name)
	if err != nil {
		return nil, err
	}
	return k.fromPEM(ctx, name, pem)
}

// public loads a key with which signatures are checked. In a file it must be a
// public one: where images are verified there should be no other.
func (k *keys) public(ctx context.Context, name string) (*sign.Key, error) {
	if sign.IsKMSReference(name) {
		return k.publicHalf(ctx, name)
	}
	pem, err := k.pem(name)
	if err != nil {
		return nil, err
	}
	if isPrivate(pem) {
		return nil, usagef("key %s is a private key; use the public one, which `ecrkit public-key %s` prints", name, name)
	}
	return parsePublic(name, pem)
}

// parsePublic reads a public key that the command line names; what is none is a mistake there.
func parsePublic(name string, pem []byte) (*sign.Key, error) {
	if err := notForImages(name, pem); err != nil {
		return nil, err
	}
	key, err := sign.ParsePublicKey(name, pem)
	if err != nil {
		return nil, usageError{err}
	}
	return key, nil
}

// publicHalf loads the public key of any key.
func (k *keys) publicHalf(ctx context.Context, name string) (*sign.Key, error) {
	var signer *sign.Signer
	var err error
	if sign.IsKMSReference(name) {
		signer, err = k.fromKMS(ctx, name)
	} else {
		var pem []byte
		if pem, err = k.pem(name); err == nil && !isPrivate(pem) {
			return parsePublic(name, pem)
		}
		if err == nil {
			signer, err = k.fromPEM(ctx, name, pem)
		}
	}
	if err != nil {
		return nil, err
	}
	return signer.Key, nil
}

// fromPEM takes a private key, whose password is asked for if it is encrypted.
func (k *keys) fromPEM(ctx context.Context, name string, pem []byte) (*sign.Signer, error) {
	if err := notForImages(name, pem); err != nil {
		return nil, err
	}
	var missing error
	private, err := sign.ParsePrivateKey(name, pem, func() ([]byte, error) {
		if missing = k.findCredentials(ctx); missing != nil {
			return nil, missing
		}
		return k.app.password(ctx, name)
	})
	if missing != nil {
		return nil, missing // it is not the key's fault
	}
	if err != nil {
		if !isPrivate(pem) || errors.Is(err, sign.ErrNoPrivateKey) {
			return nil, usageError{err}
		}
		return nil, err
	}
	return sign.NewSigner(ctx, name, private)
}

// findCredentials finds the AWS credentials with which the images of an encrypted key are reached. Without any it would be
// in vain to ask for the password, and to wait for the key that is derived from it.
func (k *keys) findCredentials(ctx context.Context) error {
	if k.near.Host == "" || k.near.Public {
		return nil
	}
	cfg, err := k.app.awsConfig(ctx, k.near)
	if err != nil {
		return err
	}
	_, err = cfg.Credentials.Retrieve(ctx)
	return auth.Explain(k.near, err)
}

func (k *keys) fromKMS(ctx context.Context, name string) (*sign.Signer, error) {
	if signer := k.kms[name]; signer != nil {
		return signer, nil
	}
	reference, err := sign.ParseKMSReference(name)
	if err != nil {
		return nil, usageError{err}
	}
	cfg, err := k.app.kmsConfig(ctx, k.near)
	if err != nil {
		return nil, fmt.Errorf("KMS key %s: %w", reference.Key, err)
	}
	signer, err := sign.NewSigner(ctx, name, awskms.New(cfg, reference))
	if err != nil {
		return nil, err
	}
	k.kms[name] = signer
	return signer, nil
}

func isPrivate(pem []byte) bool { return bytes.Contains(pem, []byte("PRIVATE KEY-----")) }

// pem reads a key in PEM.
func (k *keys) pem(name string) ([]byte, error) {
	if variable, ok := strings.CutPrefix(name, environmentKey); ok {
		value, _ := k.app.Env(variable)
		if value == "" {
			return nil, usagef("key %s: there is no %s in the environment", name, variable)
		}
		return []byte(value), nil
	}
	f, err := k.app.openText(name)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, `./\`) {
		return nil, fmt.Errorf("key %s: %w; a key of AWS KMS is alias/%[1]s", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(pem) > maxKeyFile {
		err = errors.New("it is larger than any key")
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return pem, nil
}

// password returns the password of an encrypted key: from the environment, or from
// whoever sits at the terminal.
func (app *App) password(ctx context.Context, key string) ([]byte, error) {
	if password, ok := app.Env(passwordVariable); ok {
		return []byte(password), nil
	}
	stdin, ok := app.Stdin.(*os.File)
	if !ok || !app.Interactive {
		return nil, fmt.Errorf("it is encrypted; set %s to its password", passwordVariable)
	}
	state, err := term.GetState(int(stdin.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(app.Stderr, "Password of %s: ", key)
	type answer struct {
		password []byte
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		password, err := readPassword(stdin)
		if err == io.EOF {
			err = errors.New("no password was typed")
		}
		answers <- answer{password, err}
	}()
	select {
	case a := <-answers:
		fmt.Fprintln(app.Stderr)
		return a.password, a.err
	case <-ctx.Done():
		// The reader continues until the process ends, but the terminal shows again
		// what is typed.
		fmt.Fprintln(app.Stderr)
		return nil, errors.Join(ctx.Err(), term.Restore(int(stdin.Fd()), state))
	}
}

// warn reports, once, when signatures of a key are not verified everywhere.
func (k *keys) warn(signer *sign.Signer) {
	warning := signer.Warning()
	if warning != "" && !k.warned[signer.Key.Fingerprint()] {
		k.warned[signer.Key.Fingerprint()] = true
		k.app.Messagef("warning: %s", warning)
	}
}
