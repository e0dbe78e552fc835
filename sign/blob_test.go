package sign

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// recorded reads what testdata/cosign/blob/README describes.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/cosign/blob", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func recordedKey(t *testing.T, name string) *Key {
	t.Helper()
	key, err := ParsePublicKey(name, recorded(t, name+".pub"))
	check(t, err)
	return key
}

func TestVerifyBlobsThatOthersSigned(t *testing.T) {
	const slsa = "https://slsa.dev/provenance/v1"
	for _, test := range []struct {
		file, key, predicateType string
		format                   Format
		algorithm                Algorithm
		reason                   string // "" if it counts
	}{
		{file: "p256.bundle", key: "p256", format: FormatBundle, algorithm: ECDSAP256SHA256},
		{file: "p384.bundle", key: "p384", format: FormatBundle, algorithm: ECDSAP384SHA384},
		{file: "p521.bundle", key: "p521", format: FormatBundle, algorithm: ECDSAP521SHA512},
		{file: "rsa.bundle", key: "rsa", format: FormatBundle, algorithm: RSAPKCS1v15SHA256},
		{file: "p256.sig", key: "p256", format: FormatPlain, algorithm: ECDSAP256SHA256},
		{file: "p384.sig", key: "p384", format: FormatPlain, algorithm: ECDSAP384SHA384},
		{file: "p521.sig", key: "p521", format: FormatPlain, algorithm: ECDSAP521SHA512},
		{file: "rsa.sig", key: "rsa", format: FormatPlain, algorithm: RSAPKCS1v15SHA256},
		{file: "ed25519.sig", key: "ed25519", format: FormatPlain, algorithm: Ed25519},
		{file: "p256.old", key: "p256", format: FormatLegacy, algorithm: ECDSAP256SHA256},
		{file: "p256.openssl", key: "p256", format: FormatPlain, algorithm: ECDSAP256SHA256},
		{file: "rsa.openssl", key: "rsa", format: FormatPlain, algorithm: RSAPKCS1v15SHA256},
		{file: "rsa-pss.openssl", key: "rsa", format: FormatPlain, algorithm: RSAPSSSHA256},
		{file: "ed25519.openssl", key: "ed25519", format: FormatPlain, algorithm: Ed25519},
		{file: "attest.bundle", key: "p256", predicateType: slsa, format: FormatBundle, algorithm: ECDSAP256SHA256},

		{file: "p256.bundle", key: "p384", format: FormatBundle, reason: "none of the keys has made it; it names the key"},
		{file: "p256.sig", key: "p384", format: FormatPlain, reason: "none of the keys has made it"},
		{file: "p256.old", key: "rsa", format: FormatLegacy, reason: "none of the keys has made it"},
		{file: "attest.bundle", key: "p256", format: FormatBundle, reason: `it is a statement of the type "` + slsa + `", not a signature`},
		{file: "attest.bundle", key: "p256", predicateType: "https://spdx.dev/Document", format: FormatBundle, reason: "it is an attestation of the type"},
		{file: "attest.bundle", key: "p384", predicateType: slsa, format: FormatBundle, reason: "none of the keys"},
		{file: "p256.bundle", key: "p256", predicateType: slsa, format: FormatBundle, reason: "it is a signature, not an attestation"},
		{file: "p256.sig", key: "p256", predicateType: slsa, format: FormatPlain, reason: "it is a signature, not an attestation"},
		{file: "p256.pub", key: "p256", format: FormatPlain, reason: "none of the keys"},
		{file: "README", key: "p256", format: FormatPlain, reason: "none of the keys"},
	} {
		t.Run(test.file+" by "+test.key, func(t *testing.T) {
			t.Parallel()
			key := recordedKey(t, test.key)
			r := BlobRequirements{Keys: []*Key{key}, PredicateType: test.predicateType}
			blob := recorded(t, "blob")
			v, err := VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(blob)}, recorded(t, test.file), r)
			if v.Digest != digest.FromBytes(blob) || v.Format != test.format || !reflect.DeepEqual(v.NotChecked, notChecked) {
				t.Errorf("got %+v", v)
			}
			if test.reason != "" {
				wantUntrusted(t, v, err, test.reason)
				return
			}
			check(t, err)
			if v.Status != StatusVerified || v.Algorithm != test.algorithm || v.Key != test.key || v.Fingerprint != key.Fingerprint() || v.Reason != "" {
				t.Errorf("got %+v", v)
			}
			if (v.Predicate != nil) != (test.predicateType != "") || v.PredicateType != test.predicateType {
				t.Errorf("predicate %s of type %s", v.Predicate, v.PredicateType)
			}
			// One byte more or less, and no byte, is another file.
			for _, other := range [][]byte{append(bytes.Clone(blob), '\n'), blob[1:], nil} {
				v, err := VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(other)}, recorded(t, test.file), r)
				wantUntrusted(t, v, err, "")
			}
		})
	}
}

