package localecr_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

func (r *rig) template(in ecr.CreateRepositoryCreationTemplateInput) error {
	_, err := r.api.CreateRepositoryCreationTemplate(context.Background(), &in)
	return err
}

var onPush = []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush}

const somePolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`

func TestTemplatesAreKept(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	role := aws.String("arn:aws:iam::000000000000:role/ecrkit")
	full := ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("team/"), AppliedFor: append(onPush, types.RCTAppliedForReplication), Description: aws.String("d"), CustomRoleArn: role,
		EncryptionConfiguration: &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionTypeKms},
		ImageTagMutability:      types.ImageTagMutabilityImmutable, ResourceTags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		RepositoryPolicy: aws.String(somePolicy), LifecyclePolicy: aws.String(lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1 -> ` + expireIt)),
	}
	if err := r.template(full); err != nil {
		t.Fatal(err)
	}
	full.Prefix = aws.String("team")
	wantError(t, r.template(full), "TemplateAlreadyExistsException", "'team/'")
	for _, prefix := range []string{"ROOT", "a", "a/b"} {
		if err := r.template(ecr.CreateRepositoryCreationTemplateInput{Prefix: &prefix, AppliedFor: onPush}); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	pages := ecr.NewDescribeRepositoryCreationTemplatesPaginator(r.api, &ecr.DescribeRepositoryCreationTemplatesInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, t := range page.RepositoryCreationTemplates {
			seen = append(seen, *t.Prefix)
		}
	}
	if got := strings.Join(seen, " "); got != "ROOT a a/b team/" {
		t.Errorf("templates %s", got)
	}
	get := func(prefix string) types.RepositoryCreationTemplate {
		t.Helper()
		out, err := r.api.DescribeRepositoryCreationTemplates(ctx, &ecr.DescribeRepositoryCreationTemplatesInput{Prefixes: []string{prefix, "none"}})
		if err != nil || len(out.RepositoryCreationTemplates) != 1 || *out.RegistryId != "000000000000" {
			t.Fatalf("%+v, %v", out, err)
		}
		return out.RepositoryCreationTemplates[0]
	}
	if got := get("a"); got.ImageTagMutability != types.ImageTagMutabilityMutable || got.EncryptionConfiguration.EncryptionType != types.EncryptionTypeAes256 || got.CreatedAt == nil || got.UpdatedAt == nil {
		t.Errorf("presets: %+v", got)
	}
	updated, err := r.api.UpdateRepositoryCreationTemplate(ctx, &ecr.UpdateRepositoryCreationTemplateInput{Prefix: aws.String("team"), Description: aws.String(""), ResourceTags: []types.Tag{}})
	if got := updated.RepositoryCreationTemplate; err != nil || *got.Description != "" || len(got.ResourceTags) != 0 || got.ImageTagMutability != types.ImageTagMutabilityImmutable || *got.RepositoryPolicy != somePolicy {
		t.Errorf("%+v, %v: want nothing else changed", got, err)
	}
	if _, err := r.api.DeleteRepositoryCreationTemplate(ctx, &ecr.DeleteRepositoryCreationTemplateInput{Prefix: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	_, err = r.api.DeleteRepositoryCreationTemplate(ctx, &ecr.DeleteRepositoryCreationTemplateInput{Prefix: aws.String("a")})
	wantError(t, err, "TemplateNotFoundException", "'a'")
	_, err = r.api.UpdateRepositoryCreationTemplate(ctx, &ecr.UpdateRepositoryCreationTemplateInput{Prefix: aws.String("a")})
	wantError(t, err, "TemplateNotFoundException", "'a'")

	for member, change := range map[string]func(*ecr.CreateRepositoryCreationTemplateInput){
		"prefix":         func(in *ecr.CreateRepositoryCreationTemplateInput) { in.Prefix = aws.String("Bad") },
		"appliedFor":     func(in *ecr.CreateRepositoryCreationTemplateInput) { in.AppliedFor = []types.RCTAppliedFor{} },
		"must be one of": func(in *ecr.CreateRepositoryCreationTemplateInput) { in.AppliedFor = []types.RCTAppliedFor{"NEVER"} },
		"description": func(in *ecr.CreateRepositoryCreationTemplateInput) {
			in.Description = aws.String(strings.Repeat("x", 257))
		},
		"with resourceTags": func(in *ecr.CreateRepositoryCreationTemplateInput) { in.CustomRoleArn = nil },
		"ARN of a role":     func(in *ecr.CreateRepositoryCreationTemplateInput) { in.CustomRoleArn = aws.String("ecrkit") },
		"account of the": func(in *ecr.CreateRepositoryCreationTemplateInput) {
			in.CustomRoleArn = aws.String("arn:aws:iam::111111111111:role/x")
		},
		"imageTagMutability": func(in *ecr.CreateRepositoryCreationTemplateInput) { in.ImageTagMutability = "SOMETIMES" },
		"encryptionType": func(in *ecr.CreateRepositoryCreationTemplateInput) {
			in.EncryptionConfiguration.EncryptionType = "ROT13"
		},
		"tag key 'k' must be unique": func(in *ecr.CreateRepositoryCreationTemplateInput) {
			in.ResourceTags = append(in.ResourceTags, in.ResourceTags[0])
		},
		"resourceTags": func(in *ecr.CreateRepositoryCreationTemplateInput) {
			in.ResourceTags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		},
		"LifecyclePolicy":  func(in *ecr.CreateRepositoryCreationTemplateInput) { in.LifecyclePolicy = aws.String("{}") },
		"repositoryPolicy": func(in *ecr.CreateRepositoryCreationTemplateInput) { in.RepositoryPolicy = aws.String("{}") },
	} {
		bad := full
		bad.Prefix = aws.String("new")
		bad.EncryptionConfiguration = &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionTypeAes256}
		change(&bad)
		wantError(t, r.template(bad), "InvalidParameterException", member)
	}
}

func TestARepositoryIsCreatedByAPush(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	for prefix, in := range map[string]ecr.CreateRepositoryCreationTemplateInput{
		"team": {AppliedFor: onPush, ImageTagMutability: types.ImageTagMutabilityImmutable, CustomRoleArn: aws.String("arn:aws:iam::000000000000:role/ecrkit"),
			ResourceTags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, RepositoryPolicy: aws.String(somePolicy),
			LifecyclePolicy:         aws.String(lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1 -> ` + expireIt)),
			EncryptionConfiguration: &types.EncryptionConfigurationForRepositoryCreationTemplate{EncryptionType: types.EncryptionTypeKmsDsse}},
		"team/deep":   {AppliedFor: onPush},
		"other":       {AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForPullThroughCache}},
		"team/deeper": {AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForReplication}},
	} {
		in.Prefix = &prefix
		if err := r.template(in); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"team", "teams/app", "other/app"} {
		_, err := r.api.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &name})
		wantError(t, err, "RepositoryNotFoundException", "'"+name+"'")
		wantReply(t, r.v2("POST", "/v2/"+name+"/blobs/uploads/", nil), 404, "NAME_UNKNOWN", name)
	}
	// What reads does not create.
	if got := r.v2("HEAD", "/v2/team/app/blobs/"+digestOf(nil), nil); got.status != 404 {
		t.Errorf("HEAD of a layer: %d", got.status)
	}
	_, err := r.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("team/app")})
	wantError(t, err, "RepositoryNotFoundException", "'team/app'")

	m := r.image("team/app", aws.String("1"))
	r.wantImages("team/app", m)
	r.layerV2("team/deep/app", random(10))
	r.layer("team/deeper/app", random(10)) // its own template is not for pushes
	out, err := r.api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if err != nil || len(out.Repositories) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, repo := range out.Repositories {
		want := types.ImageTagMutabilityImmutable
		if *repo.RepositoryName == "team/deep/app" {
			want = types.ImageTagMutabilityMutable
		}
		if repo.ImageTagMutability != want {
			t.Errorf("%s is %s, want %s", *repo.RepositoryName, repo.ImageTagMutability, want)
		}
	}
	repo := out.Repositories[0]
	tags, err := r.api.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: repo.RepositoryArn})
	if err != nil || len(tags.Tags) != 1 || repo.EncryptionConfiguration.EncryptionType != types.EncryptionTypeKmsDsse {
		t.Errorf("%+v, %+v, %v", repo, tags, err)
	}
	policy, err := r.api.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: repo.RepositoryName})
	if err != nil || *policy.PolicyText != somePolicy {
		t.Errorf("%+v, %v", policy, err)
	}
	older := r.image("team/app", nil)
	r.advance(day)
	if details := r.details("team/app"); len(details) != 1 {
		t.Errorf("%d images (%s, %s), want what the template's lifecycle policy leaves", len(details), digestOf(m), digestOf(older))
	}

	if err := r.template(ecr.CreateRepositoryCreationTemplateInput{Prefix: aws.String("ROOT"), AppliedFor: onPush}); err != nil {
		t.Fatal(err)
	}
	r.token = r.login(r.api)
	r.layer("plain", random(10))
	r.layerV2("other/app", random(10))
	if got := r.v2("POST", "/v2/mounted/blobs/uploads/?mount="+digestOf([]byte("x"))+"&from=plain", nil); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestRegistryPolicy(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	_, err := r.api.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	wantError(t, err, "RegistryPolicyNotFoundException", "'000000000000'")
	_, err = r.api.DeleteRegistryPolicy(ctx, &ecr.DeleteRegistryPolicyInput{})
	wantError(t, err, "RegistryPolicyNotFoundException", "'000000000000'")
	for _, bad := range []string{"", "{}", somePolicy, strings.Repeat(" ", 10_241)} {
		_, err = r.api.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: &bad})
		wantError(t, err, "InvalidParameterException", "PolicyText")
	}
	text := `{"Version":"2012-10-17","Statement":{"Sid":"x","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":["ecr:ReplicateImage"],"Resource":["arn:aws:ecr:us-east-1:000000000000:repository/*"]}}`
	put, err := r.api.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: &text})
	if err != nil || *put.PolicyText != text || *put.RegistryId != "000000000000" {
		t.Fatalf("%+v, %v", put, err)
	}
	r.repository("app")
	_, err = r.api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("app"), PolicyText: &text})
	wantError(t, err, "InvalidParameterException", "Invalid repository policy")
	got, err := r.api.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	if err != nil || *got.PolicyText != text {
		t.Fatalf("%+v, %v", got, err)
	}
	deleted, err := r.api.DeleteRegistryPolicy(ctx, &ecr.DeleteRegistryPolicyInput{})
	if err != nil || *deleted.PolicyText != text {
		t.Fatalf("%+v, %v", deleted, err)
	}
	_, err = r.api.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	wantError(t, err, "RegistryPolicyNotFoundException", "")
}
