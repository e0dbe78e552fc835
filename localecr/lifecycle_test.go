package localecr_test

import (
	"context"
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

const day = 24 * time.Hour

// rules makes a policy of rules, each "SELECTION -> ACTION" with the members of the two.
func lifecycleRules(rules ...string) string {
	for i, rule := range rules {
		selection, action, _ := strings.Cut(rule, " -> ")
		rules[i] = fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{%s}}`, i+1, selection, action)
	}
	return `{"rules":[` + strings.Join(rules, ",") + `]}`
}

const (
	expireIt  = `"type":"expire"`
	archiveIt = `"type":"transition","targetStorageClass":"archive"`
)

func (r *rig) putLifecycle(repo, text string) {
	r.t.Helper()
	if _, err := r.api.PutLifecyclePolicy(context.Background(), &ecr.PutLifecyclePolicyInput{RepositoryName: &repo, LifecyclePolicyText: &text}); err != nil {
		r.t.Fatal(err)
	}
}

// details are the images of a repository, whatever their status, by digest.
func (r *rig) details(repo string) map[string]types.ImageDetail {
	r.t.Helper()
	out, err := r.api.DescribeImages(context.Background(), &ecr.DescribeImagesInput{
		RepositoryName: &repo, Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	details := map[string]types.ImageDetail{}
	for _, d := range out.ImageDetails {
		details[*d.ImageDigest] = d
	}
	return details
}

// wantImages checks which images a repository has.
func (r *rig) wantImages(repo string, want ...[]byte) {
	r.t.Helper()
	details := r.details(repo)
	for _, m := range want {
		if _, ok := details[digestOf(m)]; !ok {
			r.t.Errorf("image %s is gone", digestOf(m))
		}
	}
	if len(details) != len(want) {
		r.t.Errorf("%d images, want %d", len(details), len(want))
	}
}

func TestLifecyclePolicyIsKept(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	r.repository("app")
	app := aws.String("app")
	_, err := r.api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: app})
	wantError(t, err, "LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name 'app' in the registry with id '000000000000'")
	_, err = r.api.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: app})
	wantError(t, err, "LifecyclePolicyNotFoundException", "'app'")
	_, err = r.api.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: aws.String(
		lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countUnit":"days","countNumber":1 -> ` + expireIt))})
	wantError(t, err, "InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: instance failed to match exactly one schema (matched 0 out of 2) (rule 1: selection.countUnit")
	_, err = r.api.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("none"), LifecyclePolicyText: aws.String(
		lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1 -> ` + expireIt))})
	wantError(t, err, "RepositoryNotFoundException", "'none'")

	text := " " + lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1 -> `+expireIt)
	r.putLifecycle("app", text)
	got, err := r.api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: app})
	if err != nil || *got.LifecyclePolicyText != text || *got.RegistryId != "000000000000" || got.LastEvaluatedAt.Unix() != 0 {
		t.Fatalf("%+v, %v: want what was put, not evaluated yet", got, err)
	}
	r.advance(3*day + time.Hour)
	got, err = r.api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: app})
	if since := r.srv.Clock().Now().Sub(aws.ToTime(got.LastEvaluatedAt)); err != nil || since < time.Hour || since > 2*time.Hour {
		t.Fatalf("evaluated %v ago (%v), want the third time, an hour ago", since, err)
	}
	deleted, err := r.api.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: app})
	if err != nil || *deleted.LifecyclePolicyText != text || deleted.LastEvaluatedAt == nil {
		t.Fatalf("%+v, %v: want what was deleted", deleted, err)
	}
	_, err = r.api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: app})
	wantError(t, err, "LifecyclePolicyNotFoundException", "'app'")
}

