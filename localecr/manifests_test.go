package localecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/ecrkit/ecrkit/localecr"
)

// invalidJSON is how ECR refuses a manifest, whatever is wrong with it.
const invalidJSON = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"

// withParts is a rig whose repository app has a config, a layer and an image of both.
func withParts(t *testing.T, off ...localecr.Quirk) (r *rig, config, layer string, child []byte) {
	t.Helper()
	r = newRig(t, localecr.Options{QuirksOff: off})
	r.repository("app")
	c, l := random(40), random(60)
	r.layer("app", c)
	r.layer("app", l)
	child = manifest(c, l)
	if err := r.put("app", child, nil); err != nil {
		t.Fatal(err)
	}
	return r, digestOf(c), digestOf(l), child
}

// wantRefused checks that a manifest is refused through both APIs.
func (r *rig) wantRefused(t *testing.T, m, text string) {
	t.Helper()
	_, err := r.api.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: ptr("app"), ImageManifest: &m})
	wantError(t, err, "InvalidParameterException", text)
	wantReply(t, r.putV2("app", digestOf([]byte(m)), []byte(m)), 405, "UNSUPPORTED", text)
}

// wantTaken checks that a manifest is taken through both APIs.
func (r *rig) wantTaken(t *testing.T, m string) {
	t.Helper()
	if _, err := r.api.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: ptr("app"), ImageManifest: &m}); err != nil {
		t.Errorf("%s: %v", m, err)
	}
	if got := r.putV2("app", digestOf([]byte(m)), []byte(m)); got.status != 201 {
		t.Errorf("%s: %d %s", m, got.status, got.body)
	}
}

// TestManifestsThatECRRefuses breaks the rules of manifests one by one.
func TestManifestsThatECRRefuses(t *testing.T) {
	t.Parallel()
	r, config, layer, child := withParts(t)
	image := func(extra, config, layers string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,%s"config":%s,"layers":[%s]}`, ociManifest, extra, config, layers)
	}
	descriptor := func(mediaType, digest string, size int) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest, size)
	}
	const (
		configType = "application/vnd.oci.image.config.v1+json"
		layerType  = "application/vnd.oci.image.layer.v1.tar+gzip"
	)
	good, goodLayer := descriptor(configType, config, 40), descriptor(layerType, layer, 60)
	r.wantTaken(t, image(`"artifactType":"application/x.y+json",`, good, goodLayer))
	for name, c := range map[string]struct{ manifest, text string }{
		"no layers":                 {image("", good, ""), "'Image has to have at least 1 layer'"},
		"layers null":               {fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":null}`, ociManifest, good), "'Image has to have at least 1 layer'"},
		"Docker image without":      {strings.Replace(image("", good, ""), ociManifest, "application/vnd.docker.distribution.manifest.v2+json", 1), "'Image has to have at least 1 layer'"},
		"artifactType with ;":       {image(`"artifactType":"application/vnd.dev.sigstore.bundle+json;version=0.2",`, good, goodLayer), invalidJSON},
		"artifactType of one word":  {image(`"artifactType":"sbom",`, good, goodLayer), invalidJSON},
		"layer type with ;":         {image("", good, descriptor("application/vnd.dev.sigstore.bundle+json;version=0.2", layer, 60)), invalidJSON},
		"layer type with space":     {image("", good, descriptor("application/x y", layer, 60)), invalidJSON},
		"layer without a type":      {image("", good, descriptor("", layer, 60)), invalidJSON},
		"config type with ;":        {image("", descriptor("application/json; charset=utf-8", config, 40), goodLayer), invalidJSON},
		"subject type with ;":       {image(`"subject":`+descriptor(ociManifest+";x=1", digestOf(child), len(child))+`,`, good, goodLayer), invalidJSON},
		"entry type with ;":         {fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, descriptor(ociManifest+";x=1", digestOf(child), len(child))), invalidJSON},
		"annotations of the config": {image("", strings.Replace(good, "{", `{"annotations":{"a":"b"},`, 1), goodLayer), invalidJSON},
		"no JSON":                   {`{"schemaVersion":2,"mediaType":"` + ociManifest + `"`, invalidJSON},
		"no config":                 {fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[%s]}`, ociManifest, goodLayer), invalidJSON},
		"negative size":             {image("", good, descriptor(layerType, layer, -1)), invalidJSON},
		"digest":                    {image("", good, descriptor(layerType, "sha256:1", 1)), invalidJSON},
		"schemaVersion":             {strings.Replace(image("", good, goodLayer), `"schemaVersion":2`, `"schemaVersion":3`, 1), invalidJSON},
	} {
		t.Run(name, func(t *testing.T) { r.wantRefused(t, c.manifest, c.text) })
	}
	_, err := r.api.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: ptr("app"), ImageManifest: ptr(`{"schemaVersion":2,"config":` + good + `,"layers":[` + goodLayer + `]}`)})
	wantError(t, err, "InvalidParameterException", invalidJSON) // aws-sdk#193: a chart without mediaType
}

// TestQuirksOfManifests turns off what is not settled.
func TestQuirksOfManifests(t *testing.T) {
	t.Parallel()
	type test struct {
		quirk      localecr.Quirk
		takenIfOn  bool
		manifestOf func(config, layer string, child []byte) string
	}
	for _, c := range []test{
		{localecr.QuirkNoConfigAnnotations, false, func(config, layer string, _ []byte) string {
			return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"annotations":{"a":"b"},"mediaType":"a/b","digest":%q,"size":40},"layers":[{"mediaType":"a/b","digest":%q,"size":60}]}`, ociManifest, config, layer)
		}},
		{localecr.QuirkEmptyIndex, true, func(string, string, []byte) string {
			return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ociIndex)
		}},
		{localecr.QuirkAnySize, true, func(config, layer string, _ []byte) string {
			return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"a/b","digest":%q,"size":40},"layers":[{"mediaType":"a/b","digest":%q,"size":61}]}`, ociManifest, config, layer)
		}},
		{localecr.QuirkAnySize, true, func(_, _ string, child []byte) string {
			return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, ociIndex, ociManifest, digestOf(child), len(child)-1)
		}},
		{localecr.QuirkBuildKitArtifact, true, func(config, layer string, _ []byte) string {
			return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":"application/vnd.docker.attestation.manifest.v1+json","config":{"mediaType":"a/b","digest":%q,"size":40},"layers":[{"mediaType":"a/b","digest":%q,"size":60}]}`, ociManifest, config, layer)
		}},
	} {
		t.Run(string(c.quirk), func(t *testing.T) {
			t.Parallel()
			for _, off := range [][]localecr.Quirk{nil, {c.quirk}} {
				r, config, layer, child := withParts(t, off...)
				m := c.manifestOf(config, layer, child)
				if c.takenIfOn == (off == nil) {
					r.wantTaken(t, m)
				} else {
					r.wantRefused(t, m, invalidJSON)
				}
			}
		})
	}
}

