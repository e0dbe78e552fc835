package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
)

// deriveKey returns the AES-256 or HMAC key of one purpose.
func deriveKey(serverKey []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, serverKey, nil, "ecrkit localecr "+purpose+" v1", 32)
	if err != nil {
		// Only a length above 255 hashes is refused.
		panic(err)
	}
	return key
}

func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key's length is ours
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// seal encrypts v as JSON, padded with spaces to at least size bytes, and binds
// it to extra.
func seal(key []byte, v any, size int, extra []byte) []byte {
	plain, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types sealed are ours and always marshal
	}
	for len(plain) < size {
		plain = append(plain, ' ')
	}
	return aead(key).Seal(nil, nil, plain, extra)
}

var errSeal = errors.New("not sealed with this key")

// open is the inverse of seal.
func open(key, sealed []byte, v any, extra []byte) error {
	plain, err := aead(key).Open(nil, nil, sealed, extra)
	if err != nil {
		return errSeal
	}
	return json.Unmarshal(plain, v)
}
