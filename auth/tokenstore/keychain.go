package tokenstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// Keychain is the [Sealer] whose key is kept by a docker credential helper: in
// pass, the Secret Service, the macOS keychain or the Windows Credential Manager.
// (The token itself would be too long for the last one.) Tokens are encrypted by
// AES-256-GCM. Its errors wrap [ErrKeychain].
type Keychain struct {
	Name    string             // "pass" for docker-credential-pass
	Dir     string             // of the Store, where the lock for making the key is
	Program client.ProgramFunc // runs the helper; nil runs docker-credential-NAME

	once sync.Once
	aead cipher.AEAD
	err  error
}

// The item of the keychain. The host does not exist (RFC 2606).
const (
	keychainURL  = "https://token-cache.ecrkit.invalid"
	keychainUser = "ecrkit"
)

// Seal encrypts; a key that does not exist yet is made.
func (k *Keychain) Seal(plaintext, aad []byte) ([]byte, error) {
	aead, err := k.cipher()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plaintext, aad), nil
}

// Open decrypts what Seal returned. What was sealed with another key is an error.
func (k *Keychain) Open(sealed, aad []byte) ([]byte, error) {
	aead, err := k.cipher()
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("too short to be encrypted")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], aad)
}

func (k *Keychain) cipher() (cipher.AEAD, error) {
	k.once.Do(func() {
		var key []byte
		if key, k.err = k.key(); k.err != nil {
			k.err = fmt.Errorf("%w: docker-credential-%s (cache.keychain: %s): %w", ErrKeychain, k.Name, k.Name, k.err)
			return
		}
		block, err := aes.NewCipher(key)
		if err == nil {
			k.aead, err = cipher.NewGCM(block)
		}
		k.err = err
	})
	return k.aead, k.err
}

// key reads the key, or makes one: one process at a time.
func (k *Keychain) key() ([]byte, error) {
	key, err := k.read()
	if err == nil || !credentials.IsErrCredentialsNotFound(err) {
		return key, err
	}
	directory := filepath.Join(k.Dir, "v1")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		lock, err := lockFile(filepath.Join(directory, "keychain"+lockExt))
		if err == nil {
			defer lock.Unlock()
			break
		}
		if !errors.Is(err, ErrLocked) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("another process does not finish making the key")
		case <-time.After(20 * time.Millisecond):
		}
	}
	if key, err = k.read(); err == nil || !credentials.IsErrCredentialsNotFound(err) {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	item := &credentials.Credentials{ServerURL: keychainURL, Username: keychainUser, Secret: base64.StdEncoding.EncodeToString(key)}
	if err := client.Store(k.program(), item); err != nil {
		return nil, fmt.Errorf("%w; see that the program is installed and its store is unlocked", err)
	}
	return key, nil
}

func (k *Keychain) program() client.ProgramFunc {
	if k.Program != nil {
		return k.Program
	}
	return client.NewShellProgramFunc("docker-credential-" + k.Name)
}

func (k *Keychain) read() ([]byte, error) {
	item, err := client.Get(k.program(), keychainURL)
	if credentials.IsErrCredentialsNotFound(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w; see that the program is installed and its store is unlocked", err)
	}
	key, err := base64.StdEncoding.DecodeString(item.Secret)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("its item %s is no key of 32 bytes; erase it", keychainURL)
	}
	return key, nil
}
