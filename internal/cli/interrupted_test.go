package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// TestInterrupted ends commands at the first of several images: those after it are not
// done, and the exit code is that of a failure.
func TestInterrupted(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, pem := range map[string][]byte{"release.key": private, "release.pub": public} {
		if err := os.WriteFile(filepath.Join(dir, name), pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image := "oci:" + filepath.Join(dir, "none") + ":1" // in a layout without images
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{"schemaVersion":2,"manifests":[]}`} {
		if err := os.WriteFile(filepath.Join(dir, "none", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := func(key string) (string, bool) {
		value, ok := map[string]string{"HOME": dir}[key]
		return value, ok
	}
	for _, args := range [][]string{
		{"sign", image, image, image, "--key", filepath.Join(dir, "release.key")},
		{"verify", image, image, image, "--key", filepath.Join(dir, "release.pub")},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out bytes.Buffer
		if code := Main(ctx, args, nil, &out, &out, env); code != exitFailed {
			t.Errorf("%s: exit code %d, want %d: %s", args[0], code, exitFailed, out.String())
		}
	}
}
