package sign

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestVerifyWhatCosignWrote has signatures of cosign v3.1.3: testdata/cosign/README.
func TestVerifyWhatCosignWrote(t *testing.T) {
	store := layout.New("testdata/cosign/layout")
	keys := map[string]*Key{}
	for _, name := range []string{"p256", "p384", "rsa", "ed25519"} {
		pem, err := os.ReadFile("testdata/cosign/" + name + ".pub")
		check(t, err)
		keys[name], err = ParsePublicKey(name, pem)
		check(t, err)
	}
	const slsa = "https://slsa.dev/provenance/v1"
	prod := map[string]string{"env": "prod"}
	for _, test := range []struct {
		tag, key  string
		require   Requirements
		format    Format
		algorithm Algorithm
		want      error
	}{
		{tag: "bundle-p256", key: "p256", require: Requirements{Annotations: prod}, format: FormatBundle, algorithm: ECDSAP256SHA256},
		{tag: "bundle-p384", key: "p384", require: Requirements{Annotations: prod}, format: FormatBundle, algorithm: ECDSAP384SHA384},
		{tag: "bundle-rsa", key: "rsa", require: Requirements{Annotations: prod}, format: FormatBundle, algorithm: RSAPKCS1v15SHA256},
		{tag: "legacy-p256", key: "p256", require: Requirements{Annotations: prod}, format: FormatLegacy, algorithm: ECDSAP256SHA256},
		{tag: "legacy-p384", key: "p384", require: Requirements{Annotations: prod}, format: FormatLegacy, algorithm: ECDSAP384SHA384},
		{tag: "legacy-rsa", key: "rsa", require: Requirements{Annotations: prod}, format: FormatLegacy, algorithm: RSAPKCS1v15SHA256},
		{tag: "legacy-ed25519", key: "ed25519", require: Requirements{Annotations: prod}, format: FormatLegacy, algorithm: Ed25519ph},
		{tag: "oci-1-1", key: "p256", format: FormatOCI11, algorithm: ECDSAP256SHA256},
		{tag: "mixed", key: "p256", format: FormatLegacy, algorithm: ECDSAP256SHA256},
		{tag: "mixed", key: "p384", format: FormatBundle, algorithm: ECDSAP384SHA384},
		{tag: "attest-and-sign", key: "p256", require: Requirements{PredicateTypes: []string{slsa}}, format: FormatBundle, algorithm: ECDSAP256SHA256},
		{tag: "index", key: "p256", require: Requirements{Platforms: true}, format: FormatBundle, algorithm: ECDSAP256SHA256},
		{tag: "attest-bundle", key: "p256", require: Requirements{PredicateTypes: []string{slsa}, AttestationsOnly: true}},
		{tag: "attest-legacy", key: "p256", require: Requirements{PredicateTypes: []string{slsa}, AttestationsOnly: true}},

		{tag: "attest-bundle", key: "p256", want: ErrUnsigned},
		{tag: "attest-legacy", key: "p256", want: ErrUnsigned},
		{tag: "attest-bundle", key: "p384", require: Requirements{PredicateTypes: []string{slsa}, AttestationsOnly: true}, want: ErrUntrusted},
		{tag: "bundle-p256", key: "p384", want: ErrUntrusted},
		{tag: "legacy-p256", key: "p384", want: ErrUntrusted},
		{tag: "bundle-p256", key: "p256", require: Requirements{Annotations: map[string]string{"env": "test"}}, want: ErrUntrusted},
		{tag: "legacy-p256", key: "p256", require: Requirements{Annotations: map[string]string{"env": "test"}}, want: ErrUntrusted},
		{tag: "mixed", key: "rsa", want: ErrUntrusted},
	} {
		t.Run(test.tag+" by "+test.key, func(t *testing.T) {
			m, err := store.Resolve(t.Context(), test.tag)
			check(t, err)
			test.require.Keys = []*Key{keys[test.key]}
			v, err := Verify(t.Context(), store, m, test.require)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.want != nil {
				return
			}
			for _, p := range append(v.Platforms, v) {
				if !test.require.AttestationsOnly && (len(p.Signatures) != 1 || p.Signatures[0].Format != test.format || p.Signatures[0].Algorithm != test.algorithm) {
					t.Errorf("signatures %+v", p.Signatures)
				}
				if len(p.Attestations) != len(test.require.PredicateTypes) {
					t.Errorf("attestations %+v", p.Attestations)
				}
			}
			if want := map[bool]int{true: 2}[test.require.Platforms]; len(v.Platforms) != want {
				t.Errorf("platforms %+v", v.Platforms)
			}
			if test.format == FormatLegacy && !strings.HasSuffix(v.Signatures[0].Repository, "/app") {
				t.Errorf("repository %q", v.Signatures[0].Repository)
			}
		})
	}
}