// TestSizesAreCheckedAgainstTheParts takes right sizes, with the quirk of any size off.
func TestSizesAreCheckedAgainstTheParts(t *testing.T) {
	t.Parallel()
	r, _, _, child := withParts(t, localecr.QuirkAnySize)
	r.wantTaken(t, string(index(child)))
}

// TestImmutableImageExists asks for the answer to the same image and tag in an immutable repository.
func TestImmutableImageExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off  []localecr.Quirk
		code string
	}{{nil, "ImageAlreadyExistsException"}, {[]localecr.Quirk{localecr.QuirkImmutableImageExists}, "ImageTagAlreadyExistsException"}} {
		r := newRig(t, localecr.Options{QuirksOff: c.off})
		r.repository("app")
		m := r.image("app", ptr("v1"))
		wantError(t, r.put("app", m, ptr("v1")), "ImageAlreadyExistsException", "v1") // a mutable tag
		r.setMutability("app", types.ImageTagMutabilityImmutable)
		wantError(t, r.put("app", m, ptr("v1")), c.code, "v1")
	}
}

// TestUploadIsCancelled: without the quirk, a DELETE of an upload drops it.
func TestUploadIsCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	loc := r.startV2("app")
	wantReply(t, r.v2("DELETE", loc, nil), 405, "UNSUPPORTED", "unsupported")
	if got := r.v2("PATCH", loc, random(10)); got.status != 201 {
		t.Errorf("the upload is gone: %d %s", got.status, got.body)
	}

	dir := t.TempDir()
	r = newRig(t, localecr.Options{Dir: dir, QuirksOff: []localecr.Quirk{localecr.QuirkNoUploadDelete}})
	r.repository("app")
	r.repository("two")
	loc = r.startV2("app")
	if got := r.v2("PATCH", loc, random(10)); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	wantReply(t, r.v2("DELETE", strings.Replace(loc, "/app/", "/two/", 1), nil), 404, "BLOB_UPLOAD_UNKNOWN", "does not exist")
	if got := r.v2("DELETE", loc, nil); got.status != 204 || len(got.body) > 0 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	wantReply(t, r.v2("DELETE", loc, nil), 404, "BLOB_UPLOAD_UNKNOWN", "does not exist")
	wantReply(t, r.v2("PUT", loc+"?digest="+digestOf(nil), nil), 404, "BLOB_UPLOAD_UNKNOWN", "does not exist")
}

