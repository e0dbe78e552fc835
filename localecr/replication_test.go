package localecr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

const far = "eu-west-1"

func destination(account, region string) types.ReplicationDestination {
	return types.ReplicationDestination{RegistryId: &account, Region: &region}
}

func (r *rig) replicate(rules ...types.ReplicationRule) error {
	if rules == nil {
		rules = []types.ReplicationRule{}
	}
	_, err := r.api.PutReplicationConfiguration(context.Background(), &ecr.PutReplicationConfigurationInput{ReplicationConfiguration: &types.ReplicationConfiguration{Rules: rules}})
	return err
}

// mustReplicate replicates repositories with a prefix, or all for "".
func (r *rig) mustReplicate(prefix string, destinations ...types.ReplicationDestination) {
	r.t.Helper()
	rule := types.ReplicationRule{Destinations: destinations}
	if prefix != "" {
		rule.RepositoryFilters = []types.RepositoryFilter{{Filter: &prefix, FilterType: types.RepositoryFilterTypePrefixMatch}}
	}
	if err := r.replicate(rule); err != nil {
		r.t.Fatal(err)
	}
}

// status is the status of an image for each destination.
func (r *rig) status(repo string, m []byte) string {
	r.t.Helper()
	out, err := r.api.DescribeImageReplicationStatus(context.Background(), &ecr.DescribeImageReplicationStatusInput{
		RepositoryName: &repo, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digest.FromBytes(m).String())}})
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, s := range out.ReplicationStatuses {
		all = append(all, strings.TrimSpace(fmt.Sprint(*s.RegistryId, " ", *s.Region, " ", s.Status, " ", aws.ToString(s.FailureCode))))
	}
	return strings.Join(all, ", ")
}

// in is the client of a user in a region.
func (r *rig) in(user localecr.User, region string) *ecr.Client {
	return r.client(user.AccessKeyID, user.SecretAccessKey, "", region)
}

// images are the images of a repository: digest and tags.
func (r *rig) images(c *ecr.Client, repo string) map[string]string {
	r.t.Helper()
	out, err := c.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: &repo})
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]string{}
	for _, image := range out.ImageDetails {
		found[*image.ImageDigest] = strings.Join(image.ImageTags, " ")
	}
	return found
}

func TestReplicationToAnotherRegion(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ReplicationTime: time.Minute}), context.Background()
	user := localecr.DefaultAccounts()[0].Users[0]
	r.repository("app")
	r.repository("other")
	before := r.image("app", aws.String("before"))
	r.mustReplicate("app", destination("000000000000", far), destination("000000000000", "eu-west-2"), destination("000000000000", far))
	m := r.image("app", aws.String("1.0"))
	multi := index(m)
	if err := r.put("app", multi, aws.String("multi")); err != nil {
		t.Fatal(err)
	}
	other := r.image("other", aws.String("1.0"))
	want := "000000000000 eu-west-1 IN_PROGRESS, 000000000000 eu-west-2 IN_PROGRESS"
	if got := r.status("app", m); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if r.status("app", before) != "" || r.status("other", other) != "" {
		t.Error("what no rule is for, or was there before, is replicated")
	}
	none := func(repo string) {
		t.Helper()
		_, err := r.in(user, far).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &repo})
		wantError(t, err, "RepositoryNotFoundException", repo)
	}
	none("app")
	r.advance(time.Minute + time.Second)
	there := r.in(user, far)
	repos, err := there.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	if err != nil || len(repos.Repositories) != 1 || *repos.Repositories[0].RepositoryName != "app" {
		t.Errorf("%+v, %v", repos, err)
	}
	got := r.images(there, "app")
	if len(got) != 2 || got[digest.FromBytes(m).String()] != "1.0" || got[digest.FromBytes(multi).String()] != "multi" {
		t.Errorf("%v", got)
	}
	none("other")
	want = "000000000000 eu-west-1 COMPLETE, 000000000000 eu-west-2 COMPLETE"
	if got := r.status("app", m); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// The layers have come along.
	images, err := there.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("1.0")}}})
	if err != nil || *images.Images[0].ImageManifest != string(m) {
		t.Fatalf("%+v, %v", images, err)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(m, &manifest); err != nil || len(manifest.Layers) == 0 {
		t.Fatal(err)
	}
	for _, d := range manifest.Layers {
		layer := d.Digest.String()
		if _, err := there.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("app"), LayerDigest: &layer}); err != nil {
			t.Error(err)
		}
	}
	// A deletion is not replicated.
	if _, err := r.api.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("app"), Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := r.images(there, "app"); len(got) != 2 {
		t.Errorf("after a deletion at the source: %v", got)
	}
}

