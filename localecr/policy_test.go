package localecr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

const (
	ourAccount   = "111111111111"
	theirAccount = "222222222222"
	theRepo      = "my-repo"
)

// policyOf is an IAM policy of one statement. Actions and resources are in quotes.
func policyOf(effect, actions, resources string) localecr.Policy {
	return localecr.Policy(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":[%s],"Resource":[%s]}]}`, effect, actions, resources))
}

// mayLogIn is what everybody needs to use /v2/.
var mayLogIn = policyOf("Allow", `"ecr:GetAuthorizationToken"`, `"*"`)

// userNamed has a key pair made of the name.
func userNamed(name string, policies ...localecr.Policy) localecr.User {
	return localecr.User{Name: name, AccessKeyID: "AKIA" + strings.ToUpper(strings.ReplaceAll(name, "-", "")) + strings.Repeat("0", 16), SecretAccessKey: name, Policies: policies}
}

// A policed server has an administrator of ourAccount with a repository and an image in it, and other callers.
type policed struct {
	*rig
	manifest []byte
	users    map[string]localecr.User
	accounts map[string]string // of the users
}

// newPoliced adds users to ourAccount. In theirAccount, where nobody has policies, is carol.
func newPoliced(t *testing.T, users ...localecr.User) *policed {
	t.Helper()
	admin := userNamed("admin", policyOf("Allow", `"*"`, `"*"`))
	carol := userNamed("carol")
	p := &policed{users: map[string]localecr.User{"admin": admin, "carol": carol}, accounts: map[string]string{"admin": ourAccount, "carol": theirAccount}}
	for _, u := range users {
		p.users[u.Name], p.accounts[u.Name] = u, ourAccount
	}
	srv, err := localecr.New(localecr.Options{Accounts: []localecr.Account{
		{ID: ourAccount, Users: append([]localecr.User{admin}, users...)}, {ID: theirAccount, Users: []localecr.User{carol}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	p.rig = &rig{t: t, srv: srv}
	p.api = p.as("admin")
	p.repository(theRepo)
	p.manifest = p.image(theRepo, aws.String("1.0"))
	return p
}

func (p *policed) as(user string) *ecr.Client { return p.in(p.users[user], localecr.DefaultRegion) }

func (p *policed) setRepositoryPolicy(text string) {
	p.t.Helper()
	if _, err := p.as("admin").SetRepositoryPolicy(context.Background(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String(theRepo), PolicyText: &text}); err != nil {
		p.t.Fatal(err)
	}
}

// probes call an operation on the repository in ourAccount, in a way that changes nothing. What matters is whether the
// answer is that the caller is not authorized.
var probes = map[string]func(c *ecr.Client, name, account *string, digest string) error{
	"BatchCheckLayerAvailability": func(c *ecr.Client, n, a *string, d string) error {
		_, err := c.BatchCheckLayerAvailability(context.Background(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: n, RegistryId: a, LayerDigests: []string{d}})
		return err
	},
	"GetDownloadUrlForLayer": func(c *ecr.Client, n, a *string, d string) error {
		_, err := c.GetDownloadUrlForLayer(context.Background(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: n, RegistryId: a, LayerDigest: &d})
		return err
	},
	"BatchGetImage": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.BatchGetImage(context.Background(), &ecr.BatchGetImageInput{RepositoryName: n, RegistryId: a, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
		return err
	},
	"DescribeImages": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: n, RegistryId: a})
		return err
	},
	"ListImages": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.ListImages(context.Background(), &ecr.ListImagesInput{RepositoryName: n, RegistryId: a})
		return err
	},
	"DescribeRepositories": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{*n}, RegistryId: a})
		return err
	},
	"GetRepositoryPolicy": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.GetRepositoryPolicy(context.Background(), &ecr.GetRepositoryPolicyInput{RepositoryName: n, RegistryId: a})
		return err
	},
	"SetRepositoryPolicy": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.SetRepositoryPolicy(context.Background(), &ecr.SetRepositoryPolicyInput{RepositoryName: n, RegistryId: a, PolicyText: aws.String("none")})
		return err
	},
	"InitiateLayerUpload": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.InitiateLayerUpload(context.Background(), &ecr.InitiateLayerUploadInput{RepositoryName: n, RegistryId: a})
		return err
	},
	"UploadLayerPart": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.UploadLayerPart(context.Background(), &ecr.UploadLayerPartInput{RepositoryName: n, RegistryId: a, UploadId: aws.String("none"), PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte{1}})
		return err
	},
	"CompleteLayerUpload": func(c *ecr.Client, n, a *string, d string) error {
		_, err := c.CompleteLayerUpload(context.Background(), &ecr.CompleteLayerUploadInput{RepositoryName: n, RegistryId: a, UploadId: aws.String("none"), LayerDigests: []string{d}})
		return err
	},
	"PutImage": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.PutImage(context.Background(), &ecr.PutImageInput{RepositoryName: n, RegistryId: a, ImageManifest: aws.String("{}")})
		return err
	},
	"BatchDeleteImage": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.BatchDeleteImage(context.Background(), &ecr.BatchDeleteImageInput{RepositoryName: n, RegistryId: a, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("none")}}})
		return err
	},
	"DeleteRepository": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.DeleteRepository(context.Background(), &ecr.DeleteRepositoryInput{RepositoryName: n, RegistryId: a})
		return err
	},
	"TagResource": func(c *ecr.Client, n, a *string, _ string) error {
		_, err := c.TagResource(context.Background(), &ecr.TagResourceInput{ResourceArn: aws.String("arn:aws:ecr:us-east-1:" + *a + ":repository/" + *n), Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}})
		return err
	},
}

