package localecr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

// Each test breaks one of ECR's rules in both APIs.

func TestRepositoryMustExist(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	const text = "The repository with name 'app' does not exist in the registry with id '000000000000'"
	_, err := r.api.InitiateLayerUpload(context.Background(), &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
	wantError(t, err, "RepositoryNotFoundException", text)
	wantReply(t, r.v2("POST", "/v2/app/blobs/uploads/", nil), 404, "NAME_UNKNOWN", text)
	wantReply(t, r.v2("GET", "/v2/app/manifests/latest", nil), 404, "NAME_UNKNOWN", text)
	wantReply(t, r.v2("GET", "/v2/app/tags/list", nil), 404, "NAME_UNKNOWN", text)
}

func TestRepositoryName(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	for _, name := range []string{"a", "App", "app/", "-app", "app..x", "a_/b", strings.Repeat("a", 257)} {
		_, err := r.api.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &name})
		wantError(t, err, "InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint")
	}
	wantReply(t, r.v2("GET", "/v2/App/tags/list", nil), 400, "NAME_INVALID", "Invalid repository name")
	wantReply(t, r.v2("POST", "/v2/a/blobs/uploads/", nil), 400, "NAME_INVALID", "2 to 256 characters")
	for _, name := range []string{"ab", "a.b/c-d/e_f", "blobs/uploads", "tags/list"} {
		r.repository(name)
		if got := r.v2("GET", "/v2/"+name+"/tags/list", nil); got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestPartsAreConsecutive(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Limits: smallParts()})
	r.repository("app")
	id := r.start("app")
	if err := r.part("app", id, 0, random(1000)); err != nil {
		t.Fatal(err)
	}
	for _, first := range []int64{0, 999, 1001} {
		err := r.part("app", id, first, random(1000))
		wantError(t, err, "InvalidLayerPartException", fmt.Sprintf("First byte of the layer part is %d instead of 1000", first))
		var part *types.InvalidLayerPartException
		if !errors.As(err, &part) || *part.LastValidByteReceived != 999 || *part.UploadId != *id || *part.RepositoryName != "app" || *part.RegistryId != "000000000000" {
			t.Fatalf("members of %+v", part)
		}
	}
	err := r.part("app", aws.String("1b671a64-40d5-491e-99b0-da01ff1f3341"), 0, random(10))
	wantError(t, err, "UploadNotFoundException", "1b671a64")
	r.repository("other")
	wantError(t, r.part("other", id, 1000, random(10)), "UploadNotFoundException", *id)

	loc := r.startV2("app")
	if got := r.v2("PATCH", loc, random(1000), "Content-Range", "0-999"); got.status != 201 {
		t.Fatalf("PATCH: %d %s", got.status, got.body)
	}
	wantReply(t, r.v2("PATCH", loc, random(1000), "Content-Range", "0-999"), 416, "BLOB_UPLOAD_INVALID", "First byte of the layer part is 0 instead of 1000")
	wantReply(t, r.v2("PATCH", loc, random(1000), "Content-Range", "2000-2999"), 416, "BLOB_UPLOAD_INVALID", "First byte of the layer part is 2000 instead of 1000")
	wantReply(t, r.v2("PATCH", loc, random(1000), "Content-Range", "1000-2999"), 400, "SIZE_INVALID", "2000 bytes")
	wantReply(t, r.v2("PATCH", "/v2/app/blobs/uploads/nothing", random(10)), 404, "BLOB_UPLOAD_UNKNOWN", "nothing")
}

func TestRangeOfAPartIsItsSize(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	id := r.start("app")
	_, err := r.api.UploadLayerPart(context.Background(), &ecr.UploadLayerPartInput{
		RepositoryName: aws.String("app"), UploadId: id, PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(10), LayerPartBlob: random(10),
	})
	wantError(t, err, "InvalidLayerPartException", "is 10 bytes, but its range 0-10 is 11 bytes")
}