// TestReplicationDoesNotChain has what arrives stay where it is, although that registry replicates too.
func TestReplicationDoesNotChain(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{ReplicationTime: time.Minute})
	user := localecr.DefaultAccounts()[0].Users[0]
	near := r.api
	r.api = r.in(user, far)
	r.mustReplicate("", destination("000000000000", "eu-west-2"))
	r.api = near
	r.repository("app")
	r.mustReplicate("", destination("000000000000", far))
	r.image("app", aws.String("1.0"))
	r.advance(time.Hour)
	if got := r.images(r.in(user, far), "app"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	r.advance(time.Hour)
	_, err := r.in(user, "eu-west-2").DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: aws.String("app")})
	wantError(t, err, "RepositoryNotFoundException", "app")
}

// TestReplicationFails keeps an immutable tag at the destination, whose settings are those of a template.
func TestReplicationFails(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ReplicationTime: time.Minute}), context.Background()
	user := localecr.DefaultAccounts()[0].Users[0]
	_, err := r.in(user, far).CreateRepositoryCreationTemplate(ctx, &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("ROOT"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForReplication}, ImageTagMutability: types.ImageTagMutabilityImmutable})
	if err != nil {
		t.Fatal(err)
	}
	r.repository("app")
	r.mustReplicate("", destination("000000000000", far))
	first := r.image("app", aws.String("1.0"))
	r.advance(2 * time.Minute)
	second := r.image("app", aws.String("1.0"))
	r.advance(2 * time.Minute)
	if got := r.status("app", first); got != "000000000000 eu-west-1 COMPLETE" {
		t.Error(got)
	}
	if got := r.status("app", second); got != "000000000000 eu-west-1 FAILED ImageTagAlreadyExistsException" {
		t.Error(got)
	}
	if got := r.images(r.in(user, far), "app"); len(got) != 1 || got[digest.FromBytes(first).String()] != "1.0" {
		t.Errorf("%v", got)
	}
	// Later images arrive nevertheless.
	r.image("app", aws.String("2.0"))
	r.advance(2 * time.Minute)
	if got := r.images(r.in(user, far), "app"); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestRefusedReplicationLeavesNothing has the quota of images at the destination end a replication: the