// probesV2 are the same on /v2/.
var probesV2 = map[string]struct{ method, path string }{
	"BatchCheckLayerAvailability": {http.MethodHead, "blobs/DIGEST"},
	"GetDownloadUrlForLayer":      {http.MethodGet, "blobs/DIGEST"},
	"BatchGetImage":               {http.MethodGet, "manifests/1.0"},
	"ListImages":                  {http.MethodGet, "tags/list"},
	"InitiateLayerUpload":         {http.MethodPost, "blobs/uploads/"},
	"UploadLayerPart":             {http.MethodPatch, "blobs/uploads/none"},
	"CompleteLayerUpload":         {http.MethodPut, "blobs/uploads/none?digest=DIGEST"},
	"PutImage":                    {http.MethodPut, "manifests/1.0"},
	"BatchDeleteImage":            {http.MethodDelete, "manifests/none"},
}

// wantAllowed calls every operation on the repository, on both APIs, and expects that a user may do these and no others.
func (p *policed) wantAllowed(user string, allowed ...string) {
	p.t.Helper()
	layer := digestOf([]byte("none"))
	arn := "arn:aws:ecr:us-east-1:" + ourAccount + ":repository/" + theRepo
	for _, action := range slices.Sorted(maps.Keys(probes)) {
		if user == "carol" && action == "TagResource" {
			continue // has no registry ID
		}
		err := probes[action](p.as(user), aws.String(theRepo), aws.String(ourAccount), layer)
		var api smithy.APIError
		denied := errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException"
		if want := !slices.Contains(allowed, action); denied != want {
			p.t.Errorf("%s, %s: denied is %v: %v", user, action, denied, err)
		}
		text := fmt.Sprintf("User: arn:aws:iam::%s:user/%s is not authorized to perform: ecr:%s on resource: %s ", p.accounts[user], user, action, arn)
		if denied && !strings.HasPrefix(api.ErrorMessage(), text) {
			p.t.Errorf("%s\nbegins not with %s", api.ErrorMessage(), text)
		}
	}
	p.token = p.login(p.as(user))
	for action, probe := range probesV2 {
		got := p.v2(probe.method, "/v2/"+theRepo+"/"+strings.ReplaceAll(probe.path, "DIGEST", layer), nil, "Host", ourAccount+".dkr.ecr.us-east-1.localhost")
		denied := got.status == http.StatusForbidden
		if want := !slices.Contains(allowed, action); denied != want {
			p.t.Errorf("/v2/: %s, %s: %d %s", user, action, got.status, got.code())
		}
		if denied && probe.method != http.MethodHead && !strings.Contains(got.code(), "DENIED: User: ") {
			p.t.Errorf("/v2/: %s", got.code())
		}
	}
}

// every is all operations that probes call.
func every() []string { return slices.Collect(maps.Keys(probes)) }

func without(all []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(some, a) })
}

