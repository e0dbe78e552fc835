package sign

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestAttest(t *testing.T) {
	signer, _ := newTestSigner(t, "release.key")
	predicate := Predicate{Type: "https://spdx.dev/Document", Content: json.RawMessage(`{ "spdxVersion": "SPDX-2.3", "n": 12345678901234567890.10, "html": "<&>" }`)}
	for name, store := range testStores(t) {
		m := push(t, store, 1)
		signed, err := Attest(t.Context(), store, m, signer, predicate, Options{Now: at, Formats: []Format{FormatLegacy}, Recursive: true})
		check(t, err)
		b, err := decodeBundle(signed.Bundle)
		check(t, err)
		if want := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":"https://spdx.dev/Document","predicate":{"spdxVersion":"SPDX-2.3","n":12345678901234567890.10,"html":"<&>"}}`, m.Descriptor.Digest.Encoded()); string(b.payload) != want {
			t.Errorf("%s: got %s\nwant %s", name, b.payload, want)
		}
		again, err := Attest(t.Context(), store, m, signer, predicate, Options{})
		if check(t, err); !again.Existed || again.Signature != signed.Signature {
			t.Errorf("%s: %+v", name, again)
		}
		other := predicate
		other.Content = json.RawMessage(`{"spdxVersion":"SPDX-2.2"}`)
		again, err = Attest(t.Context(), store, m, signer, other, Options{})
		if check(t, err); again.Existed {
			t.Errorf("%s: %+v", name, again)
		}
		// An attestation is no signature.
		if signed := mustSign(t, store, m, signer, Options{}); signed[0].Existed {
			t.Errorf("%s: %+v", name, signed)
		}
	}
	store := testStores(t)["referrers"]
	m := push(t, store, 1)
	for _, p := range []Predicate{
		{"spdx", json.RawMessage(`{}`)},
		{"", json.RawMessage(`{}`)},
		{signaturePredicateType, json.RawMessage(`{}`)},
		{predicate.Type, json.RawMessage(`[]`)},
		{predicate.Type, json.RawMessage(`{"a":1,"a":2}`)},
		{predicate.Type, json.RawMessage(`{} {}`)},
		{predicate.Type, nil},
		{predicate.Type, json.RawMessage(`{"a":"` + strings.Repeat("x", maxPredicateSize) + `"}`)},
	} {
		if _, err := Attest(t.Context(), store, m, signer, p, Options{}); err == nil || !strings.Contains(err.Error(), "predicate") {
			t.Errorf("%q %.20s: %v", p.Type, p.Content, err)
		}
	}
}