func wantUntrusted(t *testing.T, v BlobVerification, err error, reason string) {
	t.Helper()
	if !errors.Is(err, ErrUntrusted) || v.Status != StatusUntrusted || v.Key != "" || v.Predicate != nil || v.Reason == "" || !strings.Contains(v.Reason, reason) {
		t.Errorf("got %v, %+v, want %q", err, v, reason)
	}
}

// signers has one signer of each kind of key, by the algorithm that it signs with.
func signers(t *testing.T) map[Algorithm]*Signer {
	t.Helper()
	all := map[Algorithm]*Signer{}
	for algorithm, curve := range map[Algorithm]elliptic.Curve{ECDSAP256SHA256: elliptic.P256(), ECDSAP384SHA384: elliptic.P384(), ECDSAP521SHA512: elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		check(t, err)
		s, err := signature.LoadSigner(key, algorithm.hash())
		check(t, err)
		all[algorithm], err = NewSigner(t.Context(), string(algorithm), s)
		check(t, err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	for algorithm, load := range map[Algorithm]func() (signature.Signer, error){
		RSAPKCS1v15SHA256: func() (signature.Signer, error) {
			return signature.LoadRSAPKCS1v15Signer(rsaKey, RSAPKCS1v15SHA256.hash())
		},
		RSAPSSSHA256: func() (signature.Signer, error) { return signature.LoadRSAPSSSigner(rsaKey, RSAPSSSHA256.hash(), nil) },
	} {
		s, err := load()
		check(t, err)
		all[algorithm], err = NewSigner(t.Context(), string(algorithm), s)
		check(t, err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	s, err := signature.LoadED25519Signer(edKey)
	check(t, err)
	all[Ed25519], err = NewSigner(t.Context(), string(Ed25519), s)
	check(t, err)
	return all
}

func TestSignBlob(t *testing.T) {
	blob := []byte(strings.Repeat("many bytes, ", 100_000))
	for algorithm, signer := range signers(t) {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			r := BlobRequirements{Keys: []*Key{signer.Key}}
			signed, err := SignBlob(t.Context(), Blob{Content: bytes.NewReader(blob)}, signer)
			check(t, err)
			if signed.Digest != digest.FromBytes(blob) || signed.Algorithm != algorithm {
				t.Errorf("got %+v", signed)
			}
			for _, form := range [][]byte{signed.Bundle, signed.Signature, []byte(base64.StdEncoding.EncodeToString(signed.Signature) + "\r\n")} {
				v, err := VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(blob)}, form, r)
				if check(t, err); v.Status != StatusVerified || v.Algorithm != algorithm {
					t.Errorf("got %+v", v)
				}
				v, err = VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(blob)}, form, BlobRequirements{Keys: r.Keys, Algorithms: []Algorithm{"none"}})
				wantUntrusted(t, v, err, "by "+string(algorithm)+", which does not count")
			}

			// The same by the digest of the file, of the hash that the key signs.
			hash := algorithm.hash()
			for _, a := range []digest.Algorithm{digest.SHA256, digest.SHA384, digest.SHA512} {
				by := Blob{Digest: a.FromBytes(blob)}
				signed, err := SignBlob(t.Context(), by, signer)
				if hash == 0 || digestAlgorithms[hash] != a {
					if !errors.Is(err, content.ErrUnsupported) {
						t.Errorf("signing %s: %v", by.Digest, err)
					}
					continue
				}
				check(t, err)
				if signed.Digest != by.Digest {
					t.Errorf("got %s", signed.Digest)
				}
				_, err = VerifyBlob(t.Context(), by, signed.Bundle, r)
				check(t, err)
				_, err = VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(blob)}, signed.Bundle, r)
				check(t, err)
				v, err := VerifyBlob(t.Context(), Blob{Digest: a.FromString("other")}, signed.Bundle, r)
				wantUntrusted(t, v, err, "it is about another file, "+string(by.Digest))
				v, err = VerifyBlob(t.Context(), Blob{Digest: a.FromString("other")}, signed.Signature, r)
				wantUntrusted(t, v, err, "none of the keys")
			}
			if hash != 0 && digestAlgorithms[hash] == digest.SHA256 {
				return
			}
			// A digest by which nothing can be found out is an error, and no verdict.
			_, err = VerifyBlob(t.Context(), Blob{Digest: digest.FromBytes(blob)}, signed.Signature, r)
			if (algorithm == ECDSAP384SHA384 || algorithm == ECDSAP521SHA512) != errors.Is(err, ErrUntrusted) && !errors.Is(err, content.ErrUnsupported) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A bundle that was recorded is written again in the same members.