func TestPoliciesAreOffUnlessSomebodyHasOne(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{Accounts: twoAccounts()}), context.Background()
	r.repository("app")
	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:*"}]}`
	if _, err := r.api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("app"), PolicyText: &deny}); err != nil {
		t.Fatal(err)
	}
	if err := describe(r.api, "app"); err != nil {
		t.Error(err)
	}
}

func TestMessagesOfRefusals(t *testing.T) {
	t.Parallel()
	p := newPoliced(t, userNamed("alice"), userNamed("bob", policyOf("Allow", `"ecr:*"`, `"*"`), policyOf("Deny", `"ecr:ListImages"`, `"*"`)))
	p.setRepositoryPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:DescribeImages"}]}`)
	arn := " on resource: arn:aws:ecr:us-east-1:" + ourAccount + ":repository/" + theRepo + " "
	for _, c := range []struct{ user, action, want string }{
		{"alice", "ListImages", "ecr:ListImages" + arn + "because no identity-based policy allows the ecr:ListImages action"},
		{"bob", "ListImages", "ecr:ListImages" + arn + "with an explicit deny in an identity-based policy"},
		{"bob", "DescribeImages", "ecr:DescribeImages" + arn + "with an explicit deny in a resource-based policy"},
		{"carol", "ListImages", "ecr:ListImages" + arn + "because no resource-based policy allows the ecr:ListImages action"},
	} {
		err := probes[c.action](p.as(c.user), aws.String(theRepo), aws.String(ourAccount), "")
		wantError(t, err, "AccessDeniedException", "User: arn:aws:iam::"+p.accounts[c.user]+":user/"+c.user+" is not authorized to perform: "+c.want)
	}
	// Without names, it is about all repositories; an operation on the registry is about no repository.
	wantError(t, describe(p.as("alice")), "AccessDeniedException", "ecr:DescribeRepositories on resource: arn:aws:ecr:us-east-1:"+ourAccount+":repository/* ")
	_, err := p.as("alice").GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	wantError(t, err, "AccessDeniedException", "ecr:GetAuthorizationToken on resource: * because no identity-based policy allows")
	_, err = p.as("alice").DescribeRegistry(context.Background(), &ecr.DescribeRegistryInput{})
	wantError(t, err, "AccessDeniedException", "ecr:DescribeRegistry on resource: * ")
}

