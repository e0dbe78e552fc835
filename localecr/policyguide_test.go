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

// The policies here are those of the user guide of Amazon ECR, with the accounts, regions and users of the tests.

// pulls and pushes are operations as the guide's policies list them.
var (
	pulls  = []string{"GetDownloadUrlForLayer", "BatchGetImage"}
	pushes = []string{"GetDownloadUrlForLayer", "BatchCheckLayerAvailability", "PutImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}
	// readOnly and powerUser are of the managed policies of these names.
	readOnly  = []string{"BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "GetRepositoryPolicy", "DescribeRepositories", "ListImages", "DescribeImages", "BatchGetImage"}
	powerUser = append([]string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"}, readOnly...)
)

// list writes operations as the actions of a policy.
func list(operations ...string) string { return `"ecr:` + strings.Join(operations, `","ecr:`) + `"` }

// TestGuideRepositoryPolicies has the examples of repository policies. Every user may log in, and nothing else.
func TestGuideRepositoryPolicies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy  string
		allowed map[string][]string // by user; carol is of another account, the others have no rights of their own
	}{
		"describe": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"ECR Repository Policy","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/username"},"Action":["ecr:DescribeImages","ecr:DescribeRepositories"]}]}`,
			map[string][]string{"username": {"DescribeImages", "DescribeRepositories"}, "other": nil, "carol": nil},
		},
		"users in the account": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"AllowPushPull","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:user/push-pull-user-1","arn:aws:iam::111111111111:user/push-pull-user-2"]},
			"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","ecr:BatchCheckLayerAvailability","ecr:PutImage","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload"]}]}`,
			map[string][]string{"push-pull-user-1": append([]string{"BatchGetImage"}, pushes...), "push-pull-user-2": append([]string{"BatchGetImage"}, pushes...), "other": nil, "carol": nil},
		},
		"another account": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"AllowCrossAccountPush","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},
			"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability","ecr:PutImage","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload"]}]}`,
			map[string][]string{"carol": pushes, "other": nil},
		},
		"pull for some, all for one": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"AllowPull","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:user/pull-user-1","arn:aws:iam::111111111111:user/pull-user-2"]},"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"]},
			{"Sid":"AllowAll","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/admin-user"},"Action":["ecr:*"]}]}`,
			map[string][]string{"pull-user-1": pulls, "pull-user-2": pulls, "admin-user": every(), "carol": nil},
		},
		"all accounts": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"AllowPull","Effect":"Allow","Principal":"*","Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"]}]}`,
			map[string][]string{"other": pulls, "carol": pulls, "admin": every()},
		},
		"deny all": {
			`{"Version":"2008-10-17","Statement":[{"Sid":"DenyPull","Effect":"Deny","Principal":"*","Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"]}]}`,
			map[string][]string{"other": nil, "carol": nil, "admin": without(every(), pulls...)},
		},
		"addresses": {
			`{"Version":"2012-10-17","Id":"ECRPolicyId1","Statement":[{"Sid":"IPAllow","Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.188/32"},"IpAddress":{"aws:SourceIp":"127.0.0.0/24"}}}]}`,
			map[string][]string{"other": every(), "carol": every()},
		},
		"other addresses": {
			`{"Version":"2012-10-17","Id":"ECRPolicyId1","Statement":[{"Sid":"IPAllow","Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"NotIpAddress":{"aws:SourceIp":"54.240.143.188/32"},"IpAddress":{"aws:SourceIp":"54.240.143.0/24"}}}]}`,
			map[string][]string{"other": nil, "carol": nil},
		},
		"service": {
			`{"Version":"2012-10-17","Statement":[{"Sid":"CodeBuildAccess","Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`,
			map[string][]string{"other": nil, "carol": nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var users []localecr.User
			for user := range c.allowed {
				if user != "carol" && user != "admin" {
					users = append(users, userNamed(user, mayLogIn))
				}
			}
			p := newPoliced(t, users...)
			p.setRepositoryPolicy(c.policy)
			for user, allowed := range c.allowed {
				p.wantAllowed(user, allowed...)
			}
		})
	}
}