func TestBlobBundle(t *testing.T) {
	for _, name := range []string{"p256", "p384", "p521", "rsa"} {
		s, err := decodeBlobSignature(recorded(t, name+".bundle"))
		check(t, err)
		written, err := encodeBundle(s.bundle)
		check(t, err)
		if want := strings.NewReplacer(`, "`, `,"`).Replace(string(recorded(t, name+".bundle"))); string(written) != want {
			t.Errorf("got %s\nwant %s", written, want)
		}
	}
	bundle := strings.ReplaceAll(string(recorded(t, "p256.bundle")), `, "`, `,"`)
	sig := strings.TrimSpace(string(recorded(t, "p256.sig")))
	decode := func(data []byte) error { _, err := decodeBlobSignature(data); return err }
	accepted := strings.Replace(bundle, `"messageDigest":{"algorithm":"SHA2_256","digest":"SV4eflgmociJNRGTXpdbETjS1GFJ7fzz6XKHF/qxNz0="},`, "", 1)
	if check(t, decode([]byte(accepted))); accepted == bundle {
		t.Error("the digest is still in the bundle")
	}
	for _, r := range []refusal{
		{"version 0.1", "v0.3", "v0.1", "media type"},
		{"two contents", `"messageSignature":{`, `"dsseEnvelope":{},"messageSignature":{`, "two contents"},
		{"another member", `"messageSignature":{`, `"messageSignature":{"keyid":"",`, `"keyid", which is not known`},
		{"the name of the protocol buffer", `messageSignature`, `message_signature`, "not known"},
		{"a member twice", `"messageSignature":{`, `"messageSignature":{"signature":"AA==",`, "twice"},
		{"a member in other letters", `"signature":`, `"Signature":"AA==","signature":`, "not known"},
		{"no signature", `"signature":"`, `"signature":"","x":"`, "not known"},
		{"an empty signature", bundle[strings.Index(bundle, `"signature":"`):], `"signature":""}}`, "empty"},
		{"null", `"messageSignature":{`, `"messageSignature":null,"x":{`, "not known"},
		{"SHA-3", "SHA2_256", "SHA3_256", `"SHA3_256", not SHA2_256`},
		{"another algorithm for the digest", "SHA2_256", "SHA2_512", "digest"},
		{"a digest without padding", "xNz0=", "xNz0", "base64"},
		{"more after it", `"}}`, `"}}{}`, "JSON"},
		{"no signer", `"publicKey"`, `"tlogEntries":[],"x"`, "not known"},
	} {
		r.expect(t, bundle, decode)
	}
	older := string(recorded(t, "p256.old"))
	for _, r := range []refusal{
		{"another member", `{"base64Signature"`, `{"mediaType":"x","base64Signature"`, "not known"},
		{"twice", `{"base64Signature"`, `{"base64Signature":"AA==","base64Signature"`, "twice"},
		{"a number", older, `{"base64Signature":1}`, "base64Signature"},
		{"empty", older, `{"base64Signature":""}`, "empty"},
	} {
		r.expect(t, older, decode)
	}
	for _, r := range []refusal{
		{"nothing", sig, "", "empty"},
		{"spaces", sig, " \n\t", "empty"},
		{"much", sig, strings.Repeat("AAAA", 4000), "no signature"},
		{"many bytes", sig, strings.Repeat("\x00", 9000), "no signature"},
		{"a list", sig, "{]", "JSON"},
	} {
		r.expect(t, sig, decode)
	}
}

