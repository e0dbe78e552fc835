package registry

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// imageRecord is what is kept of an image beside the bytes of its manifest.
type imageRecord struct {
	Digest       string            `json:"digest"`
	MediaType    string            `json:"mediaType"`
	ConfigType   string            `json:"configType,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Subject      string            `json:"subject,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	ManifestSize int64             `json:"manifestSize"`
	Size         int64             `json:"size"` // of the image; of an index that of its largest child
	Layers       []string          `json:"layers,omitempty"`
	Children     []string          `json:"children,omitempty"`
	Tags         []string          `json:"tags,omitempty"` // sorted
	PushedAt     time.Time         `json:"pushedAt"`
	PulledAt     time.Time         `json:"pulledAt,omitzero"` // the recorded pull
	Storage      storage           `json:"storage,omitempty"`
	ArchivedAt   time.Time         `json:"archivedAt,omitzero"`
	ActivatedAt  time.Time         `json:"activatedAt,omitzero"` // when it was last restored, or will be
	Scan         *imageScan        `json:"scan,omitempty"`
	Signings     []imageSigning    `json:"signings,omitempty"`     // one for each profile
	Replications []replication     `json:"replications,omitempty"` // one for each destination
}

// image returns the image of a digest, or nil.
func (repo *repository) image(digest string) (*imageRecord, error) {
	var rec imageRecord
	ok, err := getJSON(repo.images(), []byte(digest), &rec)
	if err != nil || !ok {
		return nil, err
	}
	return &rec, nil
}

func (repo *repository) saveImage(rec *imageRecord) error {
	return putJSON(repo.images(), []byte(rec.Digest), rec)
}

// resolve finds the image that an identifier names. When there is none it says why in a failure, as
// the batch operations report it.
func (repo *repository) resolve(id types.ImageIdentifier) (*imageRecord, *types.ImageFailure, error) {
	fail := func(code types.ImageFailureCode, reason string) (*imageRecord, *types.ImageFailure, error) {
		return nil, &types.ImageFailure{FailureCode: code, FailureReason: aws.String(reason), ImageId: &id}, nil
	}
	digest, tag := aws.ToString(id.ImageDigest), aws.ToString(id.ImageTag)
	switch {
	case digest == "" && tag == "":
		return fail(types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null")
	case digest != "" && !ValidDigest(digest):
		return fail(types.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case tag != "" && !ValidTag(tag):
		return fail(types.ImageFailureCodeInvalidImageTag, "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]*'")
	}
	if tag != "" {
		tagged := string(repo.tags().Get([]byte(tag)))
		if tagged == "" {
			return fail(types.ImageFailureCodeImageNotFound, "Requested image not found")
		}
		if digest != "" && digest != tagged {
			return fail(types.ImageFailureCodeImageTagDoesNotMatchDigest, fmt.Sprintf("Image tag '%s' does not match the digest '%s'", tag, digest))
		}
		digest = tagged
	}
	rec, err := repo.image(digest)
	if err != nil {
		return nil, nil, err
	}
	if rec == nil {
		return fail(types.ImageFailureCodeImageNotFound, "Requested image not found")
	}
	return rec, nil, nil
}

// setTag points a tag at an image and takes it from the image that had it.
func (repo *repository) setTag(rec *imageRecord, tag string) error {
	if old := string(repo.tags().Get([]byte(tag))); old != "" && old != rec.Digest {
		previous, err := repo.image(old)
		if err != nil {
			return err
		}
		if previous == nil {
			return fmt.Errorf("tag %s points at %s, which does not exist", tag, old)
		}
		previous.Tags = slices.DeleteFunc(previous.Tags, func(t string) bool { return t == tag })
		if err := repo.saveImage(previous); err != nil {
			return err
		}
	}
	if i, found := slices.BinarySearch(rec.Tags, tag); !found {
		rec.Tags = slices.Insert(rec.Tags, i, tag)
	}
	return repo.tags().Put([]byte(tag), []byte(rec.Digest))
}

// users returns the digests of the images that name a layer or a child. A layer that all images share has many.
func (repo *repository) users(digest string) iter.Seq[string] {
	return func(yield func(string) bool) {
		prefix := pairKey(digest, "")
		c := repo.uses().Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if !yield(string(k[len(prefix):])) {
				return
			}
		}
	}
}

// named finds the image that an identifier names, for an operation on this one image. Errors:
// ImageNotFound, InvalidParameter.
func (repo *repository) named(id types.ImageIdentifier) (*imageRecord, error) {
	rec, failure, err := repo.resolve(id)
	switch {
	case err != nil:
		return nil, err
	case failure != nil && failure.FailureCode == types.ImageFailureCodeImageNotFound:
		return nil, repo.registry.imageNotFound(repo.record.Name, id)
	case failure != nil:
		return nil, invalidParameter("imageId", "%s", *failure.FailureReason)
	}
	return rec, nil
}

func (rec *imageRecord) uses() []string { return slices.Concat(rec.Layers, rec.Children) }

// identifiers are the image under each of its tags, or under its digest alone if it has none.
func (rec *imageRecord) identifiers() []types.ImageIdentifier {
	if len(rec.Tags) == 0 {
		return []types.ImageIdentifier{{ImageDigest: aws.String(rec.Digest)}}
	}
	out := make([]types.ImageIdentifier, len(rec.Tags))
	for i, tag := range rec.Tags {
		out[i] = types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: aws.String(tag)}
	}
	return out
}
