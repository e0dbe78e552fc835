package localecr_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

// move asks for a storage class and returns the status that the image then has.
func (r *rig) move(repo string, m []byte, target types.TargetStorageClass) (types.ImageStatus, error) {
	out, err := r.api.UpdateImageStorageClass(context.Background(), &ecr.UpdateImageStorageClassInput{
		RepositoryName: &repo, ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digestOf(m))}, TargetStorageClass: target,
	})
	if err != nil {
		return "", err
	}
	return out.ImageStatus, nil
}

func (r *rig) wantMove(repo string, m []byte, target types.TargetStorageClass, want types.ImageStatus) {
	r.t.Helper()
	if got, err := r.move(repo, m, target); err != nil || got != want {
		r.t.Fatalf("%s after the move to %s (%v), want %s", got, target, err, want)
	}
}

// pull is BatchGetImage of one image: the failure code, "" if there is none.
func (r *rig) pull(repo string, m []byte) types.ImageFailureCode {
	r.t.Helper()
	out, err := r.api.BatchGetImage(context.Background(), &ecr.BatchGetImageInput{RepositoryName: &repo, ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(digestOf(m))}}})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(out.Failures) > 0 {
		return out.Failures[0].FailureCode
	}
	return ""
}

func (r *rig) availability(repo, digest string) types.LayerAvailability {
	r.t.Helper()
	out, err := r.api.BatchCheckLayerAvailability(context.Background(), &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &repo, LayerDigests: []string{digest}})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.Layers[0].LayerAvailability
}

func TestArchivedImagesAreNotPulled(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{RestoreTime: 20 * time.Minute}), context.Background()
	r.repository("app")
	app := aws.String("app")
	config, shared, own := random(40), random(60), random(70)
	for _, l := range [][]byte{config, shared, own} {
		r.layer("app", l)
	}
	kept, m := manifest(config, shared), manifest(config, shared, own)
	for tag, m := range map[string][]byte{"kept": kept, "old": m} {
		if err := r.put("app", m, &tag); err != nil {
			t.Fatal(err)
		}
	}
	r.wantMove("app", m, types.TargetStorageClassArchive, types.ImageStatusArchived)
	r.wantMove("app", m, types.TargetStorageClassArchive, types.ImageStatusArchived) // it is there already

	download := &ecr.GetDownloadUrlForLayerInput{RepositoryName: app, LayerDigest: aws.String(digestOf(own))}
	cannotPull := func() {
		t.Helper()
		if got := r.pull("app", m); got != types.ImageFailureCodeImageInaccessible {
			t.Errorf("BatchGetImage: %s", got)
		}
		wantReply(t, r.v2("GET", "/v2/app/manifests/old", nil), 404, "MANIFEST_UNKNOWN", "Requested image is")
		_, err := r.api.GetDownloadUrlForLayer(ctx, download)
		wantError(t, err, "LayerInaccessibleException", "archived")
		wantReply(t, r.v2("GET", "/v2/app/blobs/"+digestOf(own), nil), 404, "BLOB_UNKNOWN", "archived")
		for digest, want := range map[string]types.LayerAvailability{
			digestOf(own): types.LayerAvailabilityArchived, digestOf(shared): types.LayerAvailabilityAvailable, digestOf([]byte("x")): types.LayerAvailabilityUnavailable,
		} {
			if got := r.availability("app", digest); got != want {
				t.Errorf("layer is %s, want %s", got, want)
			}
		}
	}
	cannotPull()
	if got := r.pull("app", kept); got != "" {
		t.Errorf("the other image: %s", got)
	}
	count := func(status types.ImageStatusFilter) string {
		t.Helper()
		images, err := r.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: app, Filter: &types.DescribeImagesFilter{ImageStatus: status}})
		if err != nil {
			t.Fatal(err)
		}
		ids, err := r.api.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: app, Filter: &types.ListImagesFilter{ImageStatus: status}})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(images.ImageDetails), len(ids.ImageIds))
	}
	for status, want := range map[types.ImageStatusFilter]string{"": "1 1", types.ImageStatusFilterActive: "1 1", types.ImageStatusFilterArchived: "1 1", types.ImageStatusFilterActivating: "0 0", types.ImageStatusFilterAny: "2 2"} {
		if got := count(status); got != want {
			t.Errorf("filter %q: %s, want %s", status, got, want)
		}
	}
	if unfiltered, err := r.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: app}); err != nil || len(unfiltered.ImageDetails) != 1 {
		t.Errorf("%v (%v), want the active image", unfiltered, err)
	}

	r.wantMove("app", m, types.TargetStorageClassStandard, types.ImageStatusActivating)
	r.wantMove("app", m, types.TargetStorageClassStandard, types.ImageStatusActivating)
	_, err := r.move("app", m, types.TargetStorageClassArchive)
	wantError(t, err, "ImageStorageClassUpdateNotSupportedException", "is being restored")
	cannotPull()
	if d := r.details("app")[digestOf(m)]; d.ImageStatus != types.ImageStatusActivating || d.LastActivatedAt != nil || d.LastArchivedAt == nil {
		t.Errorf("%+v", d)
	}
	r.advance(20 * time.Minute)
	if got := r.pull("app", m); got != "" {
		t.Errorf("BatchGetImage of what was restored: %s", got)
	}
	if _, err := r.api.GetDownloadUrlForLayer(ctx, download); err != nil {
		t.Error(err)
	}
	d := r.details("app")[digestOf(m)]
	if d.ImageStatus != types.ImageStatusActive || d.LastActivatedAt == nil || d.LastActivatedAt.Sub(*d.LastArchivedAt) < 20*time.Minute {
		t.Errorf("%+v", d)
	}
}

