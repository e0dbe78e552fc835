package sign

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestVerifyWithstands has what somebody may attach who can push to the repository but
// has no key. Each is tried alone, where it must not count, and beside a good
// signature, which it must not take away.
func TestVerifyWithstands(t *testing.T) {
	statementOf := func(w *verifyWorld) []byte { return must(encodeStatement(signatureOf(w.image, nil))) }
	payloadOf := func(w *verifyWorld) []byte {
		return must(encodePayload(simplePayload{repository: memoryName, digest: w.image.Descriptor.Digest}))
	}
	bundleOf := func(w *verifyWorld) []byte { return w.a.bundle(signatureOf(w.image, nil)) }
	base64Of := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	for _, c := range []verifyCase{
		{name: "bundle of another image", reason: "it is about another image, sha256:",
			set: func(w *verifyWorld) { w.bundle(w.image, w.a.bundle(signatureOf(w.other, nil))) }},
		{name: "tag of something else", reason: "it holds no signature, but something else", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagSignatures, w.put("text/plain", []byte("x")))
		}},
		{name: "tag of another image", reason: "it is about another image, sha256:", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagSignatures, w.a.payload(w.memory, w.other, nil))
		}},
		{name: "oci-1-1 of another image", reason: "it is about another image, sha256:", set: func(w *verifyWorld) {
			w.refer(w.image, oci11ArtifactType, oci11ArtifactType, nil, w.a.payload(w.memory, w.other, nil))
		}},
		{name: "bundle with a changed payload", reason: "it names key A, but that did not sign this", set: func(w *verifyWorld) {
			other := must(encodeStatement(signatureOf(w.other, nil)))
			w.bundle(w.image, edited(t, w.a.bundleOf(other), base64Of(other), base64Of(statementOf(w))))
		}},
		{name: "legacy signature with a changed payload", reason: "none of the keys has made it", set: func(w *verifyWorld) {
			layer := w.a.payload(w.memory, w.other, nil)
			changed := w.put(payloadMediaType, payloadOf(w))
			changed.Annotations = layer.Annotations
			w.tag(w.image, content.DigestTagSignatures, changed)
		}},
		{name: "bundle by another key that names this one", reason: "it names key A, but that did not sign this", set: func(w *verifyWorld) {
			b := must(decodeBundle(w.b.bundle(signatureOf(w.image, nil))))
			b.hint = w.a.hint()
			w.bundle(w.image, must(encodeBundle(b)))
		}},
		{name: "bundle whose signature is over the bare payload", reason: "did not sign this", set: func(w *verifyWorld) {
			b := bundle{payload: statementOf(w), hint: w.a.hint()}
			b.signature = w.a.sign(b.payload)
			w.bundle(w.image, must(encodeBundle(b)))
		}},
		{name: "envelope without a signature", reason: "it has 0 signatures, not one", set: func(w *verifyWorld) {
			b := must(decodeBundle(bundleOf(w)))
			w.bundle(w.image, edited(t, bundleOf(w), `"signatures":`, `"signatures":[],"x":`)) // not known
			w.bundle(w.image, edited(t, must(encodeBundle(b)), `[{"sig":"`+base64Of(b.signature)+`"}]`, `[]`))
		}},
		{name: "envelope with two signatures", reason: "it has 2 signatures, not one", set: func(w *verifyWorld) {
			w.bundle(w.image, edited(t, bundleOf(w), `"signatures":[`, `"signatures":[{"sig":"MEU="},`))
		}},
		{name: "envelope of another payload type", reason: "its payload type is", set: func(w *verifyWorld) {
			w.bundle(w.image, edited(t, bundleOf(w), statementMediaType, "application/vnd.in-toto.other+json"))
		}},
		{name: "signature of bytes", reason: "messageSignature", set: func(w *verifyWorld) {
			w.bundle(w.image, edited(t, bundleOf(w), `"dsseEnvelope":{`, `"messageSignature":{"signature":"MEU="},"dsseEnvelope":{`))
		}},
		{name: "payload of another type", reason: "critical.type is", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagSignatures, w.a.payloadOf(w.memory, edited(t, payloadOf(w), "cosign container image signature", "atomic container signature")))
		}},
		{name: "payload without a signature", reason: "annotation dev.cosignproject.cosign/signature: it is empty", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagSignatures, w.put(payloadMediaType, payloadOf(w)))
		}},
		{name: "a name twice in the bundle", reason: "twice in one object", set: func(w *verifyWorld) {
			w.bundle(w.image, edited(t, bundleOf(w), `{"mediaType"`, `{"mediaType":"x","mediaType"`))
		}},
		{name: "a name twice in the statement", reason: "twice in one object", set: func(w *verifyWorld) {
			w.bundle(w.image, w.a.bundleOf(edited(t, statementOf(w), `{"_type"`, `{"predicateType":"x","_type"`)))
		}},
		{name: "a name twice in the payload", reason: "twice in one object", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagSignatures, w.a.payloadOf(w.memory, edited(t, payloadOf(w), `"docker-manifest-digest"`, `"docker-manifest-digest":"x","docker-manifest-digest"`)))
		}},
		{name: "subject that is not sha256", reason: "sha512", set: func(w *verifyWorld) {
			w.bundle(w.image, w.a.bundleOf(edited(t, statementOf(w), `"sha256":"`+w.image.Descriptor.Digest.Encoded(), `"sha512":"`+digest.SHA512.FromString("x").Encoded())))
		}},
		{name: "subject with two digests", reason: "sha512", set: func(w *verifyWorld) {
			w.bundle(w.image, w.a.bundleOf(edited(t, statementOf(w), `"sha256":`, `"sha512":"`+digest.SHA512.FromString("x").Encoded()+`","sha256":`)))
		}},
		{name: "statement about nothing", reason: "it has no subject", set: func(w *verifyWorld) {
			s := signatureOf(w.image, nil)
			s.subjects = nil
			w.bundle(w.image, w.a.bundle(s))
		}},
		{name: "bundle beside another layer", reason: "it has 2 layers", set: func(w *verifyWorld) {
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, w.put(bundleMediaType, bundleOf(w)), w.put(bundleMediaType, bundleOf(w)))
		}},
		{name: "bundle of another version", reason: "it is a bundle of media type", set: func(w *verifyWorld) {
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, w.put("application/vnd.dev.sigstore.bundle+json;version=0.2", bundleOf(w)))
		}},
		{name: "bundle that is too large", reason: "at most", set: func(w *verifyWorld) {
			layer := w.put(bundleMediaType, bundleOf(w))
			layer.Size = maxBundleSize + 1
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
		}},
		{name: "bundle of no size", reason: "at most", set: func(w *verifyWorld) {
			layer := w.put(bundleMediaType, bundleOf(w))
			layer.Size = -1
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
		}},
		{name: "bundle longer than its descriptor says", reason: "its descriptor says", set: func(w *verifyWorld) {
			layer := w.put(bundleMediaType, bundleOf(w))
			layer.Size--
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
		}},
		{name: "bundle with another digest", reason: "integrity check failed: its bytes have the digest", set: func(w *verifyWorld) {
			layer := w.put(bundleMediaType, w.b.bundle(signatureOf(w.image, nil)))
			good := w.a.bundle(signatureOf(w.image, nil))
			layer.Size = int64(len(good))
			w.data[layer.Digest] = good
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
		}},
		{name: "manifest that is too large", reason: "its manifest has 1048577 bytes", set: func(w *verifyWorld) {
			d := w.bundle(w.image, bundleOf(w))
			w.referrers[w.image.Descriptor.Digest][0].Size = maxReferrerSize + 1
			delete(w.data, d.Digest)
		}},
		{name: "list with a wrong size", reason: "bytes, its descriptor says 77, in the list of referrers of sha256:", set: func(w *verifyWorld) {
			w.bundle(w.image, bundleOf(w))
			w.referrers[w.image.Descriptor.Digest][0].Size = 77
		}},
		{name: "manifest with another digest", reason: "integrity check failed: its bytes have the digest", set: func(w *verifyWorld) {
			d := w.bundle(w.image, bundleOf(w))
			w.data[d.Digest] = []byte(strings.ToUpper(string(w.data[d.Digest])))
		}},
		{name: "manifest that is none", reason: "it is not JSON", set: func(w *verifyWorld) {
			d := w.put("application/vnd.oci.image.manifest.v1+json", []byte("<html>"))
			w.referrers[w.image.Descriptor.Digest] = append(w.referrers[w.image.Descriptor.Digest], d)
		}},
		{name: "tag that names no manifest", reason: "integrity check failed", set: func(w *verifyWorld) {
			w.fail["tag "+content.DigestTag(w.image.Descriptor.Digest, content.DigestTagSignatures)] = fmt.Errorf("%w: no manifest", content.ErrIntegrity)
		}},
		{name: "signature where attestations are kept", reason: "it is a signature where attestations are kept", set: func(w *verifyWorld) {
			w.tag(w.image, content.DigestTagAttestation, w.a.envelope(w.memory, signatureOf(w.image, nil)))
		}},
		{name: "signatures and attestations in one manifest", reason: "both signatures and attestations", set: func(w *verifyWorld) {
			w.refer(w.image, oci11ArtifactType, oci11ArtifactType, nil, w.a.payload(w.memory, w.image, nil), w.a.envelope(w.memory, signatureOf(w.image, nil)))
		}},
	} {
		c.want = StatusUntrusted
		t.Run(c.name, c.run)
		set := c.set
		c.want, c.set = StatusVerified, func(w *verifyWorld) { set(w); w.signBundle(w.a) }
		t.Run(c.name+", beside a good one", c.run)
	}
}

