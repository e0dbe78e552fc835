package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
)

func TestKeyVerifiesByEveryAlgorithmOfIt(t *testing.T) {
	curve := func(c elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(c, rand.Reader)) }
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	p384, p521 := curve(elliptic.P384()), curve(elliptic.P521())
	for _, test := range []struct {
		key    crypto.Signer
		signer signature.Signer
		want   Algorithm
	}{
		{want: ECDSAP256SHA256, key: curve(elliptic.P256())},
		{want: ECDSAP384SHA384, key: p384, signer: must(signature.LoadSigner(p384, crypto.SHA384))},
		{want: ECDSAP384SHA256, key: p384},
		{want: ECDSAP521SHA512, key: p521, signer: must(signature.LoadSigner(p521, crypto.SHA512))},
		{want: ECDSAP521SHA256, key: p521},
		{want: RSAPKCS1v15SHA256, key: rsaKey},
		{want: RSAPSSSHA256, key: rsaKey, signer: must(signature.LoadRSAPSSSigner(rsaKey, crypto.SHA256, nil))},
		{want: Ed25519, key: edwards},
		{want: Ed25519ph, key: edwards, signer: must(signature.LoadED25519phSigner(edwards))},
	} {
		t.Run(string(test.want), func(t *testing.T) {
			if test.signer == nil {
				test.signer = must(signature.LoadSigner(test.key, crypto.SHA256))
			}
			message := []byte("what is signed")
			sig, err := test.signer.SignMessage(bytes.NewReader(message))
			check(t, err)
			key, err := NewKey("k", test.key.Public())
			check(t, err)
			if got, ok := key.verify(message, sig, nil); !ok || got != test.want {
				t.Errorf("%q %v", got, ok)
			}
			if _, ok := key.verify([]byte("another thing"), sig, nil); ok {
				t.Error("another message was accepted")
			}
			if got, ok := key.verify(message, sig, []Algorithm{test.want}); !ok || got != test.want {
				t.Errorf("allowed, but: %q %v", got, ok)
			}
			others := slices.DeleteFunc(slices.Clone(algorithms), func(a Algorithm) bool { return a == test.want })
			if got, ok := key.verify(message, sig, others); ok {
				t.Errorf("accepted as %s, which it is not", got)
			}
		})
	}
}

func TestNewKeyRefusesWeakKeys(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, public := range []crypto.PublicKey{small.Public(), p224.Public(), "no key", nil} {
		if _, err := NewKey("k", public); err == nil {
			t.Errorf("%T was accepted", public)
		}
	}
}
