package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Key is a public key with which signatures are checked.
type Key struct {
	// Name is how messages call it: a path, an ARN.
	Name   string
	Public crypto.PublicKey
	der    []byte // SubjectPublicKeyInfo
}

// NewKey takes a public key: ECDSA on P-256, P-384 or P-521, RSA of at least 2048
// bits, or Ed25519.
func NewKey(name string, public crypto.PublicKey) (*Key, error) {
	if len(algorithmsOf(public)) == 0 {
		return nil, fmt.Errorf("key %s: it is not of a kind that signs images: ECDSA on P-256, P-384 or P-521, RSA of at least %d bits, or Ed25519", name, minRSABits)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return &Key{Name: name, Public: public, der: der}, nil
}

// ErrNoPublicKey is wrapped by errors about data without a public key.
var ErrNoPublicKey = errors.New("there is no public key in PEM in it")

// ParsePublicKey reads a public key in PEM, SubjectPublicKeyInfo or PKCS#1. Of several
// keys in data none is taken: nobody could tell which of them counts.
func ParsePublicKey(name string, data []byte) (*Key, error) {
	public, err := parsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return NewKey(name, public)
}

func parsePublicKey(data []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, ErrNoPublicKey
	}
	if other, _ := pem.Decode(rest); other != nil {
		return nil, errors.New("there are several keys or certificates in it; give each public key in a file of its own")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("%w, but a block of the type %.100q", ErrNoPublicKey, block.Type)
}

// Fingerprint is the SHA-256 of the key's SubjectPublicKeyInfo. Two keys are the
// same if their fingerprints are.
func (k *Key) Fingerprint() digest.Digest { return digest.FromBytes(k.der) }

// hint is what a bundle says of the key that signed it.
func (k *Key) hint() string {
	sum := sha256.Sum256(k.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Signer signs with one key.
type Signer struct {
	Key    *Key
	signer signature.Signer
}

// KeyError is an error of a signer whose text names the key, as those of package awskms do: the name
// of the signer is not put in front of it.
type KeyError interface {
	error
	// KeyName returns the key as the signer names it.
	KeyName() string
}

// KMSKey is a signer whose key is in AWS KMS: [Signer.Warning] warns if cosign may not verify by
// the reference. The Key of package awskms is one.
type KMSKey interface {
	signature.Signer
	KMSReference() KMSReference
}

// NewSigner takes any signer of sigstore: a key in memory, in a file or in a key
// management service. It asks it for the public key, once.
func NewSigner(ctx context.Context, name string, s signature.Signer) (*Signer, error) {
	if s == nil {
		return nil, fmt.Errorf("key %s: there is no signer", name)
	}
	public, err := s.PublicKey(options.WithContext(ctx))
	if errors.As(err, new(KeyError)) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	key, err := NewKey(name, public)
	if err != nil {
		return nil, err
	}
	return &Signer{Key: key, signer: s}, nil
}

// sign signs message, which the signer hashes unless opts have its hash.
func (s *Signer) sign(ctx context.Context, message []byte, opts ...signature.SignOption) ([]byte, error) {
	sig, err := s.signer.SignMessage(bytes.NewReader(message), append(opts, options.WithContext(ctx))...)
	if errors.As(err, new(KeyError)) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("signing with key %s: %w", s.Key.Name, err)
	}
	return sig, nil
}