// repository that it would have created is not there.
func TestRefusedReplicationLeavesNothing(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.Repositories = 1
	r := newRig(t, localecr.Options{ReplicationTime: time.Minute, Limits: &limits})
	user := localecr.DefaultAccounts()[0].Users[0]
	r.repository("app")
	near := r.api
	r.api = r.in(user, far)
	r.repository("taken")
	r.api = near
	r.mustReplicate("", destination("000000000000", far))
	m := r.image("app", aws.String("1.0"))
	r.advance(2 * time.Minute)
	if got := r.status("app", m); got != "000000000000 eu-west-1 FAILED LimitExceededException" {
		t.Error(got)
	}
	out, err := r.in(user, far).DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{})
	if err != nil || len(out.Repositories) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestReplicationToAnotherAccount(t *testing.T) {
	t.Parallel()
	statement := func(effect, principal, action, resource, more string) string {
		return fmt.Sprintf(`{"Effect":%q,"Principal":%s,"Action":%s,"Resource":%s%s}`, effect, principal, action, resource, more)
	}
	root, all := `{"AWS":"arn:aws:iam::111111111111:root"}`, `"arn:aws:ecr:us-east-1:222222222222:repository/*"`
	allow := statement("Allow", root, `["ecr:CreateRepository","ecr:ReplicateImage"]`, all, "")
	for name, c := range map[string]struct {
		statements []string
		allowed    bool
	}{
		"no policy":            {nil, false},
		"allowed":              {[]string{allow}, true},
		"one statement":        {[]string{statement("Allow", `{"AWS":["111111111111"]}`, `"ecr:*"`, `"*"`, "")}, true},
		"everybody":            {[]string{statement("Allow", `"*"`, `["ecr:Replicate*","ecr:CreateRepository"]`, `["arn:aws:ecr:us-east-1:222222222222:repository/a?p"]`, "")}, true},
		"another account":      {[]string{statement("Allow", `{"AWS":"333333333333"}`, `"ecr:*"`, all, "")}, false},
		"another action":       {[]string{statement("Allow", root, `"ecr:CreateRepository"`, all, "")}, false},
		"another resource":     {[]string{statement("Allow", root, `"ecr:ReplicateImage"`, `"arn:aws:ecr:us-east-1:222222222222:repository/[a]pp"`, "")}, false},
		"no creation":          {[]string{statement("Allow", root, `"ecr:ReplicateImage"`, all, "")}, false},
		"condition that holds": {[]string{statement("Allow", root, `"ecr:*"`, all, `,"Condition":{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}`)}, true},
		"denied":               {[]string{allow, statement("Deny", root, `"ecr:ReplicateImage"`, all, "")}, false},
		"another is denied":    {[]string{allow, statement("Deny", `{"AWS":"333333333333"}`, `"ecr:ReplicateImage"`, all, "")}, true},
		"on a condition":       {[]string{statement("Allow", root, `"ecr:*"`, all, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`)}, false},
		"unclear denial":       {[]string{allow, `{"Effect":"Deny","Principal":"*","NotAction":"ecr:ReplicateImage","Resource":"*"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accounts := []localecr.Account{
				{ID: "111111111111", Users: []localecr.User{{Name: "near", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "near-secret"}}},
				{ID: "222222222222", Users: []localecr.User{{Name: "far", AccessKeyID: "AKIAI44QH8DHBEXAMPLE", SecretAccessKey: "far-secret"}}},
			}
			srv, err := localecr.New(localecr.Options{Accounts: accounts, ReplicationTime: time.Nanosecond})
			if err != nil {
				t.Fatal(err)
			}
			srv.Start(t)
			r := &rig{t: t, srv: srv}
			near, there := r.in(accounts[0].Users[0], localecr.DefaultRegion), r.in(accounts[1].Users[0], localecr.DefaultRegion)
			if c.statements != nil {
				text := `{"Version":"2012-10-17","Statement":[` + strings.Join(c.statements, ",") + `]}`
				if _, err := there.PutRegistryPolicy(t.Context(), &ecr.PutRegistryPolicyInput{PolicyText: &text}); err != nil {
					t.Fatal(err)
				}
			}
			r.api = near
			r.token = r.login(near)
			r.repository("app")
			r.mustReplicate("", destination("222222222222", localecr.DefaultRegion))
			m := r.image("app", aws.String("1.0"))
			want := "222222222222 us-east-1 FAILED AccessDeniedException"
			if c.allowed {
				want = "222222222222 us-east-1 COMPLETE"
			}
			if got := r.status("app", m); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if c.allowed {
				if got := r.images(there, "app"); len(got) != 1 {
					t.Errorf("%v", got)
				}
			}
		})
	}
}

// TestReplicationToAnExistingRepository needs no permission to create one.
func TestReplicationToAnExistingRepository(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{Accounts: twoAccounts(), ReplicationTime: time.Minute}), context.Background()
	there := r.in(twoAccounts()[1].Users[0], far)
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"ecr:ReplicateImage","Resource":"*"}]}`
	if _, err := there.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: &text}); err != nil {
		t.Fatal(err)
	}
	if _, err := there.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("app")}); err != nil {
		t.Fatal(err)
	}
	r.repository("app")
	r.mustReplicate("", destination("111111111111", far))
	m := r.image("app", aws.String("1.0"))
	r.advance(time.Minute + time.Second)
	if got := r.status("app", m); got != "111111111111 eu-west-1 COMPLETE" {
		t.Error(got)
	}
}

func TestReplicationConfiguration(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	to := func(n int) (all []types.ReplicationDestination) {
		for i := range n {
			all = append(all, destination("000000000000", fmt.Sprintf("eu-west-%d", i)))
		}
		return all
	}
	filter := func(text string) types.ReplicationRule {
		return types.ReplicationRule{Destinations: to(1), RepositoryFilters: []types.RepositoryFilter{{Filter: &text, FilterType: types.RepositoryFilterTypePrefixMatch}}}
	}
	for name, rules := range map[string][]types.ReplicationRule{
		"rules":                                  slices.Repeat([]types.ReplicationRule{{Destinations: to(1)}}, 11),
		"destinations":                           {{Destinations: to(26)}},
		"different destinations":                 {{Destinations: to(25)}, {Destinations: []types.ReplicationDestination{destination("111111111111", far)}}},
		"destinations.1.member.registryId":       {{Destinations: []types.ReplicationDestination{destination("1", far)}}},
		"destinations.1.member.region":           {{Destinations: []types.ReplicationDestination{destination("000000000000", "EU")}}},
		"registry itself":                        {{Destinations: []types.ReplicationDestination{destination("000000000000", localecr.DefaultRegion)}}},
		"repositoryFilters.1.member.filter'":     {filter("A")},
		"repositoryFilters.1.member.filterType'": {{Destinations: to(1), RepositoryFilters: []types.RepositoryFilter{{Filter: aws.String("ab"), FilterType: "SUFFIX"}}}},
		"repositoryFilters'":                     {{Destinations: to(1), RepositoryFilters: slices.Repeat(filter("ab").RepositoryFilters, 101)}},
	} {
		wantError(t, r.replicate(rules...), "InvalidParameterException", name)
	}
	if err := r.replicate(filter("prod/"), types.ReplicationRule{Destinations: to(25)}); err != nil {
		t.Fatal(err)
	}
	out, err := r.api.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if err != nil || len(out.ReplicationConfiguration.Rules) != 2 || *out.ReplicationConfiguration.Rules[0].RepositoryFilters[0].Filter != "prod/" {
		t.Errorf("%+v, %v", out, err)
	}
	if err := r.replicate(); err != nil {
		t.Fatal(err)
	}
	r.repository("app")
	if got := r.status("app", r.image("app", nil)); got != "" {
		t.Errorf("without rules: %s", got)
	}
	_, err = r.api.DescribeImageReplicationStatus(ctx, &ecr.DescribeImageReplicationStatusInput{RepositoryName: aws.String("app"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("none")}})
	wantError(t, err, "ImageNotFoundException", "none")
}