func TestAffectedImagesExpireWithin24Hours(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	old, young := r.image("app", aws.String("1")), r.image("app", aws.String("2"))
	r.putLifecycle("app", lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1 -> `+expireIt))
	r.advance(day - time.Minute)
	r.wantImages("app", old, young)
	r.advance(time.Minute)
	r.wantImages("app", young)
	wantReply(t, r.v2("GET", "/v2/app/manifests/1", nil), 403, "DENIED", "expired") // the token of the first day
	r.token = r.login(r.api)
	wantReply(t, r.v2("GET", "/v2/app/manifests/1", nil), 404, "MANIFEST_UNKNOWN", "")

	// What a push changes shows within 24 hours too; a deleted policy does nothing more.
	newest := r.image("app", nil)
	r.advance(day)
	r.wantImages("app", newest)
	r.image("app", nil)
	if _, err := r.api.DeleteLifecyclePolicy(context.Background(), &ecr.DeleteLifecyclePolicyInput{RepositoryName: aws.String("app")}); err != nil {
		t.Fatal(err)
	}
	r.advance(2 * day)
	if n := len(r.details("app")); n != 2 {
		t.Errorf("%d images, want 2: there is no policy", n)
	}
}

func TestAnIndexGoesBeforeItsImagesAndASubjectWithItsReferrers(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	child := r.image("app", nil)
	list := index(child)
	if err := r.put("app", list, nil); err != nil {
		t.Fatal(err)
	}
	signature := referrer(r, "app", list)
	r.putLifecycle("app", lifecycleRules(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":3 -> `+expireIt))
	r.advance(2*day + time.Hour)
	r.wantImages("app", child, list, signature)
	r.advance(day) // the policy is applied once
	r.wantImages("app", child)
	r.advance(day)
	r.wantImages("app")
}

// referrer pushes a small artifact whose subject is m.
func referrer(r *rig, repo string, m []byte) []byte {
	r.t.Helper()
	config := random(30)
	r.layer(repo, config)
	out := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"application/vnd.example","config":{"mediaType":"application/vnd.example","digest":%q,"size":30},"layers":[{"mediaType":"application/vnd.example","digest":%q,"size":30}],"subject":{"mediaType":%q,"digest":%q,"size":%d}}`,
		ociManifest, digestOf(config), digestOf(config), ociManifest, digestOf(m), len(m))
	if err := r.put(repo, out, nil); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestALongTimeIsAsManyDays(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	m := r.image("app", aws.String("1"))
	pushed := r.srv.Clock().Now()
	r.advance(time.Second) // an image is not older than 30 days in the moment when it becomes so
	r.putLifecycle("app", lifecycleRules(
		`"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":30 -> `+archiveIt,
		`"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":365 -> `+expireIt))
	r.advance(394 * day)
	d := r.details("app")[digestOf(m)]
	if d.ImageStatus != types.ImageStatusArchived || d.LastArchivedAt == nil || d.LastArchivedAt.Sub(pushed).Round(time.Hour) != 30*day {
		t.Fatalf("%+v: want it archived after 30 days, not at the end of the long time", d)
	}
	r.advance(day)
	r.wantImages("app", m)
	r.advance(day)
	r.wantImages("app")
	if err := r.srv.Expire(); err != nil {
		t.Fatal(err)
	}
}

func TestLifecycleGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), &localecr.Clock{}
	srv, err := localecr.New(localecr.Options{Dir: dir, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("before", func(t *testing.T) {
		srv.Start(t)
		user := localecr.DefaultAccounts()[0].Users[0]
		r := &rig{t: t, srv: srv}
		r.api = r.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
		r.repository("app")
		r.image("app", nil)
		r.putLifecycle("app", lifecycleRules(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1 -> `+expireIt))
	})
	clock.Advance(2*day + time.Hour)
	r := newRig(t, localecr.Options{Dir: dir, Clock: clock})
	r.wantImages("app")
}

