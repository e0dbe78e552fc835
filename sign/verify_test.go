package sign

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const spdx = "https://spdx.dev/Document"

// verifyCase is an image and what must come out when it is verified.
type verifyCase struct {
	name string
	// set attaches things to the image.
	set func(w *verifyWorld)
	// require changes that a signature by key A is required.
	require func(w *verifyWorld, r *Requirements)
	want    Status // "" if it must not be known
	// reason is in the error, or in a rejection if the image is verified.
	reason string
}

type verifyWorld struct {
	*memory
	a, b  testKey
	image content.Manifest
	other content.Manifest // another image
}

func newVerifyWorld(t *testing.T) *verifyWorld {
	w := &verifyWorld{memory: newMemory(), a: newTestKey(t, "A"), b: newTestKey(t, "B")}
	w.image, w.other = w.memory.image("image"), w.memory.image("other")
	return w
}

func (c verifyCase) run(t *testing.T) {
	w := newVerifyWorld(t)
	c.set(w)
	r := Requirements{Keys: []*Key{w.a.Key}}
	if c.require != nil {
		c.require(w, &r)
	}
	v, err := Verify(t.Context(), w, w.image, r)
	if v.Status != c.want {
		t.Errorf("status %q, want %q (%v)", v.Status, c.want, err)
	}
	wantErr := map[Status]error{StatusUnsigned: ErrUnsigned, StatusUntrusted: ErrUntrusted}[c.want]
	switch {
	case c.want == StatusVerified:
		if err != nil {
			t.Error(err)
		}
		if text := fmt.Sprint(v.Rejected); c.reason == "" && len(v.Rejected) > 0 || !strings.Contains(text, c.reason) {
			t.Errorf("rejected %s, want %q", text, c.reason)
		}
		return
	case err == nil:
		t.Fatal("no error")
	case wantErr != nil && !errors.Is(err, wantErr), wantErr == nil && (errors.Is(err, ErrUnsigned) || errors.Is(err, ErrUntrusted)):
		t.Errorf("error %v", err)
	}
	if !strings.Contains(err.Error(), c.reason) {
		t.Errorf("error %v, want %q", err, c.reason)
	}
}

// edited replaces a part of a document that must have it.
func edited(t testing.TB, document []byte, old, new string) []byte {
	t.Helper()
	if !strings.Contains(string(document), old) {
		t.Fatalf("%s has no %q", document, old)
	}
	return []byte(strings.Replace(string(document), old, new, 1))
}

func (w *verifyWorld) signBundle(k testKey) { w.bundle(w.image, k.bundle(signatureOf(w.image, nil))) }

func (w *verifyWorld) signLegacy(keys ...testKey) {
	var layers []content.Descriptor
	for _, k := range keys {
		layers = append(layers, k.payload(w.memory, w.image, nil))
	}
	w.tag(w.image, content.DigestTagSignatures, layers...)
}

