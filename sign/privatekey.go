package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// ErrPassword is wrapped by errors about an encrypted key without a password, or with a wrong one.
var ErrPassword = errors.New("the password does not open it")

// ErrEncryption is wrapped by errors about a key that is encrypted as openssl does it.
var ErrEncryption = errors.New("it is encrypted in another way than cosign's")

// ErrNoPrivateKey is wrapped by errors about data without a private key that can sign.
var ErrNoPrivateKey = errors.New("there is no private key in PEM in it")

const (
	maxPrivateKey = 16 << 10 // of a file, in bytes: an encrypted key of RSA 8192 has 9 KiB
	maxRSABits    = 8192
)

// ParsePrivateKey reads a private key in PEM: one that cosign has encrypted, which is what
// `cosign generate-key-pair` writes, or PKCS#8, SEC 1 and PKCS#1 without encryption. Only for an
// encrypted key is password called; it may be nil. name is for messages.
//
// An ECDSA key signs with the hash of its curve (SHA-256, SHA-384, SHA-512 for P-256, P-384, P-521), an
// RSA key with PKCS #1 v1.5 and SHA-256. The signer is a signature.Verifier too.
func ParsePrivateKey(name string, data []byte, password func() ([]byte, error)) (signature.Signer, error) {
	private, err := parsePrivateKey(data, password)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	hash, err := hashOf(private)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	signer, err := signature.LoadSignerVerifier(private, hash)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return signer, nil
}

func parsePrivateKey(data []byte, password func() ([]byte, error)) (crypto.PrivateKey, error) {
	if len(data) > maxPrivateKey {
		return nil, fmt.Errorf("more than %d bytes is no private key", maxPrivateKey)
	}
	block, rest := pem.Decode(data)
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them first
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, ErrNoPrivateKey
	}
	if block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, ErrEncryption
	}
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		return decryptPrivateKey(block.Bytes, password)
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return nil, fmt.Errorf("it has a %s; signing needs the private key", block.Type)
	}
	return nil, fmt.Errorf("%w that can sign, but a block of the type %.100q", ErrNoPrivateKey, block.Type)
}

// decryptPrivateKey opens what cosign has encrypted: PKCS#8 in a box of NaCl, whose key comes from the
// password by scrypt, of which only three sets of parameters are taken.
func decryptPrivateKey(box []byte, password func() ([]byte, error)) (crypto.PrivateKey, error) {
	if password == nil {
		return nil, fmt.Errorf("it is encrypted, and no password was given: %w", ErrPassword)
	}
	secret, err := password()
	if err != nil {
		return nil, fmt.Errorf("its password: %w", err)
	}
	der, err := encrypted.Decrypt(box, secret)
	if err != nil {
		return nil, fmt.Errorf("%w, or it is damaged (%w)", ErrPassword, err)
	}
	defer clear(der)
	return x509.ParsePKCS8PrivateKey(der)
}

// hashOf refuses keys with which images are not signed.
func hashOf(private crypto.PrivateKey) (crypto.Hash, error) {
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		switch private.Curve {
		case elliptic.P256():
			return crypto.SHA256, nil
		case elliptic.P384():
			return crypto.SHA384, nil
		case elliptic.P521():
			return crypto.SHA512, nil
		}
		return 0, fmt.Errorf("ECDSA with the curve %s signs no images; use P-256", private.Curve.Params().Name)
	case *rsa.PrivateKey:
		if n := private.N.BitLen(); n < minRSABits || n > maxRSABits {
			return 0, fmt.Errorf("RSA of %d bits signs no images; use %d to %d bits, or ECDSA P-256", n, minRSABits, maxRSABits)
		}
		return crypto.SHA256, nil
	case ed25519.PrivateKey:
		return 0, nil // it has its own
	}
	return 0, fmt.Errorf("a key of the type %T signs no images; use ECDSA P-256", private)
}

// GenerateKeyPair makes an ECDSA key of the curve P-256: the private key, encrypted with the password
// as cosign does, and the public key, both in PEM. An empty password is a password.
func GenerateKeyPair(password []byte) (private, public []byte, err error) {
	return cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), func(bool) ([]byte, error) {
		return append([]byte{}, password...), nil // nil would be no encryption
	})
}
