package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
)

func mustDER(der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return der
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// verifies checks a signature with the standard library alone.
func verifies(public crypto.PublicKey, message, sig []byte) bool {
	sum256, sum384, sum512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		sum := map[int][]byte{256: sum256[:], 384: sum384[:], 521: sum512[:]}[public.Curve.Params().BitSize]
		return ecdsa.VerifyASN1(public, sum, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum256[:], sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, sig)
	}
	return false
}

func noPassword() ([]byte, error) { return nil, errors.New("nobody should ask") }

func TestParsePrivateKey(t *testing.T) {
	p256, p384, p521 := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521())
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parameters := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	for name, tt := range map[string]struct {
		pem []byte
		key crypto.Signer
	}{
		"PKCS#8 P-256":   {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(p256))), p256},
		"PKCS#8 P-384":   {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(p384))), p384},
		"PKCS#8 P-521":   {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(p521))), p521},
		"PKCS#8 RSA":     {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(rsa2048))), rsa2048},
		"PKCS#8 Ed25519": {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(ed))), ed},
		"SEC 1":          {toPEM("EC PRIVATE KEY", mustDER(x509.MarshalECPrivateKey(p256))), p256},
		"of openssl":     {append([]byte(parameters), toPEM("EC PRIVATE KEY", mustDER(x509.MarshalECPrivateKey(p256)))...), p256},
		"PKCS#1":         {toPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsa2048)), rsa2048},
	} {
		t.Run(name, func(t *testing.T) {
			signer, err := ParsePrivateKey("release.key", tt.pem, noPassword)
			if err != nil {
				t.Fatal(err)
			}
			message := []byte("message")
			sig, err := signer.SignMessage(bytes.NewReader(message))
			if err != nil || !verifies(tt.key.Public(), message, sig) {
				t.Errorf("the signature does not verify: %v", err)
			}
			if err := signer.(signature.Verifier).VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)); err != nil {
				t.Error(err)
			}
		})
	}
}

// testdata/cosign.key and cosign.pub are of cosign v3.1.3:
//
//	COSIGN_PASSWORD=ecrkit cosign generate-key-pair --output-key-prefix cosign
func TestParsePrivateKeyOfCosign(t *testing.T) {
	t.Parallel() // scrypt takes its time
	ofCosign, err := os.ReadFile("testdata/cosign.key")
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile("testdata/cosign.pub")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublicKey("cosign.pub", public)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ofCosign)
	asked := 0
	signer, err := ParsePrivateKey("cosign.key", ofCosign, func() ([]byte, error) { asked++; return []byte("ecrkit"), nil })
	if err != nil || asked != 1 {
		t.Fatalf("%v, asked %d times", err, asked)
	}
	sig, err := signer.SignMessage(strings.NewReader("message"))
	if err != nil || !verifies(key.Public, []byte("message"), sig) {
		t.Errorf("the signature does not verify: %v", err)
	}

	older := toPEM("ENCRYPTED COSIGN PRIVATE KEY", block.Bytes)
	costly := toPEM(block.Type, bytes.Replace(block.Bytes, []byte(`"N":65536`), []byte(`"N":1073741824`), 1))
	failed := errors.New("no terminal")
	for name, tt := range map[string]struct {
		pem      []byte
		password func() ([]byte, error)
		is       error
		want     string
	}{
		"wrong":         {older, func() ([]byte, error) { return []byte("hunter2"), nil }, ErrPassword, "key cosign.key: the password does not open it, or it is damaged"},
		"costly scrypt": {costly, func() ([]byte, error) { return []byte("ecrkit"), nil }, ErrPassword, "unsupported scrypt parameters"},
		"none":          {ofCosign, nil, ErrPassword, "key cosign.key: it is encrypted, and no password was given"},
		"fails":         {older, func() ([]byte, error) { return nil, failed }, failed, "its password: no terminal"},
	} {
		if _, err := ParsePrivateKey("cosign.key", tt.pem, tt.password); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	p224 := ecKey(t, elliptic.P224())
	p256 := ecKey(t, elliptic.P256())
	x, err := p256.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		pem  []byte
		want string
	}{
		"empty":            {nil, "no private key in PEM"},
		"junk":             {[]byte("junk"), "no private key in PEM"},
		"DER":              {mustDER(x509.MarshalPKCS8PrivateKey(p256)), "no private key in PEM"},
		"long":             {bytes.Repeat([]byte("a"), maxPrivateKey+1), "no private key"},
		"public key":       {toPEM("PUBLIC KEY", mustDER(x509.MarshalPKIXPublicKey(p256.Public()))), "it has a PUBLIC KEY; signing needs the private key"},
		"other type":       {toPEM("OPENSSH PRIVATE KEY", []byte("x")), `there is no private key in PEM in it that can sign, but a block of the type "OPENSSH PRIVATE KEY"`},
		"damaged":          {toPEM("PRIVATE KEY", []byte("x")), "key k: "},
		"P-224":            {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(p224))), "curve P-224 signs no images; use P-256"},
		"ECDH":             {toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(x))), ""},
		"small RSA":        {[]byte(smallRSA), "RSA of 1024 bits signs no images"},
		"encrypted PKCS#8": {toPEM("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted in another way than cosign's"},
		"encrypted PEM":    {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")}), "encrypted in another way than cosign's"},
		"no box":           {toPEM("ENCRYPTED SIGSTORE PRIVATE KEY", []byte("{")), "damaged"},
	} {
		signer, err := ParsePrivateKey("k", tt.pem, func() ([]byte, error) { return []byte("p"), nil })
		if name == "ECDH" { // PKCS#8 has one form for both uses of a NIST curve
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v", name, signer, err)
		}
	}
}

