package localecr_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrkit/ecrkit/localecr"
)

var ctx = context.Background()

func TestRepositories(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	out, err := r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("app"), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
		EncryptionConfiguration: kmsEncryption(), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("devs")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	repo := out.Repository
	if *repo.RepositoryArn != "arn:aws:ecr:us-east-1:000000000000:repository/app" || *repo.RegistryId != "000000000000" || *repo.RepositoryUri != r.srv.Registry+"/app" ||
		repo.ImageTagMutability != types.ImageTagMutabilityMutable || !repo.ImageScanningConfiguration.ScanOnPush || repo.CreatedAt == nil ||
		!strings.HasPrefix(*repo.EncryptionConfiguration.KmsKey, "arn:aws:kms:us-east-1:000000000000:key/") {
		t.Errorf("%+v", repo)
	}
	_, err = r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")})
	wantError(t, err, "RepositoryAlreadyExistsException", "The repository with name 'app' already exists in the registry with id '000000000000'")
	_, err = r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("bad"), EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: "ROT13"}})
	wantError(t, err, "InvalidParameterException", "encryptionType")
	_, err = r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("bad"), EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: "AES256", KmsKey: aws.String("k")}})
	wantError(t, err, "InvalidParameterException", "kmsKey")

	r.image("app", aws.String("v1"))
	_, err = r.api.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app")})
	wantError(t, err, "RepositoryNotEmptyException", "The repository with name 'app' in registry with id '000000000000' cannot be deleted because it still contains images")
	if _, err := r.api.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true}); err != nil {
		t.Fatal(err)
	}
	wantError(t, describe(r.api, "app"), "RepositoryNotFoundException", "app")
}

func TestDescribeRepositoriesPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("repo%d", i))
		r.repository(want[i])
	}
	var got []string
	pages := ecr.NewDescribeRepositoriesPaginator(r.api, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(2)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		out, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, repo := range out.Repositories {
			got = append(got, *repo.RepositoryName)
		}
	}
	if !slices.Equal(got, want) || n != 3 {
		t.Errorf("%v in %d pages", got, n)
	}
	for name, in := range map[string]*ecr.DescribeRepositoriesInput{
		"names and maxResults": {RepositoryNames: want[:1], MaxResults: aws.Int32(1)},
		"names and nextToken":  {RepositoryNames: want[:1], NextToken: aws.String("x")},
		"maxResults 0":         {MaxResults: aws.Int32(0)},
		"maxResults 1001":      {MaxResults: aws.Int32(1001)},
		"foreign token":        {NextToken: aws.String("eA==")},
		"101 names":            {RepositoryNames: slices.Repeat(want[:1], 101)},
	} {
		_, err := r.api.DescribeRepositories(ctx, in)
		t.Run(name, func(t *testing.T) { wantError(t, err, "InvalidParameterException", "Invalid parameter at '") })
	}
}

func TestImageLists(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	tagged := r.image("app", aws.String("a"))
	for _, tag := range []string{"b", "c"} {
		if err := r.put("app", tagged, &tag); err != nil {
			t.Fatal(err)
		}
	}
	untagged := r.image("app", nil)

	list := func(filter types.TagStatus) (out []string) {
		t.Helper()
		pages := ecr.NewListImagesPaginator(r.api, &ecr.ListImagesInput{RepositoryName: aws.String("app"), MaxResults: aws.Int32(1), Filter: &types.ListImagesFilter{TagStatus: filter}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil || len(page.ImageIds) > 1 {
				t.Fatal(page, err)
			}
			for _, id := range page.ImageIds {
				out = append(out, aws.ToString(id.ImageTag)+"@"+*id.ImageDigest)
			}
		}
		slices.Sort(out)
		return out
	}
	a, b := digestOf(tagged), digestOf(untagged)
	for filter, want := range map[types.TagStatus][]string{
		"": {"@" + b, "a@" + a, "b@" + a, "c@" + a}, "ANY": {"@" + b, "a@" + a, "b@" + a, "c@" + a},
		"TAGGED": {"a@" + a, "b@" + a, "c@" + a}, "UNTAGGED": {"@" + b},
	} {
		if got := list(filter); !slices.Equal(got, want) {
			t.Errorf("%q: %v", filter, got)
		}
	}

	details, err := r.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}})
	if err != nil || len(details.ImageDetails) != 1 {
		t.Fatalf("%+v %v", details, err)
	}
	d := details.ImageDetails[0]
	if *d.ImageDigest != a || !slices.Equal(d.ImageTags, []string{"a", "b", "c"}) || *d.ImageSizeInBytes != 100 || *d.ImageManifestMediaType != ociManifest ||
		*d.ArtifactMediaType != "application/vnd.oci.image.config.v1+json" || d.ImagePushedAt == nil || d.ImageStatus != types.ImageStatusActive {
		t.Errorf("%+v", d)
	}
	in := &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("b")}, {ImageDigest: &b}}}
	if out, err := r.api.DescribeImages(ctx, in); err != nil || len(out.ImageDetails) != 2 {
		t.Errorf("%+v %v", out, err)
	}
	in.ImageIds = []types.ImageIdentifier{{ImageTag: aws.String("nothing")}}
	_, err = r.api.DescribeImages(ctx, in)
	wantError(t, err, "ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'nothing'} does not exist within the repository with name 'app' in the registry with id '000000000000'")
	in.MaxResults = aws.Int32(10)
	_, err = r.api.DescribeImages(ctx, in)
	wantError(t, err, "InvalidParameterException", "must not be given with maxResults")
	archived := &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterArchived}}
	if out, err := r.api.DescribeImages(ctx, archived); err != nil || len(out.ImageDetails) != 0 {
		t.Errorf("%+v %v", out, err)
	}
}