// TestVerifyFinds has what must be accepted.
func TestVerifyFinds(t *testing.T) {
	for _, c := range []verifyCase{
		{name: "bundle", want: StatusVerified, set: func(w *verifyWorld) { w.signBundle(w.a) }},
		{name: "legacy", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.a) }},
		{name: "oci-1-1", want: StatusVerified, set: func(w *verifyWorld) {
			w.refer(w.image, oci11ArtifactType, oci11ArtifactType, nil, w.a.payload(w.memory, w.image, nil))
		}},
		{name: "legacy by B and A", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.b, w.a) },
			reason: "none of the keys has made it"},
		{name: "legacy by A beside a bundle by B", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.a); w.signBundle(w.b) },
			reason: "none of the keys has made it; it names the key \"sha256:"},
		{name: "bundle by A beside a legacy one by B", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.b); w.signBundle(w.a) },
			reason: "none of the keys has made it"},
		{name: "bundle that is listed as empty", want: StatusVerified, set: func(w *verifyWorld) {
			w.refer(w.image, "", ocispec.MediaTypeEmptyJSON, nil, w.put(bundleMediaType, w.a.bundle(signatureOf(w.image, nil))))
		}},
		{name: "bundle that is listed without a type", want: StatusVerified, set: func(w *verifyWorld) {
			w.refer(w.image, bundleMediaType, "", nil, w.put(bundleMediaType, w.a.bundle(signatureOf(w.image, nil))))
		}},
		{name: "bundle that is listed as something else", want: StatusVerified, set: func(w *verifyWorld) {
			w.refer(w.image, bundleMediaType, "application/vnd.cncf.notary.signature", nil, w.put(bundleMediaType, w.a.bundle(signatureOf(w.image, nil))))
		}},
		{name: "bundle without a hint", want: StatusVerified, set: func(w *verifyWorld) {
			b := must(decodeBundle(w.a.bundle(signatureOf(w.image, nil))))
			b.hint = ""
			w.bundle(w.image, must(encodeBundle(b)))
		}},
		{name: "beside foreign referrers", want: StatusVerified, set: func(w *verifyWorld) {
			w.refer(w.image, "application/spdx+json", "application/spdx+json", nil, w.put("application/spdx+json", []byte("{}")))
			w.refer(w.image, notationMediaType, notationMediaType, nil, w.put("application/jose+json", []byte("{}")))
			w.referrers[w.image.Descriptor.Digest] = append(w.referrers[w.image.Descriptor.Digest], w.index(w.other.Descriptor).Descriptor)
			w.signBundle(w.a)
		}},
		{name: "two keys of two", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.a); w.signBundle(w.b) },
			require: func(w *verifyWorld, r *Requirements) { r.Keys, r.Threshold = []*Key{w.a.Key, w.b.Key}, 2 }},
		{name: "annotations", want: StatusVerified,
			set: func(w *verifyWorld) {
				w.bundle(w.image, w.a.bundle(signatureOf(w.image, map[string]string{"env": "prod", "more": "x"})))
			},
			require: func(w *verifyWorld, r *Requirements) { r.Annotations = map[string]string{"env": "prod"} }},
		{name: "annotations of a legacy signature", want: StatusVerified,
			set: func(w *verifyWorld) {
				w.tag(w.image, content.DigestTagSignatures, w.a.payload(w.memory, w.image, map[string]string{"env": "prod"}))
			},
			require: func(w *verifyWorld, r *Requirements) { r.Annotations = map[string]string{"env": "prod"} }},
		{name: "repository of a legacy signature", want: StatusVerified, set: func(w *verifyWorld) { w.signLegacy(w.a) },
			require: func(w *verifyWorld, r *Requirements) { r.Repository = memoryName }},
		{name: "attestation as a bundle", want: StatusVerified,
			set:     func(w *verifyWorld) { w.bundle(w.image, w.a.bundle(attestationOf(w.image, spdx))); w.signBundle(w.a) },
			require: func(w *verifyWorld, r *Requirements) { r.PredicateTypes = []string{spdx} }},
		{name: "legacy attestation", want: StatusVerified,
			set: func(w *verifyWorld) {
				w.tag(w.image, content.DigestTagAttestation, w.a.envelope(w.memory, attestationOf(w.image, spdx)))
			},
			require: func(w *verifyWorld, r *Requirements) { r.PredicateTypes, r.AttestationsOnly = []string{spdx}, true }},
		{name: "statement of version 0.1", want: StatusVerified,
			set: func(w *verifyWorld) {
				w.bundle(w.image, w.a.bundleOf(edited(t, must(encodeStatement(attestationOf(w.image, spdx))), statementV1, statementV01)))
			},
			require: func(w *verifyWorld, r *Requirements) { r.PredicateTypes, r.AttestationsOnly = []string{spdx}, true }},
		{name: "statement about several images", want: StatusVerified, set: func(w *verifyWorld) {
			s := signatureOf(w.other, nil)
			s.subjects = append(s.subjects, signatureOf(w.image, nil).subjects...)
			w.bundle(w.image, w.a.bundle(s))
		}},
	} {
		t.Run(c.name, c.run)
	}
}