// An empty password is one, as for cosign.
func TestGenerateKeyPair(t *testing.T) {
	t.Parallel() // scrypt takes its time
	private, public, err := GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(private, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) {
		t.Errorf("got %.50s", private)
	}
	signer, err := ParsePrivateKey("k", private, func() ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePublicKey("k.pub", public)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.SignMessage(strings.NewReader("message"))
	if err != nil || !verifies(key.Public, []byte("message"), sig) {
		t.Errorf("the signature does not verify: %v", err)
	}
}

func FuzzParsePrivateKey(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	f.Add(toPEM("PRIVATE KEY", mustDER(x509.MarshalPKCS8PrivateKey(key))))
	f.Add(toPEM("EC PRIVATE KEY", mustDER(x509.MarshalECPrivateKey(key))))
	f.Add([]byte(smallRSA))
	f.Add(toPEM("ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`{"kdf":{"name":"scrypt","params":{"N":3,"r":8,"p":1},"salt":""},"cipher":{"name":"nacl/secretbox","nonce":""},"ciphertext":""}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		signer, err := ParsePrivateKey("k", data, func() ([]byte, error) { return []byte("p"), nil })
		if err != nil {
			return
		}
		sig, err := signer.SignMessage(strings.NewReader("message"))
		if err != nil {
			return
		}
		if err := signer.(signature.Verifier).VerifySignature(bytes.NewReader(sig), strings.NewReader("message")); err != nil {
			t.Error(err)
		}
	})
}

// smallRSA has 1024 bits.
const smallRSA = `-----BEGIN RSA PRIVATE KEY-----
MIICXAIBAAKBgQDNuDB+lvkeDK9S6LgREP8+mVl+CROk0u/cQAUIAjLWVMVsEQCl
u5uz86FKMnXceK6M394kyLpB1I0es5FYI88ThN5Ha9omao+3QgwwmJJbvtKeGFpF
IXKuMEDggCQK2A1AD2yjcQ041VMqZv5piv94UXMYyzpEkFF+QZ9Rw4w6GwIDAQAB
AoGBAIutri+lrov6rOgsXx4nXkdQs/ThkNbu6jGvvjrL01y3vjw75yaglX2/xBmu
3VvPDSVVs21iZSThftgDsIIZ/jTYCnVIVxpfYgNjfvE22eDQ0oLcwzd7d1wvlHJI
AHpLtrZ65TKIMAAT3s/+RtlLa2g+iyZ6qkSV9OjGu/p/zmzhAkEA98nqTWmgkDNy
4G9Xdf6fN6K5Y4h2BLhxjGlq5FzXeg5TAjOJo4QdU+h0JfWA+ln98Y4tSY3yqvmC
WcNbemdI8wJBANSJYpF20vnN8Xt/5QiZ+YSgBcGRYoB7F9xp5hcEFuNtOQGC/Ce0
wpwhBBNFIlAR5vs1H5Km4b6JUW7PcqI+FDkCQHR9TlNaZwujxEvSzFFChOOI8pLi
YmlRtMAIByKYqwxMk6WjSP/AanE6BPCbfCk2CXZ4Gr5Lp1vNtQQyHV1sFRUCQBDJ
KPfEIrWIBmJyn2wmfQZ0fP/ks5riHehSlNGMiSI9JhtwdOnN5PDfyqqa8zLPtyZv
86Zpd7rMrZnK2IrnzEECQEEm2mQzaBpN8riFWsuIVyVxOQjaZx8cIA+Ewk+47Rkg
R4dPkiRKUW85ycOjoxC/gbAHy+OxA1GLgcziB8xSJtE=
-----END RSA PRIVATE KEY-----
`
