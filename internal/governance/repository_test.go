package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

func TestDescribeManyRepositories(t *testing.T) {
	r, ctx := open(t, localecr.Options{}, "000000000000"), context.Background()
	const many = maxScanNames + 1
	for i := range many {
		if _, err := r.CreateRepository(ctx, fmt.Sprintf("team/app%03d", i), ecr.Settings{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.PutScanningConfiguration(ctx, NewScanningConfiguration(ScanBasic, []string{"*25"}, nil)); err != nil {
		t.Fatal(err)
	}
	var repositories []ecr.RepositoryDescription
	for repository, err := range r.Repositories(ctx, "team/*") {
		if err != nil {
			t.Fatal(err)
		}
		repositories = append(repositories, repository)
	}
	slices.Reverse(repositories) // the order is that of the caller
	gone := ecr.RepositoryDescription{Name: "team/gone", ARN: strings.Replace(repositories[0].ARN, repositories[0].Name, "team/gone", 1)}
	descriptions, failures := r.Describe(ctx, slices.Insert(repositories, 1, gone))
	if len(failures) != 1 || !strings.Contains(failures[0].Error(), "gone") {
		t.Errorf("failures %v", failures)
	}
	if len(descriptions) != many {
		t.Fatalf("%d descriptions", len(descriptions))
	}
	for i, d := range descriptions {
		if want := fmt.Sprintf("team/app%03d", many-1-i); d.Name != want {
			t.Errorf("%d is %s, not %s", i, d.Name, want)
		}
		if d.Scanning == nil || d.Scanning.Automatic() != (i == 0) {
			t.Errorf("%s: %+v", d.Name, d.Scanning)
		}
	}
}

func TestScanningOfAnotherAccountIsNotKnown(t *testing.T) {
	s := &script{answers: map[string]string{
		"GetRegistryScanningConfiguration": `{"registryId":"222222222222","scanningConfiguration":{"scanType":"BASIC","rules":[]}}`,
		"ListTagsForResource":              `{"tags":[]}`,
		"GetRepositoryPolicy":              `{"__type":"RepositoryPolicyNotFoundException"}`,
		"GetLifecyclePolicy":               `{"__type":"LifecyclePolicyNotFoundException"}`,
	}}
	descriptions, failures := s.registry().Describe(context.Background(), []ecr.RepositoryDescription{{Name: "app", ARN: "arn:app"}})
	if len(failures) > 0 || len(descriptions) != 1 || descriptions[0].Scanning != nil {
		t.Errorf("%+v, %v", descriptions, failures)
	}
	if slices.ContainsFunc(s.requests, func(r string) bool { return strings.HasPrefix(r, "BatchGet") }) {
		t.Error("the caller's own registry was asked about the repositories of another")
	}
}

func TestRegistryWideChangesAreOfTheRegistrysAccount(t *testing.T) {
	r, ctx := open(t, localecr.Options{}, "111111111111"), context.Background()
	template := newTemplateBase("team")
	template.AppliedFor = []string{"REPLICATION"}
	for name, change := range map[string]func() error{
		"scanning": func() error {
			_, err := r.PutScanningConfiguration(ctx, ScanningConfiguration{Type: ScanBasic})
			return err
		},
		"reading scanning":   func() error { _, err := r.ScanningConfiguration(ctx); return err },
		"account":            func() error { return r.PutAccountSetting(ctx, "BLOB_MOUNTING", "ENABLED") },
		"reading account":    func() error { _, err := r.AccountSettings(ctx); return err },
		"template":           func() error { return r.CreateTemplate(ctx, template) },
		"changing template":  func() error { return r.UpdateTemplate(ctx, template) },
		"deleting template":  func() error { return r.DeleteTemplate(ctx, "team") },
		"reading templates":  func() error { _, err := r.Templates(ctx); return err },
		"scanning of a repo": func() error { _, err := r.Scanning(ctx, []string{"app"}); return err },
	} {
		if err := change(); !errors.Is(err, ErrOtherAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersThatAreNotUnderstood(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		answers map[string]string
		call    func(r *Registry) error
	}{
		"a policy that is no JSON": {map[string]string{"GetRepositoryPolicy": `{"policyText":"x"}`},
			func(r *Registry) error { _, err := r.RepositoryPolicy(ctx, "app"); return err }},
		"no policy at all": {map[string]string{"GetRepositoryPolicy": `{}`},
			func(r *Registry) error { _, err := r.RepositoryPolicy(ctx, "app"); return err }},
		"no scan type": {map[string]string{"GetRegistryScanningConfiguration": `{"registryId":"111122223333"}`},
			func(r *Registry) error { _, err := r.ScanningConfiguration(ctx); return err }},
		"scanning of a repository that failed": {map[string]string{
			"GetRegistryScanningConfiguration":        `{"registryId":"111122223333","scanningConfiguration":{"scanType":"BASIC","rules":[]}}`,
			"BatchGetRepositoryScanningConfiguration": `{"failures":[{"repositoryName":"app","failureCode":"OTHER"}],"scanningConfigurations":[]}`,
		}, func(r *Registry) error { _, err := r.Scanning(ctx, []string{"app"}); return err }},
		"a template whose policy is no JSON": {map[string]string{
			"DescribeRepositoryCreationTemplates": `{"registryId":"111122223333","repositoryCreationTemplates":[{"prefix":"a","lifecyclePolicy":"x"}]}`,
		}, func(r *Registry) error { _, err := r.Templates(ctx); return err }},
	} {
		if err := c.call((&script{answers: c.answers}).registry()); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