// TestRegistryPolicyLetsOtherAccountsIn has the policy of the registry allow what a repository's does for one repository.
func TestRegistryPolicyLetsOtherAccountsIn(t *testing.T) {
	t.Parallel()
	p := newPoliced(t)
	text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:us-east-1:%s:repository/my-*"}]}`, theirAccount, ourAccount)
	if _, err := p.as("admin").PutRegistryPolicy(context.Background(), &ecr.PutRegistryPolicyInput{PolicyText: &text}); err != nil {
		t.Fatal(err)
	}
	p.wantAllowed("carol", "BatchGetImage", "GetDownloadUrlForLayer")
	out, err := p.as("carol").BatchGetImage(context.Background(), &ecr.BatchGetImageInput{RegistryId: aws.String(ourAccount), RepositoryName: aws.String(theRepo), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
	if err != nil || len(out.Images) != 1 || *out.Images[0].ImageManifest != string(p.manifest) {
		t.Errorf("%+v, %v", out, err)
	}
	if got := p.v2(http.MethodGet, "/v2/"+theRepo+"/manifests/1.0", nil, "Host", ourAccount+".dkr.ecr.us-east-1.localhost"); string(got.body) != string(p.manifest) {
		t.Errorf("%d %s", got.status, got.body)
	}
	p.repository("other")
	got := p.v2(http.MethodGet, "/v2/other/manifests/1.0", nil, "Host", ourAccount+".dkr.ecr.us-east-1.localhost")
	wantReply(t, got, http.StatusForbidden, "DENIED", "because no resource-based policy allows")
}

// TestRolePolicies has the policies of a role count for its sessions, and not those of the user who assumes it.
func TestRolePolicies(t *testing.T) {
	t.Parallel()
	reader := localecr.Role{Name: "reader", Policies: []localecr.Policy{policyOf("Allow", `"ecr:ListImages"`, `"*"`), mayLogIn}}
	admin := userNamed("admin", policyOf("Allow", `"*"`, `"*"`))
	srv, err := localecr.New(localecr.Options{Accounts: []localecr.Account{{ID: ourAccount, Users: []localecr.User{admin}, Roles: []localecr.Role{reader}}}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	r := &rig{t: t, srv: srv}
	r.api = r.in(admin, localecr.DefaultRegion)
	r.repository(theRepo)
	keys := assume(t, srv, admin, "arn:aws:iam::"+ourAccount+":role/reader")
	session := r.client(keys[0], keys[1], keys[2], localecr.DefaultRegion)
	if err := probes["ListImages"](session, aws.String(theRepo), nil, ""); err != nil {
		t.Error(err)
	}
	wantError(t, probes["DescribeImages"](session, aws.String(theRepo), nil, ""), "AccessDeniedException", "User: arn:aws:sts::"+ourAccount+":assumed-role/reader/")
}

func TestMountNeedsPermissionOnItsSource(t *testing.T) {
	t.Parallel()
	target := `"arn:aws:ecr:us-east-1:` + ourAccount + `:repository/target"`
	p := newPoliced(t,
		userNamed("alice", mayLogIn, policyOf("Allow", `"ecr:InitiateLayerUpload"`, target)),
		userNamed("bob", mayLogIn, policyOf("Allow", `"ecr:InitiateLayerUpload"`, target), policyOf("Allow", `"ecr:GetDownloadUrlForLayer"`, `"*"`)))
	p.repository("target")
	if _, err := p.api.PutAccountSetting(context.Background(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")}); err != nil {
		t.Fatal(err)
	}
	layer := layersOf(t, p.manifest)[0]
	for user, want := range map[string]int{"alice": http.StatusAccepted, "bob": http.StatusCreated} {
		p.token = p.login(p.as(user))
		if got := p.v2(http.MethodPost, "/v2/target/blobs/uploads/?mount="+layer+"&from="+theRepo, nil); got.status != want {
			t.Errorf("%s: %d %s, want %d", user, got.status, got.code(), want)
		}
	}
}

// assume returns the keys of a session of a role: ID, secret and token.
func assume(t *testing.T, srv *localecr.Server, user localecr.User, role string) [3]string {
	t.Helper()
	c := sts.New(sts.Options{Region: localecr.DefaultRegion, BaseEndpoint: aws.String(srv.URL), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, "")})
	out, err := c.AssumeRole(context.Background(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
	if err != nil {
		t.Fatal(err)
	}
	return [3]string{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken}
}

// layersOf returns the digests of the layers of a manifest.
func layersOf(t *testing.T, manifest []byte) (digests []string) {
	t.Helper()
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Layers {
		digests = append(digests, d.Digest.String())
	}
	return digests
}

// TestTokensNeedAnIdentityPolicy has the policy of a registry neither allow nor deny GetAuthorizationToken.
func TestTokensNeedAnIdentityPolicy(t *testing.T) {
	t.Parallel()
	p := newPoliced(t, userNamed("alice"), userNamed("bob", mayLogIn))
	for effect, user := range map[string]string{"Allow": "alice", "Deny": "bob"} {
		text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Principal":{"AWS":"arn:aws:iam::%s:user/%s"},"Action":"ecr:*","Resource":"*"}]}`, effect, ourAccount, user)
		if _, err := p.as("admin").PutRegistryPolicy(context.Background(), &ecr.PutRegistryPolicyInput{PolicyText: &text}); err != nil {
			t.Fatal(err)
		}
		_, err := p.as(user).GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
		if (err == nil) != (user == "bob") {
			t.Errorf("%s, whose registry has %s: %v", user, effect, err)
		}
	}
}

// TestPutOfAnUploadNeedsTwoPermissions has a PUT with bytes need the permission for a part, too.
func TestPutOfAnUploadNeedsTwoPermissions(t *testing.T) {
	t.Parallel()
	p := newPoliced(t, userNamed("user", mayLogIn, policyOf("Allow", `"ecr:InitiateLayerUpload","ecr:CompleteLayerUpload"`, `"*"`)))
	p.token = p.login(p.as("user"))
	to := p.startV2(theRepo) + "?digest=" + digestOf([]byte("layer"))
	wantReply(t, p.v2(http.MethodPut, to, []byte("layer")), http.StatusForbidden, "DENIED", "not authorized to perform: ecr:UploadLayerPart")
	wantReply(t, p.v2(http.MethodPut, to, nil), http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "")
}
