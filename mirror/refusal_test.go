package mirror_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/mirror"
)

// TestRefusedRepositoryIsCreatedOnce mirrors images to repositories that Amazon ECR does not create: it is asked once for each, and
// all images fail with the same words.
func TestRefusedRepositoryIsCreatedOnce(t *testing.T) {
	t.Parallel()
	var calls localecr.Recorder
	srv, err := localecr.New(localecr.Options{Audit: &calls})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start(t)
	w := &world{Server: srv, client: ecr.NewFromConfig(srv.AWSConfig())}
	c := mirror.Config{Destinations: []string{w.Registry + "/copy"}}
	for _, name := range []string{"web", "db"} {
		r := w.repository(t, name)
		for i := range 4 {
			putImage(t, r, fmt.Sprint(i), fmt.Sprintf("%s %d", name, i), nil, nil)
		}
		c.Images = append(c.Images, mirror.ImageRules{From: w.Registry + "/" + name})
	}
	if err := srv.SetFaults(localecr.Fault{Op: "CreateRepository", Count: -1, Status: 400, Code: "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
	o := w.opener(t)
	plan, err := mirror.NewPlan(t.Context(), c, o, mirror.Options{})
	if err != nil {
		t.Fatal(err)
	}
	calls.Reset()
	report, err := mirror.Apply(t.Context(), plan, o, mirror.Options{})
	if err == nil || len(report.Images) != 8 {
		t.Fatalf("%d images, %v", len(report.Images), err)
	}
	causes := map[string]bool{}
	for _, image := range report.Images {
		if image.Err == nil || !strings.Contains(image.Err.Error(), "AccessDenied") {
			t.Fatal(image.From, image.Err)
		}
		causes[image.To+": "+image.Err.Error()] = true
	}
	if n := calls.Count("CreateRepository"); n != 2 || len(causes) != 2 {
		t.Errorf("%d creations for 8 images of 2 repositories, with the causes %v", n, causes)
	}
}
