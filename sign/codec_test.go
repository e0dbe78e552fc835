package sign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// Documents as cosign v3.1.3 writes them.
const (
	cosignHex       = "29b44a71a4e3b1ee2b4b5a2b1e6a2a6fe8f2cfc2b8ac4e2c7f5f0e7d8d6c5b4a"
	cosignStatement = `{"_type":"https://in-toto.io/Statement/v1", "subject":[{"digest":{"sha256":"` + cosignHex + `"}, "annotations":{"env":"prod"}}], "predicateType":"https://sigstore.dev/cosign/sign/v1", "predicate":{}}`
	cosignAttested  = `{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"127.0.0.1:5000/app","digest":{"sha256":"` + cosignHex + `"}}],"predicateType":"https://spdx.dev/Document","predicate":{"Path":1,"PATH":2}}`
	cosignPayload   = `{"critical":{"identity":{"docker-reference":"127.0.0.1:5000/app"},"image":{"docker-manifest-digest":"sha256:` + cosignHex + `"},"type":"cosign container image signature"},"optional":{"env":"prod","ver":"1.2"}}`
	cosignHint      = "uVN9vbVnsxwAuxZXAbsfuNPqLsm0mmYDGdNWdqPO0iE="
)

func cosignBundle() string {
	return `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"` + cosignHint + `"}},"dsseEnvelope":{"payload":"` +
		base64.StdEncoding.EncodeToString([]byte(cosignStatement)) + `","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"MEUCIQ=="}]}}`
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refusal is a document that is changed so that it must be refused.
type refusal struct{ name, old, new, want string }

func (r refusal) expect(t *testing.T, document string, decode func([]byte) error) {
	t.Helper()
	if !strings.Contains(document, r.old) {
		t.Fatalf("%s: the document has no %q", r.name, r.old)
	}
	err := decode([]byte(strings.Replace(document, r.old, r.new, 1)))
	if err == nil || !strings.Contains(err.Error(), r.want) {
		t.Errorf("%s: got %v, want %q", r.name, err, r.want)
	}
}

func TestBundle(t *testing.T) {
	b, err := decodeBundle([]byte(cosignBundle()))
	check(t, err)
	if string(b.payload) != cosignStatement || string(b.signature) != "0E\x02!" || b.hint != cosignHint || b.certificate {
		t.Errorf("got %+v", b)
	}
	again, err := encodeBundle(b)
	check(t, err)
	if string(again) != cosignBundle() {
		t.Errorf("got %s", again)
	}
	if got, want := string(b.signed()), fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d %s", len(cosignStatement), cosignStatement); got != want {
		t.Errorf("signed %s", got)
	}

	for _, accepted := range []refusal{
		{"with entries of a log", `"publicKey"`, `"tlogEntries":[{"x":1}],"timestampVerificationData":{},"publicKey"`, ""},
		{"with an empty keyid", `"sig":`, `"keyid":"","sig":`, ""},
		{"without a hint", `"hint":"` + cosignHint + `"`, "", ""},
	} {
		if _, err := decodeBundle([]byte(strings.Replace(cosignBundle(), accepted.old, accepted.new, 1))); err != nil {
			t.Errorf("%s: %v", accepted.name, err)
		}
	}
	b, err = decodeBundle([]byte(strings.Replace(cosignBundle(), `"publicKey":{"hint":"`+cosignHint+`"}`, `"certificate":{"rawBytes":"AA=="}`, 1)))
	if check(t, err); !b.certificate || b.hint != "" {
		t.Errorf("got %+v", b)
	}

	for _, r := range []refusal{
		{"version in a parameter", ".bundle.v0.3+json", ".bundle+json;version=0.3", "media type"},
		{"version 0.1", "v0.3", "v0.1", "media type"},
		{"no media type", `"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",`, "", "media type"},
		{"two signatures", `[{"sig":"MEUCIQ=="}]`, `[{"sig":"MEUCIQ=="},{"sig":"MEUCIQ=="}]`, "2 signatures"},
		{"no signature", `[{"sig":"MEUCIQ=="}]`, `[]`, "0 signatures"},
		{"no signatures", `,"signatures":[{"sig":"MEUCIQ=="}]`, ``, "0 signatures"},
		{"an empty signature", `"MEUCIQ=="`, `""`, "empty"},
		{"a signature without padding", `"MEUCIQ=="`, `"MEUCIQ"`, "base64"},
		{"a signature with other last bits", `"MEUCIQ=="`, `"MEUCIR=="`, "base64"},
		{"a large signature", `"MEUCIQ=="`, `"` + strings.Repeat("AAAA", 4000) + `"`, "longer"},
		{"another payload type", "application/vnd.in-toto+json", "application/json", "payload type"},
		{"another payload type by a second member", `"payloadType":`, `"payloadType":"text/plain","payloadType":`, "twice"},
		{"a member in other letters", `"payloadType":`, `"PayloadType":"text/plain","payloadType":`, "not known"},
		{"a message signature", `"dsseEnvelope":{`, `"messageSignature":{},"dsseEnvelope":{`, "messageSignature"},
		{"only a message signature", `"dsseEnvelope":{`, `"messageSignature":{`, "messageSignature"},
		{"the name of the protocol buffer", `"dsseEnvelope"`, `"dsse_envelope"`, "not known"},
		{"no envelope", cosignBundle()[strings.Index(cosignBundle(), `,"dsse`):], `}`, "no envelope"},
		{"no material", `"verificationMaterial":{"publicKey":{"hint":"` + cosignHint + `"}},`, ``, "verificationMaterial"},
		{"no signer", `"publicKey":{"hint":"` + cosignHint + `"}`, ``, "0 signers"},
		{"two signers", `"publicKey"`, `"certificate":{},"publicKey"`, "2 signers"},
		{"more after it", `}]}}`, `}]}}{}`, "JSON"},
		{"a name twice deep in it", `"publicKey"`, `"tlogEntries":[{"a":[{"x":1,"\u0078":2}]}],"publicKey"`, `"x" appears twice`},
		{"not UTF-8", cosignHint, "\xff", "UTF-8"},
		{"deep nesting", `"publicKey"`, `"tlogEntries":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `,"publicKey"`, "deep"},
		{"null", cosignBundle(), "null", "null"},
		{"nothing", cosignBundle(), "", "JSON"},
	} {
		r.expect(t, cosignBundle(), func(data []byte) error { _, err := decodeBundle(data); return err })
	}
	if _, err := decodeBundle([]byte(cosignBundle() + strings.Repeat(" ", maxBundleSize))); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a large bundle: %v", err)
	}
}

func TestStatement(t *testing.T) {
	d := digest.Digest("sha256:" + cosignHex)
	s, err := decodeStatement([]byte(cosignStatement))
	check(t, err)
	about, ok := s.about(d)
	if !ok || s.predicateType != signaturePredicateType || !maps.Equal(about.annotations, map[string]string{"env": "prod"}) || string(s.predicate) != "{}" {
		t.Errorf("got %+v", s)
	}
	if _, ok := s.about(digest.FromString("another image")); ok {
		t.Error("it is about another image")
	}
	written, err := encodeStatement(s)
	check(t, err)
	if want := strings.NewReplacer(`, "`, `,"`, `"digest":{"sha256":"`+cosignHex+`"}, `, `"digest":{"sha256":"`+cosignHex+`"},`).Replace(cosignStatement); string(written) != want {
		t.Errorf("got %s\nwant %s", written, want)
	}

	s, err = decodeStatement([]byte(cosignAttested))
	check(t, err)
	if s.predicateType != "https://spdx.dev/Document" || s.subjects[0].name != "127.0.0.1:5000/app" || string(s.predicate) != `{"Path":1,"PATH":2}` {
		t.Errorf("got %+v", s)
	}

	for _, r := range []refusal{
		{"another type", "Statement/v1", "Statement/v2", "type"},
		{"no type", `"_type":"https://in-toto.io/Statement/v1", `, "", "type"},
		{"no predicate type", `"predicateType":"https://sigstore.dev/cosign/sign/v1", `, "", "predicateType"},
		{"no subject", `[{"digest":{"sha256":"` + cosignHex + `"}, "annotations":{"env":"prod"}}]`, "[]", "no subject"},
		{"a subject without a digest", `"digest":{"sha256":"` + cosignHex + `"}, `, "", "digest: it is missing"},
		{"a subject with no digest", `"sha256":"` + cosignHex + `"`, "", "digest"},
		{"another algorithm", `"sha256":"`, `"sha512":"` + cosignHex, `"sha512", which is not known`},
		{"two digests", `"sha256":"`, `"sha1":"x","sha256":"`, "not known"},
		{"an upper-case digest", cosignHex, strings.ToUpper(cosignHex), "digest"},
		{"a short digest", cosignHex, cosignHex[1:], "digest"},
		{"a digest twice", `"sha256":"`, `"sha256":"` + strings.Repeat("0", 64) + `","sha256":"`, "twice"},
		{"a member in other letters", `"predicate":`, `"Predicate":`, "not known"},
		{"annotations that are a list", `{"env":"prod"}`, `["env"]`, "annotations"},
		{"an annotation twice", `{"env":"prod"}`, `{"env":"test","env":"prod"}`, "twice"},
	} {
		r.expect(t, cosignStatement, func(data []byte) error { _, err := decodeStatement(data); return err })
	}
}

func TestPayload(t *testing.T) {
	want := simplePayload{repository: "127.0.0.1:5000/app", digest: "sha256:" + cosignHex, annotations: map[string]string{"env": "prod", "ver": "1.2"}}
	p, err := decodePayload([]byte(cosignPayload))
	check(t, err)
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v", p)
	}
	written, err := encodePayload(p)
	check(t, err)
	if string(written) != cosignPayload {
		t.Errorf("got %s", written)
	}
	written, err = encodePayload(simplePayload{repository: "h/app", digest: want.digest})
	check(t, err)
	if !strings.HasSuffix(string(written), `"optional":null}`) {
		t.Errorf("got %s", written)
	}
	p, err = decodePayload(written)
	if check(t, err); p.annotations == nil || len(p.annotations) != 0 {
		t.Errorf("got %+v", p)
	}
	// As podman and skopeo write it.
	p, err = decodePayload([]byte(strings.Replace(cosignPayload, `"ver":"1.2"`, `"timestamp":1700000000,"creator":"x"`, 1)))
	if check(t, err); !maps.Equal(p.annotations, map[string]string{"env": "prod", "creator": "x"}) {
		t.Errorf("got %+v", p)
	}

	for _, r := range []refusal{
		{"another type", "cosign container", "atomic container", "critical.type"},
		{"a type in other letters", "cosign container", "Cosign container", "critical.type"},
		{"no type", `,"type":"cosign container image signature"`, ``, "critical.type"},
		{"more that is critical", `"critical":{`, `"critical":{"until":1,`, "not known"},
		{"a second digest", `"docker-manifest-digest":`, `"docker-manifest-digest":"sha256:` + strings.Repeat("0", 64) + `","docker-manifest-digest":`, "twice"},
		{"a second digest in other letters", `"docker-manifest-digest":`, `"Docker-Manifest-Digest":"sha256:` + strings.Repeat("0", 64) + `","docker-manifest-digest":`, "not known"},
		{"no digest", `"docker-manifest-digest":"sha256:` + cosignHex + `"`, ``, "digest"},
		{"another algorithm", "sha256:" + cosignHex, "sha512:" + cosignHex + cosignHex, "sha256"},
		{"no image", `"image":{"docker-manifest-digest":"sha256:` + cosignHex + `"},`, ``, "critical.image: it is missing"},
		{"no identity", `"identity":{"docker-reference":"127.0.0.1:5000/app"},`, ``, "critical.identity: it is missing"},
		{"nothing critical", cosignPayload, `{"optional":{}}`, "critical: it is missing"},
		{"a list", `{"env":"prod","ver":"1.2"}`, `[]`, "optional"},
		{"large", `"prod"`, `"` + strings.Repeat("x", maxPayloadSize) + `"`, "at most"},
	} {
		r.expect(t, cosignPayload, func(data []byte) error { _, err := decodePayload(data); return err })
	}
}

// A document that was accepted means the same to encoding/json, and after it was
// written again.

func FuzzDecodeBundle(f *testing.F) {
	f.Add([]byte(cosignBundle()))
	f.Add([]byte(strings.Replace(cosignBundle(), `"publicKey"`, `"tlogEntries":[],"publicKey"`, 1)))
	f.Add([]byte(strings.Replace(cosignBundle(), `"publicKey"`, `"certificate"`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBundle(data)
		if err != nil || b.certificate {
			return
		}
		var other struct {
			DSSEEnvelope struct {
				PayloadType string
				Signatures  []struct{}
			}
		}
		check(t, json.Unmarshal(data, &other))
		if other.DSSEEnvelope.PayloadType != statementMediaType || len(other.DSSEEnvelope.Signatures) != 1 {
			t.Errorf("encoding/json reads %+v", other)
		}
		written, err := encodeBundle(b)
		check(t, err)
		again, err := decodeBundle(written)
		if check(t, err); !reflect.DeepEqual(again, b) {
			t.Errorf("%+v becomes %+v", b, again)
		}
	})
}

func FuzzDecodeStatement(f *testing.F) {
	f.Add([]byte(cosignStatement))
	f.Add([]byte(cosignAttested))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeStatement(data)
		if err != nil {
			return
		}
		var other struct {
			PredicateType string
			Subject       []struct{ Digest map[string]string }
		}
		check(t, json.Unmarshal(data, &other))
		if other.PredicateType != s.predicateType || len(other.Subject) != len(s.subjects) {
			t.Fatalf("encoding/json reads %+v", other)
		}
		for i, each := range s.subjects {
			if len(other.Subject[i].Digest) != 1 || "sha256:"+other.Subject[i].Digest["sha256"] != string(each.digest) {
				t.Errorf("encoding/json reads %+v", other)
			}
		}
		written, err := encodeStatement(s)
		check(t, err)
		again, err := decodeStatement(written)
		check(t, err)
		if !reflect.DeepEqual(again.subjects, s.subjects) || again.predicateType != s.predicateType {
			t.Errorf("%+v becomes %+v", s, again)
		}
	})
}

func FuzzDecodePayload(f *testing.F) {
	f.Add([]byte(cosignPayload))
	f.Add([]byte(strings.Replace(cosignPayload, `"prod"`, `1.5e3`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePayload(data)
		if err != nil {
			return
		}
		var other struct {
			Critical struct {
				Image struct {
					Digest string `json:"docker-manifest-digest"`
				}
			}
		}
		check(t, json.Unmarshal(data, &other))
		if other.Critical.Image.Digest != string(p.digest) {
			t.Errorf("encoding/json reads %+v", other)
		}
		written, err := encodePayload(p)
		check(t, err)
		again, err := decodePayload(written)
		if check(t, err); !reflect.DeepEqual(again, p) {
			t.Errorf("%+v becomes %+v", p, again)
		}
	})
}
