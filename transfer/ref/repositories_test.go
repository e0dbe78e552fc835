package ref_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// TestRepositoriesShare opens many repositories at the same time: each once, with one configuration of the AWS SDK, and
// so one set of credentials, for a registry. After an error they are opened again.
func TestRepositoriesShare(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	broken := errors.New("no credentials today")
	var configs, configured atomic.Int32
	repositories := &ref.Repositories{
		Opener: &ref.Opener{AWS: func(context.Context, auth.Registry) (aws.Config, error) {
			if configs.Add(1) == 1 {
				return aws.Config{}, broken
			}
			return aws.Config{Region: "us-east-1"}, nil
		}},
		Configure: func(*ecr.Repository) { configured.Add(1) },
	}
	if _, err := repositories.Source(t.Context(), host+"/app0"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	opened := make([]content.Target, 20)
	var group sync.WaitGroup
	for i := range opened {
		group.Go(func() {
			name := fmt.Sprint(host, "/app", i%10)
			if _, err := repositories.Source(t.Context(), name); err != nil {
				t.Error(err)
			}
			target, err := repositories.Target(t.Context(), name)
			if err != nil {
				t.Error(err)
			}
			opened[i] = target
		})
	}
	group.Wait()
	for i := range 10 {
		if opened[i] == nil || opened[i] != opened[i+10] {
			t.Errorf("repository %d was opened twice", i)
		}
	}
	if configs.Load() != 2 || configured.Load() != 10 {
		t.Errorf("%d configurations for one registry, one of them in vain, and %d targets configured; want 2 and 10", configs.Load(), configured.Load())
	}
	for _, name := range []string{host, host + "/app:1", "oci:layout"} {
		if _, err := repositories.Source(t.Context(), name); err == nil {
			t.Errorf("%s was opened as a repository", name)
		}
	}
}