func TestLifecyclePreview(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{PreviewTime: time.Hour}), context.Background()
	r.repository("app")
	app := aws.String("app")
	_, err := r.api.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app})
	wantError(t, err, "LifecyclePolicyNotFoundException", "'app'")
	_, err = r.api.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: app})
	wantError(t, err, "LifecyclePolicyPreviewNotFoundException", "Lifecycle policy preview does not exist for the repository with name 'app'")
	_, err = r.api.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app, LifecyclePolicyText: aws.String("{" + strings.Repeat(" ", 100) + "}")})
	wantError(t, err, "InvalidParameterException", "Lifecycle policy validation failure")

	var pushed [][]byte
	for _, tag := range []*string{nil, aws.String("a"), aws.String("b"), aws.String("keep"), nil} {
		pushed = append(pushed, r.image("app", tag))
		r.advance(time.Second)
	}
	if err := r.put("app", pushed[1], aws.String("a2")); err != nil {
		t.Fatal(err)
	}
	keepTwo := lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2 -> ` + expireIt)
	started, err := r.api.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app, LifecyclePolicyText: &keepTwo})
	if err != nil || started.Status != types.LifecyclePolicyPreviewStatusInProgress || *started.LifecyclePolicyText != keepTwo {
		t.Fatalf("%+v, %v", started, err)
	}
	_, err = r.api.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app, LifecyclePolicyText: &keepTwo})
	wantError(t, err, "LifecyclePolicyPreviewInProgressException", "'app'")
	preview := func(in ecr.GetLifecyclePolicyPreviewInput) *ecr.GetLifecyclePolicyPreviewOutput {
		t.Helper()
		in.RepositoryName = app
		out, err := r.api.GetLifecyclePolicyPreview(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := preview(ecr.GetLifecyclePolicyPreviewInput{}); got.Status != types.LifecyclePolicyPreviewStatusInProgress || got.Summary != nil || len(got.PreviewResults) != 0 {
		t.Fatalf("%+v: want no result yet", got)
	}
	r.advance(time.Hour)
	all := preview(ecr.GetLifecyclePolicyPreviewInput{})
	if all.Status != types.LifecyclePolicyPreviewStatusComplete || *all.Summary.ExpiringImageTotalCount != 3 || all.Summary.TransitioningImageTotalCounts != nil || len(all.PreviewResults) != 3 {
		t.Fatalf("%+v, summary %+v", all, all.Summary)
	}
	for _, result := range all.PreviewResults {
		if !slices.ContainsFunc(pushed[:3], func(m []byte) bool { return digestOf(m) == *result.ImageDigest }) ||
			result.Action.Type != types.ImageActionTypeExpire || *result.AppliedRulePriority != 1 || result.StorageClass != types.LifecyclePolicyStorageClassStandard || result.ImagePushedAt == nil {
			t.Errorf("%+v", result)
		}
	}
	if r.wantImages("app", pushed...); t.Failed() {
		t.Fatal("a preview must not delete")
	}

	// Pages, the filter, and named images.
	first := preview(ecr.GetLifecyclePolicyPreviewInput{MaxResults: aws.Int32(2)})
	rest := preview(ecr.GetLifecyclePolicyPreviewInput{MaxResults: aws.Int32(2), NextToken: first.NextToken})
	if len(first.PreviewResults) != 2 || len(rest.PreviewResults) != 1 || rest.NextToken != nil || *rest.Summary.ExpiringImageTotalCount != 3 {
		t.Errorf("pages of %d and %d", len(first.PreviewResults), len(rest.PreviewResults))
	}
	untagged := preview(ecr.GetLifecyclePolicyPreviewInput{Filter: &types.LifecyclePolicyPreviewFilter{TagStatus: types.TagStatusUntagged}})
	if len(untagged.PreviewResults) != 1 || *untagged.PreviewResults[0].ImageDigest != digestOf(pushed[0]) {
		t.Errorf("untagged: %+v", untagged.PreviewResults)
	}
	named := preview(ecr.GetLifecyclePolicyPreviewInput{ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("a2")}, {ImageTag: aws.String("keep")}}})
	if len(named.PreviewResults) != 1 || !slices.Equal(named.PreviewResults[0].ImageTags, []string{"a", "a2"}) {
		t.Errorf("named: %+v", named.PreviewResults)
	}
	_, err = r.api.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: app, MaxResults: aws.Int32(101)})
	wantError(t, err, "InvalidParameterException", "maxResults")
	_, err = r.api.GetLifecyclePolicyPreview(ctx, &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: app, MaxResults: aws.Int32(1), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("a")}}})
	wantError(t, err, "InvalidParameterException", "imageIds")

	// The repository's own policy, with a transition; results expire.
	r.putLifecycle("app", lifecycleRules(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":4 -> `+archiveIt))
	if _, err := r.api.StartLifecyclePolicyPreview(ctx, &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: app}); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour)
	moved := preview(ecr.GetLifecyclePolicyPreviewInput{})
	if len(moved.PreviewResults) != 1 || moved.PreviewResults[0].Action.TargetStorageClass != types.LifecyclePolicyTargetStorageClassArchive ||
		*moved.Summary.ExpiringImageTotalCount != 0 || *moved.Summary.TransitioningImageTotalCounts[0].ImageTotalCount != 1 {
		t.Errorf("%+v", moved)
	}
	r.advance(25 * time.Hour)
	if got := preview(ecr.GetLifecyclePolicyPreviewInput{}); got.Status != types.LifecyclePolicyPreviewStatusExpired || len(got.PreviewResults) != 0 {
		t.Errorf("%+v: want it expired", got)
	}
}