// TestVerifyMissing has signatures that are listed, but not there: without them it cannot be found out whether the image is
// signed.
func TestVerifyMissing(t *testing.T) {
	for _, c := range []verifyCase{
		{name: "bundle that is not there", reason: "not found", set: func(w *verifyWorld) {
			layer := w.put(bundleMediaType, w.a.bundle(signatureOf(w.image, nil)))
			w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
			delete(w.data, layer.Digest)
		}},
		{name: "manifest that is not there", reason: "not found", set: func(w *verifyWorld) {
			delete(w.data, w.bundle(w.image, w.a.bundle(signatureOf(w.image, nil))).Digest)
		}},
		{name: "untyped manifest that is not there", reason: "not found", set: func(w *verifyWorld) {
			d := w.refer(w.image, "", "", nil, w.put(bundleMediaType, w.a.bundle(signatureOf(w.image, nil))))
			delete(w.data, d.Digest)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t)
			w := newVerifyWorld(t)
			c.set(w)
			if _, err := Verify(t.Context(), w, w.image, Requirements{Keys: []*Key{w.a.Key}}); !errors.Is(err, content.ErrNotFound) {
				t.Error(err)
			}
		})
		set := c.set
		c.set = func(w *verifyWorld) { set(w); w.signBundle(w.b) }
		t.Run(c.name+", beside one by another key", c.run)
		c.want, c.set = StatusVerified, func(w *verifyWorld) { set(w); w.signBundle(w.a) }
		t.Run(c.name+", beside a good one", c.run)
	}
}

