// Package minisign signs files and verifies signatures in the format of minisign.
package minisign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"aead.dev/minisign"
)

// Errors about keys and signatures.
var (
	ErrPassword = errors.New("the password does not open it, or it is damaged")
	ErrSecret   = errors.New("it is a secret key of minisign; use the public one, in the file that ends in .pub")
	ErrPublic   = errors.New("it is a public key of minisign; signing needs the secret one")
	ErrUnsigned = errors.New("it is not signed with this minisign key")
)

const (
	comment   = "untrusted comment:" // begins all files of minisign
	publicLen = 56                   // of the second line of a public key
)

// IsFile reports whether data is a key or a signature of minisign.
func IsFile(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte(comment)) }

// lines returns the two lines of a key.
func lines(data []byte) (first, second string) {
	first, rest, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	second, _, _ = strings.Cut(strings.TrimSpace(rest), "\n")
	return strings.TrimSpace(first), strings.TrimSpace(second)
}

// normal returns a key without what an editor may have added.
func normal(data []byte) []byte {
	first, second := lines(data)
	return []byte(strings.Replace(first, comment, comment+" ", 1) + "\n" + second)
}

func isPublic(data []byte) bool {
	_, second := lines(data)
	return len(second) == publicLen
}

// PublicKey is a key with which signatures are verified.
type PublicKey struct{ key minisign.PublicKey }

// ParsePublicKey reads the content of a .pub file. The error wraps [ErrSecret] if data is the secret key.
func ParsePublicKey(data []byte) (PublicKey, error) {
	if !isPublic(data) {
		if _, err := (secretKey{data}).open(nil); err == nil || errors.Is(err, ErrPassword) {
			return PublicKey{}, ErrSecret
		}
	}
	var k PublicKey
	return k, k.key.UnmarshalText(normal(data))
}

// Verify returns an error that wraps [ErrUnsigned] unless signature, the content of a .minisig file, is one of message by k.
func (k PublicKey) Verify(message, signature []byte) error {
	if !minisign.Verify(k.key, message, signature) {
		return ErrUnsigned
	}
	return nil
}

// SecretKey is a key that signs.
type SecretKey struct{ key minisign.PrivateKey }

// ParseSecretKey reads the content of a secret key. Only for an encrypted one is password called. The error wraps
// [ErrPassword] if that does not open it, and [ErrPublic] if data is the public key.
func ParseSecretKey(data []byte, password func() ([]byte, error)) (SecretKey, error) {
	if isPublic(data) {
		return SecretKey{}, ErrPublic
	}
	key, err := secretKey{data}.open(password)
	return SecretKey{key}, err
}

// secretKey is the content of a file.
type secretKey struct{ data []byte }

// open decrypts the key, if it has to. A nil password is none: the error wraps ErrPassword.
func (k secretKey) open(password func() ([]byte, error)) (key minisign.PrivateKey, err error) {
	text := normal(k.data)
	if !minisign.IsEncrypted(text) {
		err = key.UnmarshalText(text)
		return key, err
	}
	if password == nil {
		return key, ErrPassword
	}
	secret, err := password()
	if err != nil {
		return key, err
	}
	if key, err = minisign.DecryptKey(string(secret), text); err != nil {
		return key, fmt.Errorf("%w (%w)", ErrPassword, err)
	}
	return key, nil
}

// Sign returns the content of the .minisig file of a file with this name and content. The comment that it signs too is that of the
// minisign command.
func (k SecretKey) Sign(name string, message []byte, at time.Time) []byte {
	r := minisign.NewReader(bytes.NewReader(message))
	_, _ = io.Copy(io.Discard, r) // which cannot fail, and hashes it
	return r.SignWithComments(k.key, fmt.Sprintf("timestamp:%d\tfile:%s\thashed", at.Unix(), name), "signature from minisign secret key")
}