// TestGuideIdentityPolicies has the examples of policies of users and roles.
func TestGuideIdentityPolicies(t *testing.T) {
	t.Parallel()
	const repository = `"arn:aws:ecr:us-east-1:111111111111:repository/my-repo"`
	for name, c := range map[string]struct {
		policy  localecr.Policy
		logIn   bool // the policy does not allow it itself
		allowed []string
	}{
		"FullAccess": {policy: policyOf("Allow", `"ecr:*"`, `"*"`), allowed: every()},
		"PowerUser":  {policy: policyOf("Allow", list(append([]string{"GetAuthorizationToken"}, powerUser...)...), `"*"`), allowed: powerUser},
		"ReadOnly":   {policy: policyOf("Allow", list(append([]string{"GetAuthorizationToken"}, readOnly...)...), `"*"`), allowed: readOnly},
		"roles of Amazon ECS and EKS": {
			policy:  policyOf("Allow", list("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "GetAuthorizationToken"), `"*"`),
			allowed: append([]string{"BatchCheckLayerAvailability"}, pulls...),
		},
		"one repository": {
			policy: `{"Version":"2012-10-17","Statement":[{"Sid":"ListImagesInRepository","Effect":"Allow","Action":["ecr:ListImages"],"Resource":` + repository + `},
			{"Sid":"GetAuthorizationToken","Effect":"Allow","Action":["ecr:GetAuthorizationToken"],"Resource":"*"},
			{"Sid":"ManageRepositoryContents","Effect":"Allow","Action":[` + localecr.Policy(list(powerUser...)) + `],"Resource":` + repository + `}]}`,
			allowed: powerUser,
		},
		"own permissions": {
			policy: `{"Version":"2012-10-17","Statement":[{"Sid":"ViewOwnUserInfo","Effect":"Allow","Action":["iam:GetUserPolicy","iam:ListGroupsForUser","iam:ListAttachedUserPolicies","iam:ListUserPolicies","iam:GetUser"],"Resource":["arn:aws:iam::*:user/${aws:username}"]},
			{"Sid":"NavigateInConsole","Effect":"Allow","Action":["iam:GetGroupPolicy","iam:GetPolicyVersion","iam:GetPolicy","iam:ListAttachedGroupPolicies","iam:ListGroupPolicies","iam:ListPolicyVersions","iam:ListPolicies","iam:ListUsers"],"Resource":"*"}]}`,
			logIn: true,
		},
		"grants of AWS KMS": {
			policy: `{"Version":"2012-10-17","Id":"ecr-kms-permissions","Statement":[{"Sid":"Allow access to retire the grants associated with the key","Effect":"Allow","Action":["kms:RetireGrant"],"Resource":"arn:aws:kms:us-west-2:111122223333:key/b8d9ae76-080c-4043-92EXAMPLE"}]}`,
			logIn:  true,
		},
		"keys of AWS KMS": {
			policy: `{"Version":"2012-10-17","Id":"ecr-kms-permissions","Statement":[{"Sid":"Allow access to create and retire the grants associated with the key as well as describe the key","Effect":"Allow","Action":["kms:CreateGrant","kms:RetireGrant","kms:DescribeKey"],"Resource":"arn:aws:kms:us-west-2:111122223333:key/b8d9ae76-080c-4043-92EXAMPLE"}]}`,
			logIn:  true,
		},
		"keys of AWS KMS in the console": {
			policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:ListKeys","kms:ListAliases","kms:DescribeKey"],"Resource":"*"}}`,
			logIn:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policies := []localecr.Policy{c.policy}
			if c.logIn {
				policies = append(policies, mayLogIn)
			}
			p := newPoliced(t, userNamed("user", policies...))
			p.wantAllowed("user", c.allowed...)
		})
	}
}

// TestGuideOtherRepositories has the policy for one repository allow nothing in another.
func TestGuideOtherRepositories(t *testing.T) {
	t.Parallel()
	p := newPoliced(t, userNamed("user", policyOf("Allow", `"ecr:ListImages"`, `"arn:aws:ecr:us-east-1:111111111111:repository/other"`), mayLogIn))
	p.wantAllowed("user")
}

// TestGuideIAMPolicyWithPrincipal has an example that the guide calls an IAM policy: it has a principal, which AWS takes in
// the policy of a registry only.
func TestGuideIAMPolicyWithPrincipal(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":[{"Sid":"ECR Repository Policy","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/username"},"Action":["ecr:DescribeImages","ecr:DescribeRepositories"],
		"Resource":["arn:aws:ecr:us-east-1:111111111111:repository/my-repo"]}]}`
	_, err := localecr.New(localecr.Options{Accounts: []localecr.Account{{ID: ourAccount, Users: []localecr.User{userNamed("username", text)}}}})
	if err == nil || !strings.Contains(err.Error(), `user "username", policy 1`) || !strings.Contains(err.Error(), "principal") {
		t.Errorf("%v", err)
	}
	p := newPoliced(t, userNamed("username", mayLogIn), userNamed("other", mayLogIn))
	if _, err := p.as("admin").PutRegistryPolicy(context.Background(), &ecr.PutRegistryPolicyInput{PolicyText: aws.String(text)}); err != nil {
		t.Fatal(err)
	}
	p.wantAllowed("username", "DescribeImages", "DescribeRepositories")
	p.wantAllowed("other")
}

func TestGuideTagsOfRequests(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":[{"Sid":"AllowCreateTaggedRepository","Effect":"Allow","Action":["ecr:CreateRepository"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/environment":"dev"}}},
		{"Sid":"AllowTagRepository","Effect":"Allow","Action":["ecr:TagResource"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/environment":"dev"}}}]}`
	p := newPoliced(t, userNamed("user", text))
	ctx, c := context.Background(), p.as("user")
	create := func(name string, tags ...types.Tag) error {
		_, err := c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name, Tags: tags})
		return err
	}
	tag := func(value string) types.Tag {
		return types.Tag{Key: aws.String("environment"), Value: &value}
	}
	wantError(t, create("none"), "AccessDeniedException", "ecr:CreateRepository on resource: arn:aws:ecr:us-east-1:111111111111:repository/none ")
	wantError(t, create("prod", tag("prod")), "AccessDeniedException", "ecr:CreateRepository")
	if err := create("dev", tag("dev")); err != nil {
		t.Error(err)
	}
	arn := aws.String("arn:aws:ecr:us-east-1:111111111111:repository/my-repo")
	_, err := c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{tag("prod")}})
	wantError(t, err, "AccessDeniedException", "ecr:TagResource on resource: "+*arn)
	if _, err := c.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{tag("dev")}}); err != nil {
		t.Error(err)
	}
	// A tag needs ecr:TagResource too, when a repository is created with it.
	p = newPoliced(t, userNamed("user", policyOf("Allow", `"ecr:CreateRepository"`, `"*"`)))
	c = p.as("user")
	wantError(t, create("dev", tag("dev")), "AccessDeniedException", "ecr:TagResource")
}

func TestGuideTagsOfRepositories(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"},{"Effect":"Deny","Action":"ecr:*","Resource":"*","Condition":{"StringEquals":{"ecr:ResourceTag/environment":"prod"}}}]}`
	p := newPoliced(t, userNamed("user", text))
	p.wantAllowed("user", every()...)
	_, err := p.api.TagResource(context.Background(), &ecr.TagResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:111111111111:repository/my-repo"), Tags: []types.Tag{{Key: aws.String("environment"), Value: aws.String("prod")}}})
	if err != nil {
		t.Fatal(err)
	}
	// wantAllowed logs in first, which is about no repository.
	p.wantAllowed("user")
}