// TestMalformedTokens are refused as bad requests, expired ones and those of another server as forbidden.
func TestMalformedTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	good := r.token
	for _, token := range []string{"x", good[:len(good)-4], ""} {
		r.token = token
		wantReply(t, r.v2("GET", "/v2/", nil), 400, "DENIED", "Your Authorization Token is invalid.")
	}
	r.token = newRig(t, localecr.Options{}).token
	wantReply(t, r.v2("GET", "/v2/", nil), 403, "DENIED", "Your Authorization Token is invalid.")
	r.token = good
	r.srv.Clock().Advance(13 * time.Hour)
	wantReply(t, r.v2("GET", "/v2/", nil), 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
}

// TestDefaultKMSKey is the ARN of a key that AWS manages, the same for all repositories of a registry.
func TestDefaultKMSKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	var arns []string
	for _, name := range []string{"one", "two"} {
		out, err := r.api.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name, EncryptionConfiguration: kmsEncryption()})
		if err != nil {
			t.Fatal(err)
		}
		arns = append(arns, *out.Repository.EncryptionConfiguration.KmsKey)
	}
	if arns[0] != arns[1] || !strings.HasPrefix(arns[0], "arn:aws:kms:us-east-1:000000000000:key/") || len(arns[0]) != len("arn:aws:kms:us-east-1:000000000000:key/")+36 {
		t.Errorf("%v", arns)
	}
	for _, id := range []string{arns[0], "alias/aws/ecr"} {
		key, err := kms.NewFromConfig(r.srv.AWSConfig()).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
		if err != nil || *key.KeyMetadata.Arn != arns[0] || key.KeyMetadata.KeyManager != "AWS" {
			t.Errorf("%+v %v", key, err)
		}
	}
}

// TestLifecyclePolicyAnswers are those before the first evaluation, and the words for what is no policy.
func TestLifecyclePolicyAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	put := func(text string) error {
		_, err := r.api.PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: ptr("app"), LifecyclePolicyText: &text})
		return err
	}
	const policy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	if err := put(policy); err != nil {
		t.Fatal(err)
	}
	got, err := r.api.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: ptr("app")})
	if err != nil || got.LastEvaluatedAt == nil || got.LastEvaluatedAt.Unix() != 0 {
		t.Errorf("%+v %v", got, err)
	}
	deleted, err := r.api.DeleteLifecyclePolicy(t.Context(), &ecr.DeleteLifecyclePolicyInput{RepositoryName: ptr("app")})
	if err != nil || deleted.LastEvaluatedAt == nil || deleted.LastEvaluatedAt.Unix() != 0 {
		t.Errorf("%+v %v", deleted, err)
	}
	const prefix = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: "
	for bad, text := range map[string]string{
		strings.Replace(policy, `"type":"expire"`, ``, 1):                                 `object has missing required properties (["type"])`,
		strings.Replace(policy, `"rulePriority":1,`, ``, 1):                               `object has missing required properties (["rulePriority"])`,
		strings.Replace(policy, `"countNumber":1`, `"countNumber":1,"countUnit":null`, 1): "instance failed to match exactly one schema (matched 0 out of 2)",
		strings.Replace(policy, `"expire"`, `"expire","targetStorageClass":null`, 1):      "instance failed to match exactly one schema (matched 0 out of 2)",
		strings.Replace(policy, `,"countNumber":1`, ``, 1):                                "instance failed to match exactly one schema (matched 0 out of 2)",
	} {
		wantError(t, put(bad), "InvalidParameterException", prefix+text)
	}
}

// TestEmptyListsAreShown: what was set to an empty list is not missing from the answer.
func TestEmptyListsAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	put, err := r.api.PutRegistryScanningConfiguration(t.Context(), &ecr.PutRegistryScanningConfigurationInput{ScanType: types.ScanTypeBasic, Rules: []types.RegistryScanningRule{}})
	if err != nil || put.RegistryScanningConfiguration.Rules == nil {
		t.Errorf("%+v %v", put, err)
	}
	get, err := r.api.GetRegistryScanningConfiguration(t.Context(), &ecr.GetRegistryScanningConfigurationInput{})
	if err != nil || get.ScanningConfiguration.Rules == nil {
		t.Errorf("%+v %v", get, err)
	}
	if _, err := r.api.PutSigningConfiguration(t.Context(), &ecr.PutSigningConfigurationInput{SigningConfiguration: &types.SigningConfiguration{Rules: []types.SigningRule{}}}); err != nil {
		t.Fatal(err)
	}
	signing, err := r.api.GetSigningConfiguration(t.Context(), &ecr.GetSigningConfigurationInput{})
	if err != nil || signing.SigningConfiguration.Rules == nil {
		t.Errorf("%+v %v", signing, err)
	}
}

// TestPolicyTexts are the words for what is no policy.
func TestPolicyTexts(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	_, err := r.api.SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: ptr("app"), PolicyText: ptr("x")})
	wantError(t, err, "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	_, err = r.api.PutRegistryPolicy(t.Context(), &ecr.PutRegistryPolicyInput{PolicyText: ptr("x")})
	wantError(t, err, "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'")
}