func TestPartsMayNotBeSmall(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Limits: smallParts()})
	r.repository("app")
	data := random(1000)
	id := r.start("app")
	for first := int64(0); first < 1000; first += 500 {
		if err := r.part("app", id, first, data[first:first+500]); err != nil {
			t.Fatal(err) // found out at the end only
		}
	}
	wantError(t, r.complete("app", id, digestOf(data)), "LayerPartTooSmallException", "Layer parts must be at least")

	loc := r.startV2("app")
	r.v2("PATCH", loc, data[:500])
	r.v2("PATCH", loc, data[500:])
	wantReply(t, r.v2("PUT", loc+"?digest="+digestOf(data), nil), 400, "BLOB_UPLOAD_INVALID", "Layer parts must be at least")

	// The last part may be small, and so may the rest of a chunk if it is the last.
	long := random(1024 + 512 + 10)
	loc = r.startV2("app")
	r.v2("PATCH", loc, long[:1024+512])
	if got := r.v2("PUT", loc+"?digest="+digestOf(long), long[1024+512:]); got.status != 201 {
		t.Fatalf("small last chunk: %d %s", got.status, got.body)
	}
	loc = r.startV2("app")
	r.v2("PATCH", loc, long[:1024+10]) // a part of 1024 bytes and one of 10
	wantReply(t, r.v2("PUT", loc+"?digest="+digestOf(long), long[1024+10:]), 400, "BLOB_UPLOAD_INVALID", "Layer parts must be at least")
}

func TestPartsMayNotBeLarge(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.MaxPart = 100_000
	newRig(t, localecr.Options{Limits: &limits}).testLargestPart(100_000, "between 0 and 100000")
}

// testLargestPart uploads a part of most bytes, and one of a byte more.
func (r *rig) testLargestPart(most int, text string) {
	r.t.Helper()
	r.repository("app")
	id := r.start("app")
	wantError(r.t, r.part("app", id, 0, make([]byte, most+1)), "InvalidParameterException", text)
	if err := r.part("app", id, 0, make([]byte, most)); err != nil {
		r.t.Fatal(err)
	}
}

func TestPartsAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{Limits: smallParts()})
	r.repository("app")
	id := r.start("app")
	for first := int64(0); first < 4*512; first += 512 {
		if err := r.part("app", id, first, random(512)); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, r.part("app", id, 4*512, random(512)), "LimitExceededException", "maximum allowed number of parts, 4")
	loc := r.startV2("app")
	if got := r.v2("PATCH", loc, random(4*1024)); got.status != 201 {
		t.Fatalf("four parts: %d %s", got.status, got.body)
	}
	wantReply(t, r.v2("PATCH", loc, random(1)), 405, "UNSUPPORTED", "maximum allowed number of parts, 4")
	if l := localecr.DefaultLimits(); l.MaxParts != 4200 || l.MinPart != 5<<20 || l.PartSize != 10<<20 || l.MaxPart != 20_971_520 || l.MaxManifest != 4<<20 {
		t.Errorf("limits %+v are not ECR's", l)
	}
}

func TestEmptyUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	wantError(t, r.complete("app", r.start("app"), digestOf(nil)), "EmptyUploadException", "does not contain any layer parts")
	wantReply(t, r.v2("PUT", r.startV2("app")+"?digest="+digestOf(nil), nil), 400, "BLOB_UPLOAD_INVALID", "does not contain any layer parts")
}

func TestInvalidLayer(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	id := r.start("app")
	if err := r.part("app", id, 0, random(10)); err != nil {
		t.Fatal(err)
	}
	const text = "None of the provided layer digests match the calculated layer digest"
	wantError(t, r.complete("app", id, digestOf([]byte("other"))), "InvalidLayerException", text)
	wantReply(t, r.v2("PUT", r.startV2("app")+"?digest="+digestOf([]byte("other")), random(10)), 400, "DIGEST_INVALID", text)
	wantReply(t, r.v2("PUT", r.startV2("app")+"?digest=sha512:00", random(10)), 400, "DIGEST_INVALID", "Invalid digest sha512:00")
}

