package sign

import (
	"errors"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

func TestVerifyPlatforms(t *testing.T) {
	m, key := newMemory(), newTestKey(t, "A")
	sign := func(images ...content.Manifest) {
		for _, image := range images {
			m.bundle(image, key.bundle(signatureOf(image, nil)))
		}
	}
	amd64, arm64, inner := m.image("amd64"), m.image("arm64"), m.image("inner")
	nested := m.index(inner.Descriptor)
	attestation := m.image("attestation").Descriptor
	attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	arm := arm64.Descriptor
	arm.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm64"}
	index := m.index(amd64.Descriptor, arm, nested.Descriptor, attestation)
	verify := func(image content.Manifest, platforms bool) (Verification, error) {
		return Verify(t.Context(), m, image, Requirements{Keys: []*Key{key.Key}, Platforms: platforms})
	}

	sign(amd64, nested, inner)
	if v, err := verify(index, true); !errors.Is(err, ErrUnsigned) || v.Status != StatusUnsigned {
		t.Errorf("an index that is not signed: %v", err)
	}
	sign(index)
	if v, err := verify(index, false); err != nil || len(v.Platforms) != 0 {
		t.Errorf("only the index is asked for: %v", err)
	}
	v, err := verify(index, true)
	if !errors.Is(err, ErrUnsigned) || v.Status != StatusUnsigned || !strings.Contains(err.Error(), "linux/arm64 image of the index: registry.example/app@"+string(arm.Digest)) {
		t.Errorf("an image of the index is not signed: %v", err)
	}
	sign(arm64)
	if v, err = verify(index, true); err != nil || v.Status != StatusVerified {
		t.Fatal(err)
	}
	if len(v.Platforms) != 3 || v.Platforms[1].Digest != arm.Digest || len(v.Platforms[2].Platforms) != 1 || v.Platforms[2].Platforms[0].Digest != inner.Descriptor.Digest {
		t.Errorf("got %+v", v.Platforms)
	}
	if v, err := verify(amd64, true); err != nil || v.Platforms != nil {
		t.Errorf("an image alone: %v", err)
	}

	// Another image in the place of a signed one makes another index.
	swapped := m.index(amd64.Descriptor, m.image("evil").Descriptor)
	m.bundle(swapped, key.bundle(signatureOf(index, nil)))
	if _, err := verify(swapped, true); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "it is about another image") {
		t.Errorf("an index with another image: %v", err)
	}
	// Other bytes under the digest of a signed index are no index at all.
	m.data[nested.Descriptor.Digest] = swapped.Content
	if _, err := verify(index, true); !errors.Is(err, content.ErrIntegrity) || errors.Is(err, ErrUntrusted) {
		t.Errorf("a nested index with other bytes: %v", err)
	}
	delete(m.data, nested.Descriptor.Digest)
	if v, err := verify(index, true); !errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrIntegrity) || v.Status != "" {
		t.Errorf("a nested index that is missing: %q, %v", v.Status, err)
	}
	m.data[nested.Descriptor.Digest] = nested.Content
	refused := errors.New("503")
	m.fail["referrers "+string(arm.Digest)] = refused
	if _, err := verify(index, true); !errors.Is(err, refused) {
		t.Errorf("an image that cannot be asked for: %v", err)
	}
}

func TestImagesOfRefuses(t *testing.T) {
	const d = `"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	for _, data := range []string{
		``, `[]`, `{"manifests":[{"digest":"sha512:00"}]}`, `{"manifests":[],"layers":[]}`, `{"manifests":[{"digest":` + d + `,"size":-1}]}`,
		`{"mediaType":"application/vnd.oci.image.index.v1+json"}`, `{"manifests":[{"digest":` + d + `}],"config":{}}`,
	} {
		if _, err := imagesOf([]byte(data)); err == nil {
			t.Errorf("%s was accepted", data)
		}
	}
}
