package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	"github.com/opencontainers/image-spec/specs-go/v1"
)

// What a Notation signature consists of. Source: Notary Project signature specification
// (https://github.com/notaryproject/specifications/blob/main/specs/signature-specification.md).
const (
	mediaTypeNotation        = "application/vnd.cncf.notary.signature"
	mediaTypeNotationPayload = "application/vnd.cncf.notary.payload.v1+json"
	mediaTypeJWS             = "application/jose+json"
	notationThumbprints      = "io.cncf.notary.x509chain.thumbprint#S256"

	// annotationStandIn and standInNote say on the manifest and in the envelope what this is.
	annotationStandIn = "io.github.ecrkit.localecr.stand-in"
	standInNote       = "ecrkit local ECR: stands in for a signature by AWS Signer; it proves nothing"
)

// standInSignature returns what managed signing would add for an image: a manifest, and the blobs that
// it names. It has the shape of what AWS Signer makes, so that clients list and copy it, but nobody
// has signed it: its algorithm is "none" and it has no certificates, so no verifier takes it. The same
// image and profile produce the same bytes.
func standInSignature(subject v1.Descriptor, profile string) (manifest []byte, blobs [][]byte, err error) {
	payload, err := json.Marshal(map[string]any{"targetArtifact": subject})
	if err != nil {
		return nil, nil, err
	}
	const scheme = "io.cncf.notary.signingScheme"
	const profileVersion, job = "com.amazonaws.signer.signingProfileVersion", "com.amazonaws.signer.signingJob"
	protected, err := json.Marshal(map[string]any{
		"alg": "none", "cty": mediaTypeNotationPayload, "crit": []string{scheme, profileVersion, job},
		scheme: "notary.x509.signingAuthority", profileVersion: profile + "/localecr00", job: standInNote,
	})
	if err != nil {
		return nil, nil, err
	}
	envelope, err := json.Marshal(map[string]any{
		"payload": base64.RawURLEncoding.EncodeToString(payload), "protected": base64.RawURLEncoding.EncodeToString(protected),
		"header": map[string]any{"x5c": []string{}, "io.cncf.notary.signingAgent": standInNote}, "signature": "",
	})
	if err != nil {
		return nil, nil, err
	}
	config := []byte("{}")
	manifest, err = json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    v1.Descriptor{MediaType: mediaTypeNotation, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []v1.Descriptor{{MediaType: mediaTypeJWS, Digest: digest.FromBytes(envelope), Size: int64(len(envelope))}},
		Subject:   &subject,
		Annotations: map[string]string{
			annotationStandIn: standInNote, notationThumbprints: "[]",
		},
	})
	return manifest, [][]byte{config, envelope}, err
}

// addSignature stores the stand-in for a signature as an image that refers to the signed one. What a
// push would be refused for is the reason why it failed.
func (repo *repository) addSignature(rec *imageRecord, profile string, at time.Time) (*SigningFailure, error) {
	data, blobs, err := standInSignature(v1.Descriptor{MediaType: rec.MediaType, Digest: digest.Digest(rec.Digest), Size: rec.ManifestSize}, profile)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data, "", repo.registry.store.limits.MaxManifest, repo.registry.store.quirks)
	if err != nil {
		return nil, err
	}
	own := Digest(data)
	if have, err := repo.image(own); err != nil || have != nil {
		return nil, err
	}
	if repo.images().Sequence() >= uint64(repo.registry.store.limits.ImagesPerRepository) {
		return &SigningFailure{Code: "LIMIT_EXCEEDED", Reason: "The repository already has the maximum allowed number of images"}, nil
	}
	for _, blob := range blobs {
		if err := repo.addBlob(blob); err != nil {
			return nil, err
		}
	}
	signature, err := repo.newImage(m, own, string(data))
	if err != nil {
		return nil, err
	}
	signature.PushedAt = at
	return nil, repo.saveImage(signature)
}

// addBlob stores bytes as a layer of the repository. The caller holds store.blobs.
func (repo *repository) addBlob(data []byte) error {
	digest := Digest(data)
	have, err := repo.layer(digest)
	if err != nil || have != nil {
		return err
	}
	s := repo.registry.store
	path := s.uploadPath("signature-" + uuid.NewString())
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	if err := s.placeBlob(path, digest); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return repo.addLayer(digest, int64(len(data)))
}
