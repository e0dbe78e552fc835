package sign

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// sameJSON compares two documents but for the order of members.
func sameJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	var a, b any
	check(t, json.Unmarshal(got, &a))
	check(t, json.Unmarshal([]byte(want), &b))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s: got %s\nwant %s", what, got, want)
	}
}

// TestSignBundle compares with what cosign writes, in all kinds of store.
func TestSignBundle(t *testing.T) {
	signer, _ := newTestSigner(t, "release.key")
	for name, store := range testStores(t) {
		m := push(t, store, 1)
		signed := mustSign(t, store, m, signer, Options{Annotations: map[string]string{"env": "prod", "q": "<&>"}})
		if len(signed) != 1 || signed[0].Digest != m.Descriptor.Digest || signed[0].Format != FormatBundle || signed[0].Existed || signed[0].Tag != "" {
			t.Fatalf("%s: %+v", name, signed)
		}
		tags, err := store.Tags(t.Context())
		check(t, err)
		fallback := attachedTag(m.Descriptor.Digest, "")
		if want := []string{"1"}; !slices.Equal(slices.DeleteFunc(tags, func(tag string) bool { return tag == fallback }), want) {
			t.Errorf("%s: tags %q", name, tags)
		}
		listed, err := store.Referrers(t.Context(), m.Descriptor.Digest)
		check(t, err)
		if len(listed) != 1 || listed[0].Digest != signed[0].Signature {
			t.Fatalf("%s: referrers %v", name, listed)
		}
		if name != "referrers" { // which lists other types
			if listed[0].ArtifactType != bundleMediaType || listed[0].Annotations[predicateTypeAnnotation] != signaturePredicateType {
				t.Errorf("%s: listed as %+v", name, listed[0])
			}
		}
		manifests, err := store.Manifests(t.Context(), listed)
		check(t, err)
		bundle := signed[0].Bundle
		sameJSON(t, name, manifests[0].Content, fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
			"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"},
			"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":%d,"digest":%q}],
			"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1","org.opencontainers.image.created":"2026-11-21T19:42:33Z"},
			"subject":{"mediaType":%q,"size":%d,"digest":%q},"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`,
			len(bundle), digest.FromBytes(bundle), m.Descriptor.MediaType, m.Descriptor.Size, m.Descriptor.Digest))
		if config := blobOf(t, store, content.Descriptor{Digest: ocispec.DescriptorEmptyJSON.Digest, Size: 2}); string(config) != "{}" {
			t.Errorf("%s: config %s", name, config)
		}
		if got := blobOf(t, store, content.Descriptor{Digest: digest.FromBytes(bundle), Size: int64(len(bundle))}); string(got) != string(bundle) {
			t.Errorf("%s: the bundle is %s", name, got)
		}
		payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q},"annotations":{"env":"prod","q":"<&>"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`, m.Descriptor.Digest.Encoded())
		sum := sha256.Sum256(signer.Key.der)
		b, err := decodeBundle(bundle)
		check(t, err)
		want := fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":%q}},"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":%q}]}}`,
			base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString([]byte(payload)), base64.StdEncoding.EncodeToString(b.signature))
		if string(bundle) != want {
			t.Errorf("%s: bundle %s\nwant %s", name, bundle, want)
		}
		if _, ok := signer.Key.verify(b.signed(), b.signature, nil); !ok {
			t.Errorf("%s: the signature is wrong", name)
		}
	}
}

