package localecr_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

func profile(name string) string {
	return "arn:aws:signer:us-east-1:000000000000:/signing-profiles/" + name
}

// signingRule is a rule of a profile with filters.
func signingRule(arn string, filters ...string) types.SigningRule {
	rule := types.SigningRule{SigningProfileArn: &arn}
	for _, f := range filters {
		rule.RepositoryFilters = append(rule.RepositoryFilters, types.SigningRepositoryFilter{Filter: aws.String(f), FilterType: types.SigningRepositoryFilterTypeWildcardMatch})
	}
	return rule
}

func (r *rig) putSigning(rules ...types.SigningRule) error {
	if rules == nil {
		rules = []types.SigningRule{}
	}
	_, err := r.api.PutSigningConfiguration(context.Background(), &ecr.PutSigningConfigurationInput{SigningConfiguration: &types.SigningConfiguration{Rules: rules}})
	return err
}

func (r *rig) setSigning(rules ...types.SigningRule) {
	r.t.Helper()
	if err := r.putSigning(rules...); err != nil {
		r.t.Fatal(err)
	}
}

// signing is what DescribeImageSigningStatus says of an image, as "NAME STATUS [CODE: REASON]".
func (r *rig) signing(repo string, m []byte) []string {
	r.t.Helper()
	out, err := r.api.DescribeImageSigningStatus(context.Background(), &ecr.DescribeImageSigningStatusInput{
		RepositoryName: &repo, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digestOf(m))},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	lines := []string{}
	for _, s := range out.SigningStatuses {
		line := (*s.SigningProfileArn)[strings.LastIndex(*s.SigningProfileArn, "/")+1:] + " " + string(s.Status)
		if s.FailureCode != nil {
			line += " " + *s.FailureCode + ": " + *s.FailureReason
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *rig) wantSigning(repo string, m []byte, want ...string) {
	r.t.Helper()
	if got := r.signing(repo, m); !slices.Equal(got, want) {
		r.t.Fatalf("signing status %q, want %q", got, want)
	}
}

// signatures are the Notation signatures of an image.
func (r *rig) signatures(m []byte) []types.ImageReferrer {
	r.t.Helper()
	in := referrersOf(m, nil)
	in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: []string{"application/vnd.cncf.notary.signature"}}
	out, err := r.api.ListImageReferrers(context.Background(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	return out.Referrers
}

func TestSigningConfigurationIsOneForTheRegistry(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	_, err := r.api.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{})
	wantError(t, err, "SigningConfigurationNotFoundException", "registry with id '000000000000'")
	_, err = r.api.DeleteSigningConfiguration(ctx, &ecr.DeleteSigningConfigurationInput{})
	wantError(t, err, "SigningConfigurationNotFoundException", "registry with id '000000000000'")

	r.setSigning(signingRule(profile("one"), "a*"), signingRule(profile("two")))
	r.setSigning(signingRule(profile("two"), "prod/*", "*/prod", "*x*"))
	got, err := r.api.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{})
	if err != nil || *got.RegistryId != "000000000000" || len(got.SigningConfiguration.Rules) != 1 ||
		*got.SigningConfiguration.Rules[0].SigningProfileArn != profile("two") || len(got.SigningConfiguration.Rules[0].RepositoryFilters) != 3 {
		t.Fatalf("%+v, %v: a put must replace all rules", got, err)
	}
	user := localecr.DefaultAccounts()[0].Users[0]
	elsewhere := r.client(user.AccessKeyID, user.SecretAccessKey, "", "eu-west-1")
	_, err = elsewhere.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{})
	wantError(t, err, "SigningConfigurationNotFoundException", "")

	r.setSigning() // no rules are a configuration too
	if got, err := r.api.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{}); err != nil || got.SigningConfiguration.Rules == nil || len(got.SigningConfiguration.Rules) != 0 {
		t.Fatalf("%+v, %v: want a list of no rules", got, err)
	}
	r.setSigning(signingRule(profile("two")))
	deleted, err := r.api.DeleteSigningConfiguration(ctx, &ecr.DeleteSigningConfigurationInput{})
	if err != nil || len(deleted.SigningConfiguration.Rules) != 1 || *deleted.RegistryId != "000000000000" {
		t.Fatalf("%+v, %v: want what was deleted", deleted, err)
	}
	_, err = r.api.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{})
	wantError(t, err, "SigningConfigurationNotFoundException", "")
}

func TestSigningConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	repeat := func(n int) (rules []types.SigningRule) {
		for i := range n {
			rules = append(rules, signingRule(profile(fmt.Sprint("p", i))))
		}
		return rules
	}
	filters := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint("team", i)
		}
		return out
	}
	noFilter, wrongType := signingRule(profile("pp"), "a"), signingRule(profile("pp"), "a")
	noFilter.RepositoryFilters = []types.SigningRepositoryFilter{}
	wrongType.RepositoryFilters[0].FilterType = "PREFIX_MATCH"
	for name, c := range map[string]struct {
		rules []types.SigningRule
		code  string
		text  string
	}{
		"ten rules":          {repeat(10), "", ""},
		"eleven rules":       {repeat(11), "InvalidParameterException", "'signingConfiguration.rules' failed to satisfy constraint: 'must have a length between 0 and 10'"},
		"100 filters":        {[]types.SigningRule{signingRule(profile("pp"), filters(100)...)}, "", ""},
		"101 filters":        {[]types.SigningRule{signingRule(profile("pp"), filters(101)...)}, "InvalidParameterException", "rules.1.member.repositoryFilters"},
		"no filter in list":  {[]types.SigningRule{noFilter}, "InvalidParameterException", "between 1 and 100"},
		"other filter type":  {[]types.SigningRule{wrongType}, "InvalidParameterException", "must be one of [WILDCARD_MATCH]"},
		"filter of capitals": {[]types.SigningRule{signingRule(profile("pp"), "Prod")}, "InvalidParameterException", "rules.1.member.repositoryFilters.1.member.filter"},
		"filter ends with /": {[]types.SigningRule{signingRule(profile("pp"), "prod/")}, "InvalidParameterException", "regular expression"},
		"empty filter":       {[]types.SigningRule{signingRule(profile("pp"), "")}, "InvalidParameterException", "between 1 and 256"},
		"long filter":        {[]types.SigningRule{signingRule(profile("pp"), strings.Repeat("a", 257))}, "InvalidParameterException", "between 1 and 256"},
		"all wildcards":      {[]types.SigningRule{signingRule(profile("pp"), "*", "*/*", "a*b*c", "team-*/app_*.x")}, "", ""},
		"KMS key":            {[]types.SigningRule{signingRule("arn:aws:kms:us-east-1:000000000000:key/x")}, "InvalidParameterException", "signingProfileArn"},
		"profile version":    {[]types.SigningRule{signingRule(profile("pp") + "/0123456789")}, "InvalidParameterException", "signingProfileArn"},
		"name of one letter": {[]types.SigningRule{signingRule(profile("p"))}, "InvalidParameterException", "signingProfileArn"},
		"hyphen in name":     {[]types.SigningRule{signingRule(profile("my-profile"))}, "InvalidParameterException", "signingProfileArn"},
		"200 characters":     {[]types.SigningRule{signingRule(profile(strings.Repeat("p", 200-len(profile("")))))}, "", ""},
		"201 characters":     {[]types.SigningRule{signingRule(profile(strings.Repeat("p", 201-len(profile("")))))}, "InvalidParameterException", "at most 200"},
		"other region":       {[]types.SigningRule{signingRule("arn:aws:signer:eu-west-1:000000000000:/signing-profiles/pp")}, "ValidationException", "us-east-1"},
		"other account":      {[]types.SigningRule{signingRule("arn:aws:signer:us-east-1:222222222222:/signing-profiles/pp")}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.putSigning(c.rules...)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, c.code, c.text)
		})
	}
}

