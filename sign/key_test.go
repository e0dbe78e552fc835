package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// TestParsePublicKeyRefuses has files that look like a key to someone in a hurry.
func TestParsePublicKeyRefuses(t *testing.T) {
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der := func(c elliptic.Curve) []byte {
		private := must(ecdsa.GenerateKey(c, rand.Reader))
		return must(x509.MarshalPKIXPublicKey(private.Public()))
	}
	one, two := block("PUBLIC KEY", der(elliptic.P256())), block("PUBLIC KEY", der(elliptic.P256()))
	if _, err := ParsePublicKey("k.pub", []byte("# release\n"+one+"\n# the end\n")); err != nil {
		t.Error(err)
	}
	for name, test := range map[string]struct{ content, reason string }{
		"nothing":     {"", "there is no public key in PEM in it"},
		"two keys":    {one + two, "there are several keys or certificates in it"},
		"certificate": {block("CERTIFICATE", []byte{1}), `there is no public key in PEM in it, but a block of the type "CERTIFICATE"`},
		"curve":       {block("PUBLIC KEY", der(elliptic.P224())), "it is not of a kind that signs images"},
		"damaged":     {block("PUBLIC KEY", der(elliptic.P256())[1:]), "asn1"},
	} {
		_, err := ParsePublicKey("k.pub", []byte(test.content))
		if err == nil || !strings.Contains(err.Error(), "key k.pub: ") || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: got %v, want %q", name, err, test.reason)
		}
	}
}
