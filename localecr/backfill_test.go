package localecr_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
)

// backfill starts a backfill and returns its ID.
func (r *rig) backfill(to types.ReplicationDestination) string {
	r.t.Helper()
	out, err := r.api.StartReplicationBackfill(context.Background(), &ecr.StartReplicationBackfillInput{Destination: &to})
	if err != nil {
		r.t.Fatal(err)
	}
	if out.Status != types.ReplicationBackfillStatusPreparing || *out.Destination.Region != *to.Region || out.StartedAt == nil {
		r.t.Errorf("a new backfill: %+v", out)
	}
	return *out.ReplicationBackfillId
}

// backfillResults are a page of two results of a backfill.
func (r *rig) backfillResults(id string, next *string) *ecr.DescribeReplicationBackfillResultsOutput {
	r.t.Helper()
	out, err := r.api.DescribeReplicationBackfillResults(context.Background(), &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id, MaxResults: aws.Int32(2), NextToken: next})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ReplicationTime: time.Minute}), context.Background()
	user := localecr.DefaultAccounts()[0].Users[0]
	r.repository("app")
	r.repository("other")
	first := r.image("app", aws.String("1.0"))
	if err := r.put("app", first, aws.String("latest")); err != nil {
		t.Fatal(err)
	}
	multi := index(first)
	if err := r.put("app", multi, nil); err != nil {
		t.Fatal(err)
	}
	r.image("other", aws.String("1.0"))
	_, err := r.api.StartReplicationBackfill(ctx, &ecr.StartReplicationBackfillInput{Destination: ptr(destination("000000000000", far))})
	wantError(t, err, "InvalidParameterException", "replication configuration")
	r.mustReplicate("app", destination("000000000000", far))
	id := r.backfill(destination("000000000000", far))
	_, err = r.api.StartReplicationBackfill(ctx, &ecr.StartReplicationBackfillInput{Destination: ptr(destination("000000000000", far))})
	wantError(t, err, "ReplicationBackfillInProgressException", far)
	if got := r.backfillResults(id, nil); got.Status != types.ReplicationBackfillStatusPreparing || got.Progress != nil || len(got.Results) != 0 {
		t.Errorf("while it is prepared: %+v", got)
	}
	r.advance(time.Minute + time.Second)
	got := r.backfillResults(id, nil)
	if got.Status != types.ReplicationBackfillStatusInProgress || *got.Progress.TotalReplicationCount != 3 || *got.Progress.CompletedReplicationCount != 0 || len(got.Results) != 0 || got.EndedAt != nil {
		t.Errorf("in progress: %+v", got)
	}
	r.advance(time.Minute)
	got = r.backfillResults(id, nil)
	if got.Status != types.ReplicationBackfillStatusComplete || *got.Progress.CompletedReplicationCount != 3 || *got.Progress.FailedReplicationCount != 0 || got.EndedAt == nil || len(got.Results) != 2 || got.NextToken == nil {
		t.Errorf("complete: %+v", got)
	}
	if rest := r.backfillResults(id, got.NextToken); len(rest.Results) != 1 || rest.NextToken != nil || rest.Results[0].Status != types.ReplicationBackfillResultStatusComplete {
		t.Errorf("the second page: %+v", rest)
	}
	if got := r.status("app", first); got != "000000000000 eu-west-1 COMPLETE" {
		t.Error(got)
	}
	// The far side has the images, and only those that a rule is for, on both APIs.
	there := r.in(user, far)
	images := r.images(there, "app")
	if len(images) != 2 || images[digest.FromBytes(first).String()] != "1.0 latest" || images[digest.FromBytes(multi).String()] != "" {
		t.Errorf("%v", images)
	}
	_, err = there.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("other")})
	wantError(t, err, "RepositoryNotFoundException", "other")
	r.token = r.login(there)
	if got := r.v2(http.MethodGet, "/v2/app/manifests/latest", nil, "Host", "000000000000.dkr.ecr."+far+".localhost"); got.status != 200 || string(got.body) != string(first) {
		t.Error("pull on the far side:", got.status, got.code())
	}
	_, err = r.api.StopReplicationBackfill(ctx, &ecr.StopReplicationBackfillInput{ReplicationBackfillId: &id})
	wantError(t, err, "ReplicationBackfillInvalidStatusException", "COMPLETE")
	_, err = r.api.StopReplicationBackfill(ctx, &ecr.StopReplicationBackfillInput{ReplicationBackfillId: aws.String("none")})
	wantError(t, err, "ReplicationBackfillNotFoundException", "none")
	_, err = r.api.DescribeReplicationBackfillResults(ctx, &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id, ResultStatusFilter: "MAYBE"})
	wantError(t, err, "InvalidParameterException", "resultStatusFilter")
	// After 90 days it is forgotten.
	r.advance(91 * 24 * time.Hour)
	_, err = r.api.DescribeReplicationBackfillResults(ctx, &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id})
	wantError(t, err, "ReplicationBackfillNotFoundException", id)
}