func TestSizeOfAnIndexIsThatOfItsLargestChild(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	config, layer := random(30), random(300)
	r.layer("app", config)
	r.layer("app", layer)
	small, large := manifest(config, config), manifest(config, layer, layer)
	for _, m := range [][]byte{small, large, index(small, large)} {
		if err := r.put("app", m, nil); err != nil {
			t.Fatal(err)
		}
	}
	out, err := r.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(digestOf(index(small, large)))}}})
	if err != nil || *out.ImageDetails[0].ImageSizeInBytes != 330 {
		t.Errorf("%+v %v", out, err)
	}
}

func TestRetagging(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", aws.String("latest"))
	got, err := r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("latest")}, {ImageTag: aws.String("nothing")}}})
	if err != nil || len(got.Images) != 1 || len(got.Failures) != 1 || got.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
		t.Fatalf("%+v %v", got, err)
	}
	if *got.Images[0].ImageManifest != string(m) || *got.Images[0].ImageId.ImageTag != "latest" || *got.Images[0].ImageManifestMediaType != ociManifest {
		t.Errorf("%+v", got.Images[0])
	}
	out, err := r.api.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("app"), ImageManifest: got.Images[0].ImageManifest, ImageTag: aws.String("2017.03")})
	if err != nil || *out.Image.ImageId.ImageDigest != digestOf(m) || *out.Image.ImageId.ImageTag != "2017.03" {
		t.Errorf("%+v %v", out, err)
	}
	_, err = r.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: slices.Repeat([]types.ImageIdentifier{{ImageTag: aws.String("latest")}}, 101)})
	wantError(t, err, "InvalidParameterException", "must have a length between 1 and 100")
}

func TestTagsPerImage(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.TagsPerImage, limits.ImagesPerRepository, limits.Repositories = 2, 2, 1
	r := newRig(t, localecr.Options{Limits: &limits})
	r.repository("app")
	m := r.image("app", aws.String("a"))
	if err := r.put("app", m, aws.String("b")); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.put("app", m, aws.String("c")), "LimitExceededException", "maximum allowed number of tags, 2")
	wantReply(t, r.putV2("app", "c", m), 405, "UNSUPPORTED", "maximum allowed number of tags, 2")
	second := r.image("app", nil)
	wantError(t, r.put("app", index(m), nil), "LimitExceededException", "maximum allowed number of images, 2")
	if got := r.v2("DELETE", "/v2/app/manifests/"+digestOf(second), nil); got.status != 202 {
		t.Fatal(got.status)
	}
	if err := r.put("app", index(m), nil); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
	_, err := r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("two")})
	wantError(t, err, "LimitExceededException", "maximum allowed number of repositories, 1")
}

func TestBatchCheckLayerAvailability(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	have, not := r.layer("app", random(77)), digestOf(nil)
	out, err := r.api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: aws.String("app"), LayerDigests: []string{have, not, "md5:00", ""}})
	if err != nil || len(out.Layers) != 2 || len(out.Failures) != 2 {
		t.Fatalf("%+v %v", out, err)
	}
	if l := out.Layers[0]; l.LayerAvailability != "AVAILABLE" || *l.LayerSize != 77 || *l.LayerDigest != have {
		t.Errorf("%+v", l)
	}
	if l := out.Layers[1]; l.LayerAvailability != "UNAVAILABLE" || l.LayerSize != nil {
		t.Errorf("%+v", l)
	}
	if out.Failures[0].FailureCode != "InvalidLayerDigest" || out.Failures[1].FailureCode != "MissingLayerDigest" {
		t.Errorf("%+v", out.Failures)
	}
	_, err = r.api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: aws.String("app"), LayerDigests: slices.Repeat([]string{have}, 101)})
	wantError(t, err, "InvalidParameterException", "must have a length between 1 and 100")
}