func TestSignBlobRefuses(t *testing.T) {
	signer := signers(t)[ECDSAP256SHA256]
	if _, err := SignBlob(t.Context(), Blob{}, signer); err == nil {
		t.Error("nothing was signed")
	}
	for _, d := range []digest.Digest{"sha256:1", "md5:d41d8cd98f00b204e9800998ecf8427e", digest.Digest("sha256:" + strings.Repeat("A", 64))} {
		if _, err := SignBlob(t.Context(), Blob{Digest: d}, signer); err == nil || !strings.Contains(err.Error(), string(d)) {
			t.Errorf("%s: %v", d, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := SignBlob(ctx, Blob{Content: strings.NewReader("x")}, signer); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := VerifyBlob(t.Context(), Blob{Content: strings.NewReader("x")}, recorded(t, "p256.sig"), BlobRequirements{}); err == nil || errors.Is(err, ErrUntrusted) {
		t.Errorf("without a key: %v", err)
	}
	large := &limited{&bytes.Buffer{}, 3}
	if _, err := large.Write([]byte("four")); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	other := signers(t)[ECDSAP256SHA256]
	forged := &Signer{Key: signer.Key, signer: other.signer}
	if _, err := SignBlob(t.Context(), Blob{Content: strings.NewReader("x")}, forged); err == nil || !strings.Contains(err.Error(), "not a signature of this file") {
		t.Errorf("got %v", err)
	}
}

func TestAttestBlobs(t *testing.T) {
	signer := signers(t)[ECDSAP256SHA256]
	first, second := []byte("first"), []byte("second")
	subjects := []BlobSubject{{"a", digest.FromBytes(first)}, {"b", digest.FromBytes(second)}}
	bundle, err := AttestBlobs(t.Context(), subjects, signer, Predicate{Type: "https://example.com/p", Content: json.RawMessage(`{"a": 1}`)})
	check(t, err)
	r := BlobRequirements{Keys: []*Key{signer.Key}, PredicateType: "https://example.com/p"}
	for _, content := range [][]byte{first, second} {
		v, err := VerifyBlob(t.Context(), Blob{Content: bytes.NewReader(content)}, bundle, r)
		if check(t, err); string(v.Predicate) != `{"a":1}` {
			t.Errorf("got %s", v.Predicate)
		}
	}
	v, err := VerifyBlob(t.Context(), Blob{Content: strings.NewReader("third")}, bundle, r)
	wantUntrusted(t, v, err, "another file")
	for _, each := range [][]BlobSubject{nil, {{"a", "sha512:1"}}, {{"a", digest.SHA512.FromString("x")}}} {
		if _, err := AttestBlobs(t.Context(), each, signer, Predicate{Type: "https://example.com/p", Content: json.RawMessage(`{}`)}); err == nil {
			t.Errorf("%v was attested", each)
		}
	}
}

// A signature that was accepted means the same to encoding/json, and after it was
// written again.
func FuzzDecodeBlobSignature(f *testing.F) {
	for _, name := range []string{"p256.bundle", "p384.bundle", "p256.sig", "p256.old", "p256.openssl", "attest.bundle"} {
		f.Add(recorded(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeBlobSignature(data)
		if err != nil {
			return
		}
		if len(s.signature) == 0 || len(s.signature) > maxSignatureSize {
			t.Errorf("a signature of %d bytes", len(s.signature))
		}
		if s.format != FormatBundle || s.certificate || s.fileDigest == "" {
			return
		}
		var other struct {
			MessageSignature struct {
				Signature     []byte
				MessageDigest struct{ Digest []byte }
			}
		}
		// The URL alphabet is for readers of DSSE; encoding/json has only the other.
		if json.Unmarshal(data, &other) == nil {
			if _, sum, err := decodeDigest(s.fileDigest); err != nil || !bytes.Equal(sum, other.MessageSignature.MessageDigest.Digest) || !bytes.Equal(s.signature, other.MessageSignature.Signature) {
				t.Errorf("encoding/json reads %+v", other)
			}
		}
		written, err := encodeBundle(s.bundle)
		check(t, err)
		again, err := decodeBlobSignature(written)
		if check(t, err); !reflect.DeepEqual(again, s) {
			t.Errorf("%+v becomes %+v", s, again)
		}
	})
}