func TestAnArchivedImageIsRestoredByPushingItAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.repository("app")
	config, layer := random(40), random(60)
	r.layer("app", config)
	r.layer("app", layer)
	m := manifest(config, layer)
	if err := r.put("app", m, aws.String("1")); err != nil {
		t.Fatal(err)
	}
	r.wantMove("app", m, types.TargetStorageClassArchive, types.ImageStatusArchived)
	wantError(t, r.put("app", m, aws.String("1")), "LayersNotFoundException", digestOf(layer))
	r.layer("app", config) // no LayerAlreadyExists
	r.layerV2("app", layer)
	if err := r.put("app", m, aws.String("1")); err != nil {
		t.Fatal(err)
	}
	if d := r.details("app")[digestOf(m)]; d.ImageStatus != types.ImageStatusActive || d.LastActivatedAt == nil || len(d.ImageTags) != 1 {
		t.Errorf("%+v: want it active at once", d)
	}
	wantError(t, r.put("app", m, aws.String("1")), "ImageAlreadyExistsException", "")

	// Archived once more it takes its layers along, however they came.
	r.wantMove("app", m, types.TargetStorageClassArchive, types.ImageStatusArchived)
	if got := r.availability("app", digestOf(layer)); got != types.LayerAvailabilityArchived {
		t.Errorf("the layer is %s", got)
	}
}

func TestWhatCannotBeArchived(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	r.repository("app")
	child := r.image("app", nil)
	list := index(child)
	if err := r.put("app", list, nil); err != nil {
		t.Fatal(err)
	}
	signature := referrer(r, "app", child)
	_, err := r.move("app", child, types.TargetStorageClassArchive)
	wantError(t, err, "ImageStorageClassUpdateNotSupportedException", digestOf(list))
	r.wantMove("app", list, types.TargetStorageClassArchive, types.ImageStatusArchived)
	r.wantMove("app", child, types.TargetStorageClassArchive, types.ImageStatusArchived)
	wantError(t, r.put("app", list, nil), "ReferencedImagesNotFoundException", digestOf(child))
	r.wantMove("app", signature, types.TargetStorageClassArchive, types.ImageStatusArchived)
	for status, want := range map[types.ArtifactStatusFilter]int{"": 0, types.ArtifactStatusFilterArchived: 1, types.ArtifactStatusFilterAny: 1, types.ArtifactStatusFilterActivating: 0} {
		in := referrersOf(child, nil)
		in.Filter = &types.ListImageReferrersFilter{ArtifactStatus: status}
		out, err := r.api.ListImageReferrers(ctx, in)
		if err != nil || len(out.Referrers) != want {
			t.Errorf("%q: %d referrers (%v), want %d", status, len(out.Referrers), err, want)
		}
	}
	_, err = r.move("app", []byte("x"), types.TargetStorageClassArchive)
	wantError(t, err, "ImageNotFoundException", "")
	_, err = r.move("none", list, types.TargetStorageClassArchive)
	wantError(t, err, "RepositoryNotFoundException", "")
	_, err = r.move("app", list, "GLACIER")
	wantError(t, err, "InvalidParameterException", "targetStorageClass")
}