func TestLayerAlreadyExists(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	data := random(100)
	r.layer("app", data)
	id := r.start("app")
	if err := r.part("app", id, 0, data); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.complete("app", id, digestOf(data)), "LayerAlreadyExistsException", digestOf(data))
	r.layerV2("app", data) // for /v2/ it is no error: docker pushes at the same time twice
}

func TestLayersMustExist(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := manifest([]byte("config"), []byte("layer"))
	text := fmt.Sprintf("Layers with digests '[%s, %s]' required for pushing image into repository with name 'app' in the registry with id '000000000000' do not exist",
		digestOf([]byte("config")), digestOf([]byte("layer")))
	wantError(t, r.put("app", m, nil), "LayersNotFoundException", text)
	wantReply(t, r.putV2("app", "latest", m), 404, "BLOB_UPLOAD_UNKNOWN", text)
	r.repository("other")
	r.layer("other", []byte("config"))
	r.layer("other", []byte("layer"))
	wantError(t, r.put("app", m, nil), "LayersNotFoundException", "do not exist") // another repository's do not count
}

func TestReferencedImagesMustExist(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	idx := index(manifest([]byte("config")))
	text := "Images with digests '[" + digestOf(manifest([]byte("config"))) + "]' required for pushing image into repository with name 'app'"
	wantError(t, r.put("app", idx, nil), "ReferencedImagesNotFoundException", text)
	wantReply(t, r.putV2("app", "latest", idx), 404, "MANIFEST_BLOB_UNKNOWN", text)
}

func TestImageAlreadyExists(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", aws.String("v1"))
	wantError(t, r.put("app", m, aws.String("v1")), "ImageAlreadyExistsException", "Image with digest '"+digestOf(m)+"' and tag 'v1' already exists in the repository with name 'app'")
	wantError(t, r.put("app", m, nil), "ImageAlreadyExistsException", "and tag 'null' already exists")
	if got := r.putV2("app", "v1", m); got.status != 201 || got.header.Get("Docker-Content-Digest") != digestOf(m) {
		t.Fatalf("same push again: %d %s", got.status, got.body)
	}
	if got := r.putV2("app", digestOf(m), m); got.status != 201 {
		t.Fatalf("same push again by digest: %d %s", got.status, got.body)
	}
}

func TestImageDigestMustMatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", nil)
	other := digestOf([]byte("other"))
	_, err := r.api.PutImage(context.Background(), &ecr.PutImageInput{RepositoryName: aws.String("app"), ImageManifest: aws.String(string(m)), ImageDigest: &other})
	text := "The specified digest '" + other + "' does not match the computed digest '" + digestOf(m) + "'"
	wantError(t, err, "ImageDigestDoesNotMatchException", text)
	wantReply(t, r.putV2("app", other, m), 400, "DIGEST_INVALID", text)
}

func TestTagMutability(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode    types.ImageTagMutability
		filters []string
		mutable map[string]bool
	}{
		{types.ImageTagMutabilityMutable, nil, map[string]bool{"v1": true, "dev-1": true}},
		{types.ImageTagMutabilityImmutable, nil, map[string]bool{"v1": false, "dev-1": false}},
		{types.ImageTagMutabilityImmutableWithExclusion, []string{"dev-*", "*latest"}, map[string]bool{"v1": false, "dev-1": true, "latest": true, "xlatest": true, "latestx": false}},
		{types.ImageTagMutabilityMutableWithExclusion, []string{"v*"}, map[string]bool{"v1": false, "dev-1": true, "xv1": true}},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			r := newRig(t, localecr.Options{})
			r.repository("app")
			r.setMutability("app", c.mode, c.filters...)
			for tag, mutable := range c.mutable {
				first := r.image("app", &tag)
				second := r.image("app", nil)
				text := "The image tag '" + tag + "' already exists in the 'app' repository and cannot be overwritten because the tag is immutable."
				if !mutable {
					wantError(t, r.put("app", second, &tag), "ImageTagAlreadyExistsException", text)
					wantReply(t, r.putV2("app", tag, second), 400, "TAG_INVALID", text)
					wantReply(t, r.putV2("app", tag, first), 400, "TAG_INVALID", text) // ECR refuses the same image too
					wantError(t, r.put("app", first, &tag), "ImageAlreadyExistsException", tag)
					continue
				}
				if err := r.put("app", second, &tag); err != nil {
					t.Errorf("%s through the API: %v", tag, err)
				}
				if got := r.putV2("app", tag, first); got.status != 201 {
					t.Errorf("%s over /v2/: %d %s", tag, got.status, got.body)
				}
			}
		})
	}
}