func TestImagesAreSignedAfterThePush(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{SigningTime: time.Hour})
	r.repository("app")
	r.repository("dev")
	before := r.image("app", aws.String("before"))
	r.setSigning(signingRule(profile("first"), "app", "a*"), signingRule(profile("second")), signingRule(profile("first")), signingRule(profile("third"), "dev"))
	m := r.image("app", aws.String("1.0"))
	dev := r.image("dev", nil)

	r.wantSigning("app", before)
	r.wantSigning("app", m, "first IN_PROGRESS", "second IN_PROGRESS")
	r.wantSigning("dev", dev, "second IN_PROGRESS", "first IN_PROGRESS", "third IN_PROGRESS")
	r.advance(59 * time.Minute)
	r.wantSigning("app", m, "first IN_PROGRESS", "second IN_PROGRESS")
	if n := len(r.signatures(m)); n != 0 {
		t.Fatalf("%d signatures before they are complete", n)
	}
	r.advance(2 * time.Minute)
	signatures := r.signatures(m)
	if len(signatures) != 2 || len(r.signatures(before)) != 0 {
		t.Fatalf("signatures %+v; want one for each profile, of the image pushed after the configuration only", signatures)
	}
	r.wantSigning("app", m, "first COMPLETE", "second COMPLETE")
	for _, s := range signatures {
		r.checkSignature(m, *s.Digest)
	}

	// By tag the answer names the digest, and signatures are not signed.
	out, err := r.api.DescribeImageSigningStatus(context.Background(), &ecr.DescribeImageSigningStatusInput{
		RepositoryName: aws.String("app"), RegistryId: aws.String("000000000000"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("1.0")},
	})
	if err != nil || *out.ImageId.ImageDigest != digestOf(m) || *out.ImageId.ImageTag != "1.0" || *out.RegistryId != "000000000000" || *out.RepositoryName != "app" {
		t.Fatalf("%+v, %v", out, err)
	}
	r.wantSigning("app", r.manifest("app", *signatures[0].Digest))

	// Another tag is no push of the image; without the configuration signatures stay and none is made.
	if err := r.put("app", before, aws.String("again")); err != nil {
		t.Fatal(err)
	}
	r.wantSigning("app", before)
	if _, err := r.api.DeleteSigningConfiguration(context.Background(), &ecr.DeleteSigningConfigurationInput{}); err != nil {
		t.Fatal(err)
	}
	r.wantSigning("app", r.image("app", nil))
	r.wantSigning("app", m, "first COMPLETE", "second COMPLETE")
	if n := len(r.signatures(m)); n != 2 {
		t.Fatalf("%d signatures are left of 2", n)
	}
}

// manifest reads a manifest by its digest.
func (r *rig) manifest(repo, digest string) []byte {
	r.t.Helper()
	got := r.v2("GET", "/v2/"+repo+"/manifests/"+digest, nil, "Accept", ociManifest)
	if got.status != 200 {
		r.t.Fatalf("manifest %s: %d %s", digest, got.status, got.body)
	}
	return got.body
}

// checkSignature checks that a manifest has the form of a Notation signature over m, whose blobs can be
// read, and that nobody could take it for a real one.
func (r *rig) checkSignature(m []byte, digest string) {
	r.t.Helper()
	type descriptor struct {
		MediaType, Digest string
		Size              int64
	}
	var doc struct {
		MediaType   string
		Config      descriptor
		Layers      []descriptor
		Subject     descriptor
		Annotations map[string]string
	}
	if err := json.Unmarshal(r.manifest("app", digest), &doc); err != nil {
		r.t.Fatal(err)
	}
	if doc.MediaType != ociManifest || doc.Config.MediaType != "application/vnd.cncf.notary.signature" || len(doc.Layers) != 1 ||
		doc.Layers[0].MediaType != "application/jose+json" || doc.Subject != (descriptor{ociManifest, digestOf(m), int64(len(m))}) {
		r.t.Fatalf("not the form of a Notation signature: %+v", doc)
	}
	blob := func(d descriptor) []byte {
		got := r.v2("GET", "/v2/app/blobs/"+d.Digest, nil)
		if got.status == 307 {
			got = r.v2("GET", got.header.Get("Location"), nil, "Authorization", "")
		}
		if got.status != 200 || int64(len(got.body)) != d.Size || digestOf(got.body) != d.Digest {
			r.t.Fatalf("blob %s: %d %s", d.Digest, got.status, got.body)
		}
		return got.body
	}
	if string(blob(doc.Config)) != "{}" {
		r.t.Error("the config is not {}")
	}
	var envelope struct{ Payload, Protected, Signature string }
	if err := json.Unmarshal(blob(doc.Layers[0]), &envelope); err != nil {
		r.t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(envelope.Payload)
	protected, err2 := base64.RawURLEncoding.DecodeString(envelope.Protected)
	if err != nil || err2 != nil || !strings.Contains(string(payload), `"digest":"`+digestOf(m)+`"`) {
		r.t.Fatalf("payload %s does not name the image", payload)
	}
	if envelope.Signature != "" || !strings.Contains(string(protected), `"alg":"none"`) || !strings.Contains(doc.Annotations["io.github.ecrkit.localecr.stand-in"], "proves nothing") {
		r.t.Fatalf("%+v %s is not marked as a stand-in", envelope, protected)
	}
}

func TestIndexesAndTheirImagesAreSigned(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{SigningTime: time.Minute})
	r.repository("app")
	r.setSigning(signingRule(profile("pp")))
	child := r.image("app", nil)
	list := index(child)
	if got := r.putV2("app", "multi", list); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	config := random(10)
	r.layer("app", config)
	chart := []byte(strings.Replace(string(manifest(config, config)), "application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json", 1))
	referrer := []byte(strings.Replace(string(manifest(config, config)), `"layers"`, fmt.Sprintf(`"subject":{"mediaType":%q,"digest":%q,"size":%d},"layers"`, ociManifest, digestOf(child), len(child)), 1))
	for _, m := range [][]byte{chart, referrer} {
		if err := r.put("app", m, nil); err != nil {
			t.Fatal(err)
		}
		r.wantSigning("app", m)
	}
	r.advance(2 * time.Minute)
	r.wantSigning("app", child, "pp COMPLETE")
	r.wantSigning("app", list, "pp COMPLETE")
}

func TestSigningFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{SigningTime: time.Minute, Faults: []localecr.Fault{
		{Op: "SignPayload", Nth: 2, Status: 403, Code: "ACCESS_DENIED", Message: "not authorized to perform signer:SignPayload"},
		{Op: "SignPayload", Repository: "dev", Status: 404, Code: "PROFILE_NOT_FOUND", Message: "gone"},
	}})
	r.repository("app")
	r.repository("dev")
	r.setSigning(signingRule(profile("good")), signingRule(profile("bad"), "app"))
	app, dev := r.image("app", nil), r.image("dev", nil)
	r.advance(time.Hour)
	r.wantSigning("app", app, "good COMPLETE", "bad FAILED ACCESS_DENIED: not authorized to perform signer:SignPayload")
	r.wantSigning("dev", dev, "good FAILED PROFILE_NOT_FOUND: gone")
	if n := len(r.signatures(app)); n != 1 {
		t.Errorf("%d signatures, want one", n)
	}
	for _, bad := range []localecr.Fault{{Op: "SignPayload", Status: 403}, {Op: "SignPayload", Code: "ACCESS_DENIED", Stall: time.Second}} {
		if err := r.srv.SetFaults(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestSignaturesCountAsImages(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.ImagesPerRepository = 3
	r := newRig(t, localecr.Options{SigningTime: time.Minute, Limits: &limits})
	r.repository("app")
	r.setSigning(signingRule(profile("pp")))
	first, second := r.image("app", nil), r.image("app", nil)
	r.advance(time.Hour)
	statuses := []string{r.signing("app", first)[0], r.signing("app", second)[0]}
	if want := []string{"pp COMPLETE", "pp FAILED LIMIT_EXCEEDED: The repository already has the maximum allowed number of images"}; !slices.Equal(statuses, want) {
		t.Errorf("%q, want %q", statuses, want)
	}
}

func TestSigningStatusOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	describe := func(repo string, id *types.ImageIdentifier) error {
		_, err := r.api.DescribeImageSigningStatus(context.Background(), &ecr.DescribeImageSigningStatusInput{RepositoryName: &repo, ImageId: id})
		return err
	}
	wantError(t, describe("app", &types.ImageIdentifier{ImageTag: aws.String("1")}), "RepositoryNotFoundException", "'app'")
	r.repository("app")
	wantError(t, describe("app", &types.ImageIdentifier{ImageTag: aws.String("1")}), "ImageNotFoundException", "imageTag:'1'")
	wantError(t, describe("app", &types.ImageIdentifier{ImageDigest: aws.String(digestOf(nil))}), "ImageNotFoundException", digestOf(nil))
	wantError(t, describe("app", &types.ImageIdentifier{}), "InvalidParameterException", "imageId")
	wantError(t, describe("app", &types.ImageIdentifier{ImageDigest: aws.String("sha256:x")}), "InvalidParameterException", "imageId")
}

func TestSigningGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	clock := &localecr.Clock{}
	o := localecr.Options{Dir: t.TempDir(), Clock: clock, SigningTime: time.Minute}
	var m, gone []byte
	t.Run("before", func(t *testing.T) {
		r := newRig(t, o)
		r.repository("app")
		r.setSigning(signingRule(profile("pp"), "app"))
		m, gone = r.image("app", nil), r.image("app", nil)
		r.wantSigning("app", m, "pp IN_PROGRESS")
		_, err := r.api.BatchDeleteImage(context.Background(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(digestOf(gone))}}})
		if err != nil {
			t.Fatal(err)
		}
	})
	clock.Advance(time.Hour)
	r := newRig(t, o)
	r.wantSigning("app", m, "pp COMPLETE")
	if n := len(r.signatures(m)); n != 1 {
		t.Errorf("%d signatures, want one", n)
	}
	if n := len(r.signatures(gone)); n != 0 {
		t.Errorf("%d signatures of an image that was deleted before", n)
	}
	r.wantSigning("app", r.image("app", nil), "pp IN_PROGRESS") // the configuration is kept
}
