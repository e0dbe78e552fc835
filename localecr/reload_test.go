package localecr_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

// Accounts that are replaced while the server runs count at once, and tokens of those that remain stay valid.
func TestSetAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.create("app")
	accounts := localecr.DefaultAccounts()
	accounts[0].Users = append(accounts[0].Users, localecr.User{Name: "ci", AccessKeyID: "AKIAEXAMPLECI0000000", SecretAccessKey: "not-a-secret"})
	ci := r.client("AKIAEXAMPLECI0000000", "not-a-secret", "", localecr.DefaultRegion)
	_, err := ci.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	wantError(t, err, "UnrecognizedClientException", "invalid")
	if err := r.srv.SetAccounts(accounts); err != nil {
		t.Fatal(err)
	}
	if _, err := ci.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Fatal(err)
	}
	if got := r.v2("GET", "/v2/app/tags/list", nil); got.status != 200 {
		t.Fatalf("older token: %d", got.status)
	}
	for _, wrong := range [][]localecr.Account{nil, {{ID: "111111111111"}}, {{ID: accounts[0].ID, Users: []localecr.User{{Name: "x"}}}}} {
		if err := r.srv.SetAccounts(wrong); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
	if _, err := ci.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Errorf("after wrong accounts: %v", err)
	}
}

func TestSetQuotas(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	create := func(name string) error {
		_, err := r.api.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(name)})
		return err
	}
	r.srv.SetQuotas(localecr.Quotas{"CreateRepository": {Rate: 0.001, Burst: 1}})
	if err := create("one"); err != nil {
		t.Fatal(err)
	}
	wantError(t, create("two"), "ThrottlingException", "")
	r.srv.SetQuotas(nil)
	if err := create("three"); err != nil {
		t.Fatal(err)
	}
}

// Upstreams that are replaced count for the next pull through a rule, and wrong ones change nothing.
func TestSetUpstreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	create := func(prefix string) error {
		_, err := r.api.CreatePullThroughCacheRule(t.Context(), &ecr.CreatePullThroughCacheRuleInput{
			EcrRepositoryPrefix: aws.String(prefix), UpstreamRegistryUrl: aws.String("registry.example.com"),
		})
		return err
	}
	if create("one") == nil {
		t.Error("a rule for a registry that is no upstream was taken")
	}
	if err := r.srv.SetUpstreams(localecr.Upstreams{Hosts: map[string]string{"registry.example.com": "http://127.0.0.1:1"}}); err != nil {
		t.Fatal(err)
	}
	if err := create("one"); err != nil {
		t.Error(err)
	}
	if err := r.srv.SetUpstreams(localecr.Upstreams{Hosts: map[string]string{"registry.example.com": "127.0.0.1:1/path"}}); err == nil {
		t.Error("wrong upstreams were taken")
	}
	if err := create("two"); err != nil {
		t.Errorf("after wrong upstreams: %v", err)
	}
}