func TestMutabilityParameters(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	filter := func(texts ...string) (out []types.ImageTagMutabilityExclusionFilter) {
		for _, s := range texts {
			out = append(out, types.ImageTagMutabilityExclusionFilter{Filter: aws.String(s), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard})
		}
		return out
	}
	for name, in := range map[string]*ecr.PutImageTagMutabilityInput{
		"unknown mode":        {ImageTagMutability: "SOMETIMES"},
		"filters not wanted":  {ImageTagMutability: "IMMUTABLE", ImageTagMutabilityExclusionFilters: filter("dev-*")},
		"filters missing":     {ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION"},
		"too many filters":    {ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filter("a", "b", "c", "d", "e", "f")},
		"too many wildcards":  {ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filter("*a*b*")},
		"not a tag's letters": {ImageTagMutability: "IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: filter("a b")},
	} {
		in.RepositoryName = aws.String("app")
		_, err := r.api.PutImageTagMutability(context.Background(), in)
		t.Run(name, func(t *testing.T) {
			wantError(t, err, "InvalidParameterException", "Invalid parameter at 'imageTagMutability")
		})
	}
}

func TestManifestLimits(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.MaxManifest = 10_000
	r := newRig(t, localecr.Options{Limits: &limits})
	r.repository("app")
	r.testLargestManifest(10_000, "must have a length between 1 and 10000")

	wantError(t, r.put("app", []byte("{"), nil), "InvalidParameterException", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
	wantReply(t, r.v2("PUT", "/v2/app/manifests/latest", []byte("{"), "Content-Type", ociManifest), 405, "UNSUPPORTED", "Invalid JSON syntax")

	schema1 := []byte(`{"schemaVersion":1,"name":"app","tag":"latest","fsLayers":[]}`)
	wantError(t, r.put("app", schema1, nil), "InvalidParameterException", "schema version 1 is not supported")
	wantReply(t, r.v2("PUT", "/v2/app/manifests/latest", schema1, "Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws"), 405, "UNSUPPORTED", "schema version 1 is not supported")

	untyped := []byte(`{"schemaVersion":2,"config":{"digest":"` + digestOf(nil) + `"},"layers":[]}`)
	wantError(t, r.put("app", untyped, nil), "InvalidParameterException", "must be given for a manifest without mediaType")
}

// testLargestManifest puts a manifest of most bytes in the repository app, and one of a byte more.
func (r *rig) testLargestManifest(most int, text string) {
	r.t.Helper()
	config, layer := random(40), random(60)
	r.layer("app", config)
	r.layer("app", layer)
	m := manifest(config, layer)
	largest := append(m, strings.Repeat(" ", most-len(m))...)
	large := append(largest, ' ')
	wantError(r.t, r.put("app", large, nil), "InvalidParameterException", text)
	wantReply(r.t, r.putV2("app", "latest", large), 405, "UNSUPPORTED", text)
	if err := r.put("app", largest, nil); err != nil {
		r.t.Error(err)
	}
	if got := r.putV2("app", "latest", largest); got.status != 201 {
		r.t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTagsAndDigestsAreValidated(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", nil)
	for _, tag := range []string{"-x", ".x", "a b", "a/b", strings.Repeat("a", 301)} {
		wantError(t, r.put("app", m, &tag), "InvalidParameterException", "Invalid parameter at 'imageTag'")
	}
	wantReply(t, r.putV2("app", "-x", m), 400, "TAG_INVALID", "Invalid tag -x")
	wantReply(t, r.putV2("app", "sha256:abc", m), 400, "DIGEST_INVALID", "64 lower-case hexadecimal digits")
	wantReply(t, r.v2("GET", "/v2/app/blobs/sha256:abc", nil), 400, "DIGEST_INVALID", "64 lower-case")
}

func TestLayersAreForImagesOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	digest := r.layer("app", random(100))
	get := func(d string) error {
		_, err := r.api.GetDownloadUrlForLayer(context.Background(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("app"), LayerDigest: &d})
		return err
	}
	wantError(t, get(digest), "LayerInaccessibleException", "not associated with an image")
	wantReply(t, r.v2("GET", "/v2/app/blobs/"+digest, nil), 404, "BLOB_UNKNOWN", "not associated with an image")
	unknown := digestOf([]byte("unknown"))
	wantError(t, get(unknown), "LayersNotFoundException", unknown)
	wantReply(t, r.v2("GET", "/v2/app/blobs/"+unknown, nil), 404, "BLOB_UNKNOWN", unknown)
}

func TestTokenLivesTwelveHours(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.srv.Clock().Advance(12*time.Hour - time.Minute)
	if got := r.v2("GET", "/v2/", nil); got.status != 200 {
		t.Fatalf("after 11:59: %d %s", got.status, got.body)
	}
	r.srv.Clock().Advance(2 * time.Minute)
	wantReply(t, r.v2("GET", "/v2/", nil), 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
	r.token = r.login(r.api) // signatures of clients with the machine's time still hold
	if got := r.v2("GET", "/v2/", nil); got.status != 200 {
		t.Fatalf("new token: %d %s", got.status, got.body)
	}
}

func TestDeleteImages(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", aws.String("v1"))
	if err := r.put("app", m, aws.String("v2")); err != nil {
		t.Fatal(err)
	}
	idx := index(m)
	if err := r.put("app", idx, aws.String("multi")); err != nil {
		t.Fatal(err)
	}
	remove := func(ids ...types.ImageIdentifier) *ecr.BatchDeleteImageOutput {
		out, err := r.api.BatchDeleteImage(context.Background(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("app"), ImageIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// A tag that is not the last goes, the image stays.
	if out := remove(types.ImageIdentifier{ImageTag: aws.String("v1")}); len(out.ImageIds) != 1 || *out.ImageIds[0].ImageDigest != digestOf(m) {
		t.Fatalf("%+v", out)
	}
	// The last tag of an image that an index names, and its digest, stay.
	for _, id := range []types.ImageIdentifier{{ImageTag: aws.String("v2")}, {ImageDigest: aws.String(digestOf(m))}} {
		out := remove(id)
		if len(out.Failures) != 1 || out.Failures[0].FailureCode != types.ImageFailureCodeImageReferencedByManifestList || !strings.Contains(*out.Failures[0].FailureReason, digestOf(idx)) {
			t.Fatalf("%+v", out)
		}
	}
	wantReply(t, r.v2("DELETE", "/v2/app/manifests/"+digestOf(m), nil), 403, "DENIED", "referenced by manifest list")
	out := remove(types.ImageIdentifier{ImageDigest: aws.String(digestOf(m)), ImageTag: aws.String("multi")}, types.ImageIdentifier{}, types.ImageIdentifier{ImageTag: aws.String("nothing")})
	want := []types.ImageFailureCode{types.ImageFailureCodeImageTagDoesNotMatchDigest, types.ImageFailureCodeMissingDigestAndTag, types.ImageFailureCodeImageNotFound}
	for i, f := range out.Failures {
		if f.FailureCode != want[i] {
			t.Errorf("failure %d: %s, want %s", i, f.FailureCode, want[i])
		}
	}
	if got := r.v2("DELETE", "/v2/app/manifests/multi", nil); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	// By digest with all tags.
	if out := remove(types.ImageIdentifier{ImageDigest: aws.String(digestOf(m))}); len(out.ImageIds) != 1 || *out.ImageIds[0].ImageTag != "v2" {
		t.Fatalf("%+v", out)
	}
	wantReply(t, r.v2("GET", "/v2/app/manifests/v2", nil), 404, "MANIFEST_UNKNOWN", "Requested image not found")
}
