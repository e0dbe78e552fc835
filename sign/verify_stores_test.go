package sign

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestVerifyInStores signs and verifies in every kind of store.
func TestVerifyInStores(t *testing.T) {
	for name, store := range testStores(t) {
		t.Run(name, func(t *testing.T) {
			m := push(t, store, 2)
			one, _ := newTestSigner(t, "one")
			two, _ := newTestSigner(t, "two")
			require := Requirements{Keys: []*Key{one.Key, two.Key}, Threshold: 2, Platforms: true, Annotations: map[string]string{"env": "prod"}}
			if _, err := Verify(t.Context(), store, m, require); !errors.Is(err, ErrUnsigned) {
				t.Fatalf("not signed: %v", err)
			}
			opts := Options{Annotations: require.Annotations, Recursive: true, Repository: "registry.example.com/app", Now: at}
			mustSign(t, store, m, one, opts)
			if _, err := Verify(t.Context(), store, m, require); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "signed by 1 of the 2 keys") {
				t.Fatalf("signed by one: %v", err)
			}
			opts.Formats = []Format{FormatLegacy}
			mustSign(t, store, m, two, opts)
			require.Repository = opts.Repository
			v, err := Verify(t.Context(), store, m, require)
			check(t, err)
			if len(v.Signatures) != 2 || len(v.Platforms) != 2 || len(v.Platforms[1].Signatures) != 2 || len(v.NotChecked) == 0 {
				t.Errorf("got %+v", v)
			}
			list, err := List(t.Context(), store, m)
			check(t, err)
			if len(list) != 2 || list[0].Format != FormatBundle || list[1].Format != FormatLegacy || list[0].Problem+list[1].Problem != "" {
				t.Errorf("got %+v", list)
			}
		})
	}
}

// TestVerifyRegistryFails has registries that do not answer: that is never "unsigned", nor
// is it the fault of the image.
func TestVerifyRegistryFails(t *testing.T) {
	refuse := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "86400") // nobody waits so long
			w.WriteHeader(status)
		}
	}
	answer := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = w.Write([]byte(body))
		}
	}
	paths := map[string]string{"referrers": "/referrers/sha256:", "tag .sig": ".sig", "tag .att": ".att", "manifest": "", "blob": "/blobs/sha256:"}
	answers := map[string]func(http.ResponseWriter){
		"401": refuse(http.StatusUnauthorized), "403": refuse(http.StatusForbidden), "429": refuse(http.StatusTooManyRequests), "500": refuse(http.StatusInternalServerError), "503": refuse(http.StatusServiceUnavailable),
	}
	lists := map[string]func(http.ResponseWriter){
		"a page of a proxy": answer("<html>"), "another document": answer(`{"errors":[]}`), "null": answer("null"), "half a list": answer(`{"schemaVersion":2,"manifests":[`),
		"a bad entry": answer(`{"schemaVersion":2,"manifests":[{"digest":"sha256:00","size":1}]}`),
	}
	for what, path := range paths {
		all := map[string]func(http.ResponseWriter){}
		for name, a := range answers {
			all[name] = a
		}
		if what == "referrers" {
			for name, a := range lists {
				all[name] = a
			}
		}
		for name, respond := range all {
			t.Run(what+" "+name, func(t *testing.T) {
				t.Parallel()
				fail := ""
				store := newTestRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
					if fail == "" || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, fail) {
						return false
					}
					respond(w)
					return true
				}, registry.WithReferrersSupport(true))
				m := push(t, store, 1)
				signer, _ := newTestSigner(t, "one")
				bundle := mustSign(t, store, m, signer, Options{Now: at})
				if fail = path; path == "" {
					fail = string(bundle[0].Signature)
				}
				v, err := Verify(t.Context(), store, m, Requirements{Keys: []*Key{signer.Key}})
				if err == nil || errors.Is(err, ErrUnsigned) || errors.Is(err, ErrUntrusted) || v.Status != "" {
					t.Errorf("got %q, %v", v.Status, err)
				}
			})
		}
	}
}

// TestVerifyWithoutReferrersAPI has a registry that says 404 to it, so that the list is
// read that clients keep by a tag.
func TestVerifyWithoutReferrersAPI(t *testing.T) {
	store := newTestRegistry(t, nil)
	m := push(t, store, 1)
	signer, _ := newTestSigner(t, "one")
	mustSign(t, store, m, signer, Options{Now: at})
	if _, err := store.Resolve(t.Context(), content.DigestTag(m.Descriptor.Digest, content.DigestTagReferrers)); err != nil {
		t.Fatalf("there is no list: %v", err)
	}
	if _, err := Verify(t.Context(), store, m, Requirements{Keys: []*Key{signer.Key}}); err != nil {
		t.Error(err)
	}
}

// TestVerifyReadsAllPages has a list of referrers in pages of one.
func TestVerifyReadsAllPages(t *testing.T) {
	inner := newMemory()
	image := inner.image("image")
	key := newTestKey(t, "A")
	inner.refer(image, "application/x", "application/x", nil)
	inner.bundle(image, key.bundle(signatureOf(image, nil)))
	listed := inner.referrers[image.Descriptor.Digest]
	store := newTestRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		path := r.URL.Path
		name := path[strings.LastIndexByte(path, '/')+1:]
		switch {
		case strings.Contains(path, "/referrers/") && r.URL.Query().Get("page") == "":
			w.Header().Set("Link", `</v2/app/referrers/`+name+`?page=2>; rel="next"`)
			respondWithIndex(w, listed[0])
		case strings.Contains(path, "/referrers/"):
			respondWithIndex(w, listed[1])
		case strings.Contains(path, "/manifests/sha256:"):
			w.Header().Set("Content-Type", image.Descriptor.MediaType)
			_, _ = w.Write(inner.data[digest.Digest(name)])
		case strings.Contains(path, "/blobs/"):
			_, _ = w.Write(inner.data[digest.Digest(name)])
		default:
			return false
		}
		return true
	})
	v, err := Verify(t.Context(), store, image, Requirements{Keys: []*Key{key.Key}})
	check(t, err)
	if len(v.Signatures) != 1 {
		t.Errorf("got %+v", v)
	}
}

func respondWithIndex(w http.ResponseWriter, entries ...content.Descriptor) {
	var list ocispec.Index
	list.SchemaVersion, list.MediaType, list.Manifests = 2, ocispec.MediaTypeImageIndex, entries
	w.Header().Set("Content-Type", list.MediaType)
	_ = json.NewEncoder(w).Encode(list)
}