// TestVerifyFailsClosed has what cannot be found out: it is an error, also beside a good
// signature.
func TestVerifyFailsClosed(t *testing.T) {
	refused := errors.New("403 Forbidden")
	refuse := func(what func(w *verifyWorld) string) func(w *verifyWorld) {
		return func(w *verifyWorld) { w.signBundle(w.a); w.signLegacy(w.a); w.fail[what(w)] = refused }
	}
	for _, c := range []verifyCase{
		{name: "referrers", reason: "403", set: refuse(func(w *verifyWorld) string { return "referrers " + string(w.image.Descriptor.Digest) })},
		{name: "tag of signatures", reason: "403", set: refuse(func(w *verifyWorld) string {
			return "tag " + content.DigestTag(w.image.Descriptor.Digest, content.DigestTagSignatures)
		})},
		{name: "tag of attestations", reason: "403", set: refuse(func(w *verifyWorld) string {
			return "tag " + content.DigestTag(w.image.Descriptor.Digest, content.DigestTagAttestation)
		})},
		{name: "manifest", reason: "403", set: refuse(func(w *verifyWorld) string {
			return "manifest " + string(w.bundle(w.image, w.b.bundle(signatureOf(w.image, nil))).Digest)
		})},
		{name: "blob", reason: "403", set: refuse(func(w *verifyWorld) string {
			return "blob " + string(w.a.payload(w.memory, w.image, nil).Digest)
		})},
		{name: "too many referrers", reason: "1001 manifests refer to it; at most 1000 are read", set: func(w *verifyWorld) {
			w.signBundle(w.a)
			for i := range maxReferrers {
				w.refer(w.image, "application/x", "application/x", map[string]string{"n": fmt.Sprint(i)})
			}
		}},
		{name: "too many bytes", reason: "together", set: func(w *verifyWorld) {
			w.signBundle(w.a)
			for i := range maxEvidence/maxBundleSize + 1 {
				layer := w.put(bundleMediaType, []byte{byte(i)})
				layer.Size = maxBundleSize
				w.refer(w.image, bundleMediaType, bundleMediaType, nil, layer)
			}
		}},
		{name: "too many bytes of referrers", reason: "the manifests that refer to it have", set: func(w *verifyWorld) {
			w.signBundle(w.a)
			for i := range maxReferrerBytes/maxReferrerSize + 1 {
				d := w.refer(w.image, "application/x", "application/x", map[string]string{"n": fmt.Sprint(i)})
				list := w.referrers[w.image.Descriptor.Digest]
				d.Size = maxReferrerSize
				list[len(list)-1] = d
			}
		}},
		{name: "too many signatures", reason: "signatures and attestations; at most", set: func(w *verifyWorld) {
			w.signBundle(w.a)
			layers := slices.Repeat([]content.Descriptor{w.a.payload(w.memory, w.image, nil)}, maxContents)
			for i := range maxEvidenceCount/maxContents + 1 {
				w.refer(w.image, oci11ArtifactType, oci11ArtifactType, map[string]string{"n": fmt.Sprint(i)}, layers...)
			}
		}},
		{name: "no image but a page", reason: "not a manifest", set: func(w *verifyWorld) {
			w.image.Content = []byte("<html>log in</html>")
			w.image.Descriptor = w.put("", w.image.Content)
			w.signBundle(w.a)
		}},
		{name: "image that is another", reason: "integrity check failed", set: func(w *verifyWorld) {
			w.signBundle(w.a)
			w.image.Content = w.other.Content
		}},
	} {
		t.Run(c.name, c.run)
	}
}