func TestBackfillIsStopped(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{ReplicationTime: time.Minute}), context.Background()
	r.repository("app")
	r.image("app", aws.String("1.0"))
	r.mustReplicate("", destination("000000000000", far))
	var ids []string
	for _, test := range []struct {
		after time.Duration
		want  types.ReplicationBackfillStatus
	}{{0, types.ReplicationBackfillStatusStopped}, {time.Minute + time.Second, types.ReplicationBackfillStatusStopping}} {
		id := r.backfill(destination("000000000000", far))
		ids = append(ids, id)
		r.advance(test.after)
		out, err := r.api.StopReplicationBackfill(ctx, &ecr.StopReplicationBackfillInput{ReplicationBackfillId: &id})
		if err != nil || out.Status != test.want {
			t.Errorf("stopped after %v: %+v %v", test.after, out, err)
		}
		r.advance(2 * time.Minute)
		if got := r.backfillResults(id, nil); got.Status != types.ReplicationBackfillStatusStopped || got.EndedAt == nil || len(got.Results) != 0 {
			t.Errorf("stopped after %v, then: %+v", test.after, got)
		}
	}
	_, err := r.in(localecr.DefaultAccounts()[0].Users[0], far).DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("app")})
	wantError(t, err, "RepositoryNotFoundException", "app")
	list, err := r.api.ListReplicationBackfills(ctx, &ecr.ListReplicationBackfillsInput{MaxResults: aws.Int32(1)})
	if err != nil || len(list.Backfills) != 1 || list.NextToken == nil || *list.Backfills[0].ReplicationBackfillId != ids[0] || list.Backfills[0].Progress != nil {
		t.Fatalf("list: %+v %v", list, err)
	}
	list, err = r.api.ListReplicationBackfills(ctx, &ecr.ListReplicationBackfillsInput{NextToken: list.NextToken})
	if err != nil || len(list.Backfills) != 1 || list.NextToken != nil || *list.Backfills[0].ReplicationBackfillId != ids[1] {
		t.Errorf("second page: %+v %v", list, err)
	}
}

// TestBackfillFails has a backfill fail by itself when half of its replications have failed, after a hundred of 130. A
// failure leaves nothing behind.
func TestBackfillFails(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{Accounts: twoAccounts(), ReplicationTime: time.Minute}), context.Background()
	r.repository("app")
	m := r.image("app", aws.String("0"))
	multi := index(m)
	if err := r.put("app", multi, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 128 {
		if err := r.put("app", m, aws.String(fmt.Sprint(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	to := destination("111111111111", far) // whose registry has no policy
	r.mustReplicate("", to)
	id := r.backfill(to)
	r.advance(10 * time.Minute)
	got, err := r.api.DescribeReplicationBackfillResults(ctx, &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id, ResultStatusFilter: types.ReplicationBackfillResultStatusFailed, MaxResults: aws.Int32(1000)})
	if err != nil || got.Status != types.ReplicationBackfillStatusFailed || aws.ToString(got.FailureCode) == "" || *got.Progress.FailedReplicationCount != 100 || *got.Progress.TotalReplicationCount != 130 ||
		len(got.Results) != 100 || fmt.Sprint(got.Progress.FailureCodes) != "[AccessDeniedException]" {
		t.Fatalf("%d results, %+v %v", len(got.Results), got.Progress, err)
	}
	for _, result := range got.Results {
		isIndex := *result.ImageId.ImageDigest == digest.FromBytes(multi).String()
		if *result.FailureCode != "AccessDeniedException" || isIndex != (len(result.SubImageFailureCodes) == 1) {
			t.Fatalf("%+v", result)
		}
	}
	complete, err := r.api.DescribeReplicationBackfillResults(ctx, &ecr.DescribeReplicationBackfillResultsInput{ReplicationBackfillId: &id, ResultStatusFilter: types.ReplicationBackfillResultStatusComplete})
	if err != nil || len(complete.Results) != 0 {
		t.Errorf("%+v %v", complete, err)
	}
	if got := r.status("app", m); got != "111111111111 eu-west-1 FAILED AccessDeniedException" {
		t.Error(got)
	}
}

// TestBackfillsAtOnce has ten of them run, and no eleventh.
func TestBackfillsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	var all []types.ReplicationDestination
	for i := range 11 {
		all = append(all, destination("000000000000", fmt.Sprintf("eu-west-%d", i)))
	}
	r.mustReplicate("", all...)
	for _, to := range all[:10] {
		r.backfill(to)
	}
	_, err := r.api.StartReplicationBackfill(context.Background(), &ecr.StartReplicationBackfillInput{Destination: &all[10]})
	wantError(t, err, "LimitExceededException", "10")
}