func TestResourceTags(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	arn := aws.String("arn:aws:ecr:us-east-1:000000000000:repository/app")
	tag := func(pairs ...string) error {
		in := &ecr.TagResourceInput{ResourceArn: arn}
		for i := 0; i < len(pairs); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		_, err := r.api.TagResource(ctx, in)
		return err
	}
	list := func() string {
		out, err := r.api.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, x := range out.Tags {
			text = append(text, *x.Key+"="+*x.Value)
		}
		return strings.Join(text, " ")
	}
	if err := tag("stack", "dev", "team", "devs"); err != nil {
		t.Error(err)
	}
	if err := tag("stack", "test"); err != nil || list() != "stack=test team=devs" {
		t.Errorf("%v %s", err, list())
	}
	for _, value := range []string{"test", "other"} {
		wantError(t, tag("stack", "test", "team", "devs", "stack", value), "InvalidTagParameterException", "tag key 'stack' must be unique")
	}
	if err := tag("Stack", "1", "STACK", "2"); err != nil || list() != "STACK=2 Stack=1 stack=test team=devs" { // keys are case-sensitive
		t.Errorf("%v %s", err, list())
	}
	twice := []types.Tag{{Key: aws.String("k"), Value: aws.String("1")}, {Key: aws.String("k"), Value: aws.String("2")}}
	_, err := r.api.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("twice"), Tags: twice})
	wantError(t, err, "InvalidTagParameterException", "tag key 'k' must be unique")
	if _, err := r.api.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team", "Stack", "STACK", "nothing"}}); err != nil || list() != "stack=test" {
		t.Errorf("%v %s", err, list())
	}
	wantError(t, tag("AWS:x", "1"), "InvalidTagParameterException", "begin with aws:")
	wantError(t, tag(strings.Repeat("k", 129), "1"), "InvalidTagParameterException", "length between 1 and 128")
	wantError(t, tag("k", strings.Repeat("v", 257)), "InvalidTagParameterException", "at most 256")
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprint("k", i), "v")
	}
	wantError(t, tag(many...), "TooManyTagsException", "50")
	arn = aws.String("arn:aws:ecr:us-east-1:000000000000:repository/nothing")
	wantError(t, tag("k", "v"), "RepositoryNotFoundException", "nothing")
	arn = aws.String("arn:aws:ecr:us-east-1:111111111111:repository/app")
	wantError(t, tag("k", "v"), "InvalidParameterException", "must be the ARN of a repository of this registry")
}

func TestRepositoryPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	name := aws.String("app")
	const policy = `{"Version":"2008-10-17","Statement":[{"Sid":"AllowPull","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":["ecr:BatchGetImage"]}]}`
	_, err := r.api.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: name})
	wantError(t, err, "RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name 'app' in the registry with id '000000000000'")
	if out, err := r.api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: aws.String(policy)}); err != nil || *out.PolicyText != policy {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := r.api.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: name}); err != nil || *out.PolicyText != policy {
		t.Errorf("%+v %v", out, err)
	}
	for _, bad := range []string{"", "x", `{"Version":"2012-10-17"}`, `{"Statement":[]}`, `{"Statement":[{"Effect":"Maybe","Principal":"*","Action":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*"}]}`, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`} {
		_, err := r.api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: &bad})
		wantError(t, err, "InvalidParameterException", "Invalid repository policy provided")
	}
	if _, err := r.api.DeleteRepositoryPolicy(ctx, &ecr.DeleteRepositoryPolicyInput{RepositoryName: name}); err != nil {
		t.Error(err)
	}
	_, err = r.api.DeleteRepositoryPolicy(ctx, &ecr.DeleteRepositoryPolicyInput{RepositoryName: name})
	wantError(t, err, "RepositoryPolicyNotFoundException", "app")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	get := func(name string) string {
		out, err := r.api.GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Value
	}
	if get("BASIC_SCAN_TYPE_VERSION") != "AWS_NATIVE" || get("REGISTRY_POLICY_SCOPE") != "V2" || get("BLOB_MOUNTING") != "DISABLED" {
		t.Error("presets")
	}
	put := func(name, value string) error {
		_, err := r.api.PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: &name, Value: &value})
		return err
	}
	if err := put("BLOB_MOUNTING", "ENABLED"); err != nil || get("BLOB_MOUNTING") != "ENABLED" {
		t.Error(err)
	}
	wantError(t, put("BLOB_MOUNTING", "on"), "InvalidParameterException", "must be one of")
	wantError(t, put("NOTHING", "on"), "InvalidParameterException", "BLOB_MOUNTING")
	_, err := r.api.GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: aws.String("NOTHING")})
	wantError(t, err, "InvalidParameterException", "BLOB_MOUNTING")

	if _, err := r.api.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{RepositoryName: aws.String("app"), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}}); err != nil {
		t.Fatal(err)
	}
	out, err := r.api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if err != nil || !out.Repositories[0].ImageScanningConfiguration.ScanOnPush {
		t.Errorf("%+v %v", out, err)
	}
	reg, err := r.api.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if err != nil || *reg.RegistryId != "000000000000" || reg.ReplicationConfiguration == nil {
		t.Errorf("%+v %v", reg, err)
	}
	_, err = r.api.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{}, ecr.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.MakeCoffee")))
	wantError(t, err, "UnknownOperationException", "MakeCoffee is not an operation of the local ECR")
}
