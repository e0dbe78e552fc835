package sign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestSignKeepsLayers adds to a list that cosign has written, with all that it knows.
func TestSignKeepsLayers(t *testing.T) {
	signer, _ := newTestSigner(t, "release.key")
	store := testStores(t)["referrers"]
	m := push(t, store, 1)
	tag := attachedTag(m.Descriptor.Digest, ".sig")
	payload, config := newBlob(payloadMediaType, []byte(cosignPayload)), newBlob(ocispec.MediaTypeImageConfig, []byte(`{"config":{}}`))
	check(t, store.PutBlob(t.Context(), payload.Descriptor, strings.NewReader(cosignPayload)))
	check(t, store.PutBlob(t.Context(), config.Descriptor, strings.NewReader(`{"config":{}}`)))
	old := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":13,"digest":%q},
		"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":%d,"digest":%q,"annotations":{"dev.cosignproject.cosign/signature":"MEUCIQ==","dev.sigstore.cosign/bundle":"{\"x\":1}"}}],"annotations":{"of":"the list"}}`,
		config.Digest, payload.Size, payload.Digest)
	list := newBlob(ocispec.MediaTypeImageManifest, []byte(old))
	check(t, store.PutTagged(t.Context(), content.Manifest{Descriptor: list.Descriptor, Content: list.content}, tag))
	mustSign(t, store, m, signer, Options{Formats: []Format{FormatLegacy}})
	var before, after ocispec.Manifest
	check(t, json.Unmarshal([]byte(old), &before))
	check(t, json.Unmarshal(resolve(t, store, tag).Content, &after))
	if len(after.Layers) != 2 || !reflect.DeepEqual(after.Layers[0], before.Layers[0]) || !maps.Equal(after.Annotations, before.Annotations) {
		t.Errorf("got %+v", after)
	}
	sameJSON(t, "config", blobOf(t, store, after.Config), fmt.Sprintf(`{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"},{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":[%q,%q]},"config":{}}`,
		payload.Digest, after.Layers[1].Digest))

	// What is no list of signatures stays as it is.
	images, err := imagetree.ReadTree(t.Context(), store, m)
	check(t, err)
	for _, other := range images {
		check(t, store.PutTagged(t.Context(), other, tag))
		_, err := Sign(t.Context(), store, m, signer, Options{Formats: []Format{FormatLegacy}})
		if err == nil || !strings.Contains(err.Error(), tag) || resolve(t, store, tag).Descriptor.Digest != other.Descriptor.Digest {
			t.Errorf("got %v", err)
		}
	}
}

// TestSignFullList refuses a signature that nobody would read.
func TestSignFullList(t *testing.T) {
	l := newSignatureList()
	for i := range maxContents {
		l.manifest.Layers = append(l.manifest.Layers, newBlob(payloadMediaType, fmt.Append(nil, i)).Descriptor)
	}
	none := func(content.Descriptor) bool { return false }
	if _, _, err := l.with(newBlob(payloadMediaType, []byte("x")).Descriptor, none); err == nil || !strings.Contains(err.Error(), "1000 signatures") {
		t.Errorf("got %v", err)
	}
	first := func(d content.Descriptor) bool { return d.Digest == digest.FromString("0") }
	if _, _, err := l.with(newBlob(payloadMediaType, []byte("x")).Descriptor, first); err != nil {
		t.Error(err)
	}
}

// TestSignImmutable signs where tags cannot be moved.
func TestSignImmutable(t *testing.T) {
	a, _ := newTestSigner(t, "a")
	b, _ := newTestSigner(t, "b")
	legacy, both := Options{Formats: []Format{FormatLegacy}}, Options{Formats: []Format{FormatBundle, FormatLegacy}, Recursive: true}
	stores := map[string]taggedStore{
		"ecr":      newTestECR(t).repository(t, types.ImageTagMutabilityImmutable),
		"registry": newTestRegistry(t, refuseMoves(), registry.WithReferrersSupport(true)),
	}
	for name, store := range stores {
		m := push(t, store, 1)
		mustSign(t, store, m, a, legacy)
		if signed := mustSign(t, store, m, a, legacy); !signed[0].Existed {
			t.Errorf("%s: %+v", name, signed)
		}
		signed, err := Sign(t.Context(), store, m, b, both)
		var immutable *content.ConflictError
		if !errors.As(err, &immutable) || !errors.Is(err, content.ErrConflict) || len(signed) != 0 {
			t.Errorf("%s: %v, %v", name, signed, err)
		} else if want := store.String() + ":" + attachedTag(m.Descriptor.Digest, ".sig"); immutable.Image != want || !strings.Contains(err.Error(), "sha256-*") || !strings.Contains(err.Error(), "bundles") {
			t.Errorf("%s: %v", name, err)
		}
		images, err := imagetree.ReadTree(t.Context(), store, m)
		check(t, err)
		for _, image := range images {
			listed, err := store.Referrers(t.Context(), image.Descriptor.Digest)
			check(t, err)
			if len(listed) != 0 {
				t.Errorf("%s: half of it is there: %v", name, listed)
			}
		}
		mustSign(t, store, m, a, Options{})
		mustSign(t, store, m, b, Options{})
		listed, err := store.Referrers(t.Context(), m.Descriptor.Digest)
		check(t, err)
		if len(listed) != 2 {
			t.Errorf("%s: referrers %v", name, listed)
		}
	}
}

func TestSignImmutableWithExclusion(t *testing.T) {
	store := newTestECR(t).repository(t, types.ImageTagMutabilityImmutableWithExclusion, "sha256-*.sig")
	m := push(t, store, 1)
	for _, name := range []string{"a", "b"} {
		signer, _ := newTestSigner(t, name)
		mustSign(t, store, m, signer, Options{Formats: []Format{FormatLegacy}})
	}
	var doc ocispec.Manifest
	check(t, json.Unmarshal(resolve(t, store, attachedTag(m.Descriptor.Digest, ".sig")).Content, &doc))
	if len(doc.Layers) != 2 {
		t.Errorf("%d signatures", len(doc.Layers))
	}
}

// refuseMoves makes the tags of a registry immutable.
func refuseMoves() func(w http.ResponseWriter, r *http.Request) bool {
	var mu sync.Mutex
	set := map[string]bool{}
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("OCI-Subject", "is listed") // the registry leaves it out
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") || strings.Contains(r.URL.Path, "sha256:") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if set[r.URL.Path] {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}`)
			return true
		}
		set[r.URL.Path] = true
		return false
	}
}

func FuzzDecodeSignatureList(f *testing.F) {
	layer := newBlob(payloadMediaType, []byte(cosignPayload)).Descriptor
	layer.Annotations = map[string]string{signatureAnnotation: "MEUCIQ=="}
	none := func(content.Descriptor) bool { return false }
	first, _, err := newSignatureList().with(layer, none)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first.Content)
	f.Add(bytes.Replace(first.Content, []byte(`{"dev.cosignproject.cosign/signature":"MEUCIQ=="}`), []byte("{}"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decodeSignatureList(content.Manifest{Descriptor: newBlob(ocispec.MediaTypeImageManifest, data).Descriptor, Content: data})
		if err != nil {
			return
		}
		m, _, err := l.with(layer, none)
		if err != nil {
			return
		}
		again, err := decodeSignatureList(m)
		check(t, err)
		// No annotations are as good as none.
		got, want := must(encodeJSON(again.manifest.Layers)), must(encodeJSON(append(slices.Clone(l.manifest.Layers), layer)))
		if !bytes.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
