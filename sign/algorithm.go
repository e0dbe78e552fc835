package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"

	"github.com/sigstore/sigstore/pkg/signature"
)

// Algorithm is how a signature is computed.
type Algorithm string

// The algorithms of signatures that can be verified. A key on P-384 or P-521 signs
// with the hash function of its size; cosign before version 3 took SHA-256 for all
// keys. Which of its two algorithms an RSA key signs with is up to the signer, and
// a key management service may take either; so it is with Ed25519, where cosign
// version 3 takes the one that hashes first.
const (
	ECDSAP256SHA256   Algorithm = "ecdsa-p256-sha256"
	ECDSAP384SHA384   Algorithm = "ecdsa-p384-sha384"
	ECDSAP384SHA256   Algorithm = "ecdsa-p384-sha256"
	ECDSAP521SHA512   Algorithm = "ecdsa-p521-sha512"
	ECDSAP521SHA256   Algorithm = "ecdsa-p521-sha256"
	RSAPKCS1v15SHA256 Algorithm = "rsa-pkcs1v15-sha256"
	RSAPSSSHA256      Algorithm = "rsa-pss-sha256"
	Ed25519           Algorithm = "ed25519"
	Ed25519ph         Algorithm = "ed25519ph"
)

// algorithms are all of them, as messages list them.
var algorithms = []Algorithm{
	ECDSAP256SHA256, ECDSAP384SHA384, ECDSAP384SHA256, ECDSAP521SHA512, ECDSAP521SHA256, RSAPKCS1v15SHA256, RSAPSSSHA256, Ed25519, Ed25519ph,
}

// minRSABits is the smallest RSA key that is taken:
// https://csrc.nist.gov/pubs/sp/800/131/a/r2/final.
const minRSABits = 2048

// algorithmsOf returns the algorithms with which a key may have signed; none if keys
// of its kind are not taken.
func algorithmsOf(public crypto.PublicKey) []Algorithm {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []Algorithm{ECDSAP256SHA256}
		case elliptic.P384():
			return []Algorithm{ECDSAP384SHA384, ECDSAP384SHA256}
		case elliptic.P521():
			return []Algorithm{ECDSAP521SHA512, ECDSAP521SHA256}
		}
	case *rsa.PublicKey:
		if k.N != nil && k.N.BitLen() >= minRSABits {
			return []Algorithm{RSAPKCS1v15SHA256, RSAPSSSHA256}
		}
	case ed25519.PublicKey:
		return []Algorithm{Ed25519, Ed25519ph}
	}
	return nil
}

// verifier returns what verifies signatures of the key in one of its algorithms.
func (k *Key) verifier(a Algorithm) (signature.Verifier, error) {
	switch a {
	case RSAPSSSHA256:
		return signature.LoadRSAPSSVerifier(k.Public.(*rsa.PublicKey), crypto.SHA256, nil)
	case Ed25519ph:
		return signature.LoadED25519phVerifier(k.Public.(ed25519.PublicKey))
	case ECDSAP384SHA384:
		return signature.LoadVerifier(k.Public, crypto.SHA384)
	case ECDSAP521SHA512:
		return signature.LoadVerifier(k.Public, crypto.SHA512)
	}
	return signature.LoadVerifier(k.Public, crypto.SHA256) // Ed25519 needs no hash
}

// verify reports whether the key has signed message, and how. allowed are the
// algorithms that count; none is all.
func (k *Key) verify(message, sig []byte, allowed []Algorithm) (Algorithm, bool) {
	return k.verifyWith(allowed, func(_ Algorithm, v signature.Verifier) bool {
		return v.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)) == nil
	})
}

// verifyWith returns the first algorithm of the key that verified accepts, of those
// that are allowed.
func (k *Key) verifyWith(allowed []Algorithm, verified func(Algorithm, signature.Verifier) bool) (Algorithm, bool) {
	for _, a := range algorithmsOf(k.Public) {
		if len(allowed) > 0 && !slices.Contains(allowed, a) {
			continue
		}
		if v, err := k.verifier(a); err == nil && verified(a, v) {
			return a, true
		}
	}
	return "", false
}

// hash is the function by which the algorithm hashes what it signs; 0 for Ed25519,
// which signs the message as it is.
func (a Algorithm) hash() crypto.Hash {
	switch a {
	case ECDSAP384SHA384:
		return crypto.SHA384
	case ECDSAP521SHA512, Ed25519ph:
		return crypto.SHA512
	case Ed25519:
		return 0
	}
	return crypto.SHA256
}