// TestSignLegacy compares with what cosign writes, in all kinds of store.
func TestSignLegacy(t *testing.T) {
	signer, _ := newTestSigner(t, "release.key")
	for name, store := range testStores(t) {
		m := push(t, store, 1)
		signed := mustSign(t, store, m, signer, Options{Formats: []Format{FormatLegacy}, Annotations: map[string]string{"env": "prod"}})
		tag := strings.Replace(string(m.Descriptor.Digest), ":", "-", 1) + ".sig"
		list := resolve(t, store, tag)
		if len(signed) != 1 || signed[0].Format != FormatLegacy || signed[0].Tag != tag || signed[0].Signature != list.Descriptor.Digest {
			t.Fatalf("%s: %+v", name, signed)
		}
		repository := store.String()
		if name == "layout" {
			repository = "registry.example.com/app"
		}
		payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":{"env":"prod"}}`, repository, m.Descriptor.Digest)
		config := fmt.Sprintf(`{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":[%q]},"config":{}}`, digest.FromString(payload))
		var doc ocispec.Manifest
		check(t, json.Unmarshal(list.Content, &doc))
		sig := doc.Layers[0].Annotations["dev.cosignproject.cosign/signature"]
		sameJSON(t, name, list.Content, fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
			"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":%d,"digest":%q},
			"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":%d,"digest":%q,"annotations":{"dev.cosignproject.cosign/signature":%q}}]}`,
			len(config), digest.FromString(config), len(payload), digest.FromString(payload), sig))
		if got := blobOf(t, store, doc.Config); string(got) != config {
			t.Errorf("%s: config %s\nwant %s", name, got, config)
		}
		if got := blobOf(t, store, doc.Layers[0]); string(got) != payload {
			t.Errorf("%s: payload %s\nwant %s", name, got, payload)
		}
		raw, err := base64.StdEncoding.DecodeString(sig)
		check(t, err)
		if _, ok := signer.Key.verify([]byte(payload), raw, nil); !ok {
			t.Errorf("%s: the signature is wrong", name)
		}
	}
}

// TestSignAgain signs by two keys, twice each, in both formats.
func TestSignAgain(t *testing.T) {
	a, countA := newTestSigner(t, "a")
	b, _ := newTestSigner(t, "b")
	both := Options{Formats: []Format{FormatLegacy, FormatBundle, FormatLegacy}}
	for name, store := range testStores(t) {
		countA.signs.Store(0)
		m := push(t, store, 1)
		expect := func(step string, layers, referrers int, existed bool, signed []Signed) {
			t.Helper()
			var doc ocispec.Manifest
			check(t, json.Unmarshal(resolve(t, store, attachedTag(m.Descriptor.Digest, ".sig")).Content, &doc))
			listed, err := store.Referrers(t.Context(), m.Descriptor.Digest)
			check(t, err)
			if len(doc.Layers) != layers || len(listed) != referrers {
				t.Errorf("%s: %s: %d layers and %d referrers, want %d and %d", name, step, len(doc.Layers), len(listed), layers, referrers)
			}
			if len(signed) != 2 || signed[0].Format != FormatLegacy || signed[1].Format != FormatBundle || signed[0].Existed != existed || signed[1].Existed != existed {
				t.Errorf("%s: %s: %+v", name, step, signed)
			}
			if signed[1].Signature == "" || len(signed[1].Bundle) == 0 {
				t.Errorf("%s: %s: no bundle in %+v", name, step, signed[1])
			}
		}
		expect("a", 1, 1, false, mustSign(t, store, m, a, both))
		first := resolve(t, store, attachedTag(m.Descriptor.Digest, ".sig"))
		expect("a again", 1, 1, true, mustSign(t, store, m, a, both))
		if countA.signs.Load() != 2 {
			t.Errorf("%s: a has signed %d times", name, countA.signs.Load())
		}
		expect("b", 2, 2, false, mustSign(t, store, m, b, both))
		expect("b again", 2, 2, true, mustSign(t, store, m, b, both))
		with := both
		with.Annotations = map[string]string{"env": "prod"}
		expect("a with an annotation", 3, 3, false, mustSign(t, store, m, a, with))
		expect("a with an annotation again", 3, 3, true, mustSign(t, store, m, a, with))
		with.Force = true
		expect("a by force", 3, 4, false, mustSign(t, store, m, a, with))

		var before, after ocispec.Manifest
		check(t, json.Unmarshal(first.Content, &before))
		check(t, json.Unmarshal(resolve(t, store, attachedTag(m.Descriptor.Digest, ".sig")).Content, &after))
		if !reflect.DeepEqual(after.Layers[0], before.Layers[0]) {
			t.Errorf("%s: the first signature was %v and is %v", name, before.Layers[0], after.Layers[0])
		}
	}
}

// TestSignRefused has a key that refuses the last signature of all: nothing is written.
func TestSignRefused(t *testing.T) {
	for name, store := range testStores(t) {
		m := push(t, store, 2)
		signer, count := newTestSigner(t, "arn:aws:kms:us-east-1:000000000000:key/x")
		count.refuseFrom = 6
		opts := Options{Recursive: true, Formats: []Format{FormatBundle, FormatLegacy}, Repository: "registry.example.com/app"}
		signed, err := Sign(t.Context(), store, m, signer, opts)
		if err == nil || !strings.Contains(err.Error(), "signing with key arn:aws:kms:us-east-1:000000000000:key/x: the key is disabled") || len(signed) != 0 {
			t.Errorf("%s: %v, %v", name, signed, err)
		}
		tags, err := store.Tags(t.Context())
		check(t, err)
		images, err := imagetree.ReadTree(t.Context(), store, m)
		check(t, err)
		for _, image := range images {
			listed, err := store.Referrers(t.Context(), image.Descriptor.Digest)
			check(t, err)
			if len(listed) != 0 {
				t.Errorf("%s: %s has %v", name, image.Descriptor.Digest, listed)
			}
		}
		if !slices.Equal(tags, []string{"1"}) {
			t.Errorf("%s: tags %q", name, tags)
		}
	}
}

// TestSignTogether has several signers on one machine at once, in both formats: all
// signatures stay, however long each is held up.
func TestSignTogether(t *testing.T) {
	lockDir := t.TempDir()
	signTogether(t, Options{Formats: []Format{FormatBundle, FormatLegacy}, LockDir: lockDir, pause: time.Millisecond})
	files, err := os.ReadDir(lockDir)
	check(t, err)
	if len(files) == 0 {
		t.Error("nobody has locked anything")
	}
}

// TestSignTogetherElsewhere is the same of signers that do not know of each other and
// look again after writing, when no other is between reading and writing.
func TestSignTogetherElsewhere(t *testing.T) {
	signTogether(t, Options{Formats: []Format{FormatLegacy}, pause: time.Hour})
}

// longPauses is a clock on which a pause ends when all workers pause or have ended, which is what a
// pause is for that is longer than any work. Shorter waits are those of the machine.
type longPauses struct {
	retry.System
	mu              sync.Mutex
	working, paused int
	over            chan struct{} // closed at the end of the pause
}

func newLongPauses(workers int) *longPauses {
	return &longPauses{working: workers, over: make(chan struct{})}
}

// ended is the end of a worker.
func (c *longPauses) ended() { c.stop(0) }

// stop is the end of a worker, or the beginning of its pause, whose end closes over.
func (c *longPauses) stop(paused int) (over chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	over = c.over
	c.working--
	c.paused += paused
	if c.working == 0 {
		close(c.over)
		c.working, c.paused, c.over = c.paused, 0, make(chan struct{})
	}
	return over
}

// Sleep implements [retry.Clock].
func (c *longPauses) Sleep(ctx context.Context, d time.Duration) error {
	if d < time.Minute {
		return c.System.Sleep(ctx, d)
	}
	select {
	case <-c.stop(1):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func signTogether(t *testing.T, opts Options) {
	t.Helper()
	opts.Repository = "registry.example.com/app"
	const signers = 2
	bundles := 0
	if slices.Contains(opts.Formats, FormatBundle) {
		bundles = signers
	}
	stores := testStores(t)
	t.Run("stores", func(t *testing.T) { // ends when all of them have
		for name, store := range stores {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := push(t, store, 1)
				clock := newLongPauses(signers)
				ctx := retry.WithClock(t.Context(), clock)
				var wait sync.WaitGroup
				for i := range signers {
					signer, _ := newTestSigner(t, fmt.Sprint(i))
					wait.Go(func() {
						defer clock.ended()
						if _, err := Sign(ctx, store, m, signer, opts); err != nil {
							t.Error(err)
						}
					})
				}
				wait.Wait()
				var doc ocispec.Manifest
				check(t, json.Unmarshal(resolve(t, store, attachedTag(m.Descriptor.Digest, ".sig")).Content, &doc))
				listed, err := store.Referrers(t.Context(), m.Descriptor.Digest)
				check(t, err)
				if len(doc.Layers) != signers || len(listed) != bundles {
					t.Errorf("%d legacy signatures and %d bundles", len(doc.Layers), len(listed))
				}
			})
		}
	})
}

func TestSignOptions(t *testing.T) {
	signer, _ := newTestSigner(t, "release.key")
	stores := testStores(t)
	m := push(t, stores["layout"], 1)
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"a format that is read only":   {Options{Formats: []Format{FormatOCI11}}, `"oci-1-1"`},
		"a layout without repository":  {Options{Formats: []Format{FormatLegacy}}, "names the repository"},
		"a repository with a digest":   {Options{Formats: []Format{FormatLegacy}, Repository: "h.example/app@" + string(m.Descriptor.Digest)}, "names the repository"},
		"a repository with a tag":      {Options{Formats: []Format{FormatLegacy}, Repository: "h.example/app:1.0"}, "names the repository"},
		"an annotation without a name": {Options{Annotations: map[string]string{"": "x"}}, "annotation"},
		"an annotation not in UTF-8":   {Options{Annotations: map[string]string{"a": "\xff"}}, "annotation"},
	} {
		if _, err := Sign(t.Context(), stores["layout"], m, signer, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is signed is the digest: other bytes under it are not.
	changed := m
	changed.Content = append(slices.Clone(m.Content), ' ')
	if _, err := Sign(t.Context(), stores["layout"], changed, signer, Options{}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
}

// TestSignLayout leaves the image the only one of a layout.
func TestSignLayout(t *testing.T) {
	store := testStores(t)["layout"]
	m := push(t, store, 1)
	signer, _ := newTestSigner(t, "release.key")
	mustSign(t, store, m, signer, Options{Formats: []Format{FormatBundle, FormatLegacy}, Recursive: true})
	if only := resolve(t, store, ""); only.Descriptor.Digest != m.Descriptor.Digest {
		t.Errorf("the only image is %s", only.Descriptor.Digest)
	}
}