func TestPullsAreRecordedOnceADay(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, localecr.Options{}), context.Background()
	r.repository("app")
	m := r.image("app", aws.String("1"))
	pulled := func() *time.Time { return r.details("app")[digestOf(m)].LastRecordedPullTime }
	if got := r.v2("HEAD", "/v2/app/manifests/1", nil); got.status != 200 || pulled() != nil {
		t.Fatalf("%d, %v: a HEAD is no pull", got.status, pulled())
	}
	if got := r.v2("GET", "/v2/app/manifests/1", nil); got.status != 200 || pulled() == nil {
		t.Fatalf("%d, %v: want the pull recorded", got.status, pulled())
	}
	first := *pulled()
	r.advance(day - time.Minute)
	if r.pull("app", m); !pulled().Equal(first) {
		t.Errorf("recorded again after %v", pulled().Sub(first))
	}
	r.advance(time.Minute)

	// Those of excluded principals are not.
	me, role := aws.String("arn:aws:iam::000000000000:user/ecrkit"), aws.String("arn:aws:iam::000000000000:role/scanners/other")
	for _, arn := range []*string{me, role} {
		out, err := r.api.RegisterPullTimeUpdateExclusion(ctx, &ecr.RegisterPullTimeUpdateExclusionInput{PrincipalArn: arn})
		if err != nil || *out.PrincipalArn != *arn || out.CreatedAt == nil {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if r.pull("app", m); !pulled().Equal(first) {
		t.Error("the pull of an excluded user is recorded")
	}
	_, err := r.api.RegisterPullTimeUpdateExclusion(ctx, &ecr.RegisterPullTimeUpdateExclusionInput{PrincipalArn: me})
	wantError(t, err, "ExclusionAlreadyExistsException", *me)
	_, err = r.api.RegisterPullTimeUpdateExclusion(ctx, &ecr.RegisterPullTimeUpdateExclusionInput{PrincipalArn: aws.String("arn:aws:iam::000000000000:root")})
	wantError(t, err, "InvalidParameterException", "principalArn")
	page, err := r.api.ListPullTimeUpdateExclusions(ctx, &ecr.ListPullTimeUpdateExclusionsInput{MaxResults: aws.Int32(1)})
	if err != nil || len(page.PullTimeUpdateExclusions) != 1 || page.PullTimeUpdateExclusions[0] != *role || page.NextToken == nil {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = r.api.ListPullTimeUpdateExclusions(ctx, &ecr.ListPullTimeUpdateExclusionsInput{NextToken: page.NextToken})
	if err != nil || len(page.PullTimeUpdateExclusions) != 1 || page.PullTimeUpdateExclusions[0] != *me || page.NextToken != nil {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := r.api.DeregisterPullTimeUpdateExclusion(ctx, &ecr.DeregisterPullTimeUpdateExclusionInput{PrincipalArn: me}); err != nil {
		t.Fatal(err)
	}
	_, err = r.api.DeregisterPullTimeUpdateExclusion(ctx, &ecr.DeregisterPullTimeUpdateExclusionInput{PrincipalArn: me})
	wantError(t, err, "ExclusionNotFoundException", *me)
	if r.pull("app", m); !pulled().After(first) {
		t.Error("the pull after a day is not recorded")
	}
	for n := range 99 { // and the role
		if _, err = r.api.RegisterPullTimeUpdateExclusion(ctx, &ecr.RegisterPullTimeUpdateExclusionInput{PrincipalArn: aws.String(fmt.Sprint(*me, n))}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.api.RegisterPullTimeUpdateExclusion(ctx, &ecr.RegisterPullTimeUpdateExclusionInput{PrincipalArn: me})
	wantError(t, err, "LimitExceededException", "100")
}