// TestVerifyRefuses has images that lack what is required.
func TestVerifyRefuses(t *testing.T) {
	for _, c := range []verifyCase{
		{name: "nothing", want: StatusUnsigned, reason: "it is not signed", set: func(*verifyWorld) {}},
		{name: "only an attestation by the key", want: StatusUnsigned, reason: "it has an attestation, " + spdx + ", which is no signature",
			set: func(w *verifyWorld) { w.bundle(w.image, w.a.bundle(attestationOf(w.image, spdx))) }},
		{name: "only a legacy attestation by the key", want: StatusUnsigned, reason: "which is no signature",
			set: func(w *verifyWorld) {
				w.tag(w.image, content.DigestTagAttestation, w.a.envelope(w.memory, attestationOf(w.image, spdx)))
			}},
		{name: "only foreign referrers", want: StatusUnsigned, set: func(w *verifyWorld) {
			w.refer(w.image, notationMediaType, notationMediaType, nil, w.put("application/jose+json", []byte("{}")))
		}},
		{name: "another key", want: StatusUntrusted, reason: "none of the keys has made it", set: func(w *verifyWorld) { w.signBundle(w.b); w.signLegacy(w.b) }},
		{name: "a certificate", want: StatusUntrusted, reason: "has a certificate and no key", set: func(w *verifyWorld) {
			data := edited(t, w.b.bundle(signatureOf(w.image, nil)), `"publicKey":{"hint":"`+w.b.hint()+`"}`, `"certificate":{"rawBytes":"MAA="}`)
			w.bundle(w.image, data)
		}},
		{name: "two signatures by one key of two", want: StatusUntrusted, reason: "signed by 1 of the 2 keys that are required",
			set:     func(w *verifyWorld) { w.signBundle(w.a); w.signLegacy(w.a, w.a) },
			require: func(w *verifyWorld, r *Requirements) { r.Keys, r.Threshold = []*Key{w.a.Key, w.b.Key}, 2 }},
		{name: "one key under two names", want: "", reason: "2 keys are required, of 1 different ones",
			set: func(w *verifyWorld) { w.signBundle(w.a) },
			require: func(w *verifyWorld, r *Requirements) {
				r.Keys, r.Threshold = []*Key{w.a.Key, must(NewKey("the same", w.a.Public))}, 2
			}},
		{name: "no keys", want: "", reason: "no key", set: func(w *verifyWorld) { w.signBundle(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.Keys = nil }},
		{name: "other annotation", want: StatusUntrusted, reason: `its annotation env is "test", not "prod"`,
			set: func(w *verifyWorld) {
				w.bundle(w.image, w.a.bundle(signatureOf(w.image, map[string]string{"env": "test"})))
			},
			require: func(_ *verifyWorld, r *Requirements) { r.Annotations = map[string]string{"env": "prod"} }},
		{name: "no annotation", want: StatusUntrusted, reason: "it has no annotation env=prod", set: func(w *verifyWorld) { w.signLegacy(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.Annotations = map[string]string{"env": "prod"} }},
		{name: "format", want: StatusUntrusted, reason: "its format legacy does not count", set: func(w *verifyWorld) { w.signLegacy(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.Formats = []Format{FormatBundle} }},
		{name: "algorithm", want: StatusUntrusted, reason: "key A has made it by ecdsa-p256-sha256, which does not count", set: func(w *verifyWorld) { w.signBundle(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.Algorithms = []Algorithm{RSAPKCS1v15SHA256} }},
		{name: "repository", want: StatusUntrusted, reason: `it is for the repository "registry.example/app", not "registry.example/web"`,
			set:     func(w *verifyWorld) { w.signLegacy(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.Repository = "registry.example/web" }},
		{name: "required attestation is missing", want: StatusUntrusted, reason: "no attestation of type " + spdx,
			set:     func(w *verifyWorld) { w.signBundle(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.PredicateTypes = []string{spdx} }},
		{name: "required attestation by another key", want: StatusUntrusted, reason: "none of the keys has made it",
			set:     func(w *verifyWorld) { w.signBundle(w.a); w.bundle(w.image, w.b.bundle(attestationOf(w.image, spdx))) },
			require: func(_ *verifyWorld, r *Requirements) { r.PredicateTypes = []string{spdx} }},
		{name: "required attestation of another image", want: StatusUntrusted, reason: "it is about another image",
			set:     func(w *verifyWorld) { w.signBundle(w.a); w.bundle(w.image, w.a.bundle(attestationOf(w.other, spdx))) },
			require: func(_ *verifyWorld, r *Requirements) { r.PredicateTypes = []string{spdx} }},
		{name: "only an attestation is required and there is none", want: StatusUnsigned, reason: "it does not have an attestation of type " + spdx,
			set:     func(w *verifyWorld) { w.signBundle(w.a) },
			require: func(_ *verifyWorld, r *Requirements) { r.PredicateTypes, r.AttestationsOnly = []string{spdx}, true }},
	} {
		t.Run(c.name, c.run)
	}
}

// TestVerificationJSON has the documented form: lists are never null.
func TestVerificationJSON(t *testing.T) {
	m, key := newMemory(), newTestKey(t, "A")
	image := m.image("image")
	d := m.bundle(image, key.bundle(signatureOf(image, map[string]string{"env": "prod"})))
	m.tag(image, content.DigestTagSignatures, newTestKey(t, "B").payload(m, image, nil))
	v, err := Verify(t.Context(), m, image, Requirements{Keys: []*Key{key.Key}})
	check(t, err)
	tag := content.DigestTag(image.Descriptor.Digest, content.DigestTagSignatures)
	want := `{"digest":"` + string(image.Descriptor.Digest) + `","status":"verified",` +
		`"signatures":[{"format":"bundle","manifest":"` + string(d.Digest) + `","key":"A","fingerprint":"` + string(key.Fingerprint()) + `","algorithm":"ecdsa-p256-sha256","annotations":{"env":"prod"}}],` +
		`"attestations":[],"rejected":[{"format":"legacy","manifest":"` + string(m.tags[tag].Descriptor.Digest) + `","tag":"` + tag + `","reason":"none of the keys has made it"}],` +
		`"notChecked":["transparency log","timestamp","certificate identity"]}`
	if got := string(must(json.Marshal(v))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	v, _ = Verify(t.Context(), m, m.image("other"), Requirements{Keys: []*Key{key.Key}})
	if got := string(must(json.Marshal(v))); !strings.Contains(got, `"status":"unsigned","signatures":[],"attestations":[],"rejected":[],`) {
		t.Errorf("got %s", got)
	}
}

// TestVerifyErrorIsPrintable has an attestation whose type would steer a terminal.
func TestVerifyErrorIsPrintable(t *testing.T) {
	m, key := newMemory(), newTestKey(t, "A")
	image := m.image("image")
	m.bundle(image, key.bundle(attestationOf(image, "https://x\x1b[2J\u009b/y\nz")))
	_, err := Verify(t.Context(), m, image, Requirements{Keys: []*Key{key.Key}})
	if err == nil || !strings.Contains(err.Error(), "https://x[2J/yz") {
		t.Errorf("got %v", err)
	}
}
