//go:build trial

package localecr_test

import (
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialSizes goes to the limits of Amazon ECR in their real size.
func TestTrialSizes(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	r.testLargestPart(20_971_520, "between 0 and 20971520")
	r.testLargestManifest(4<<20, "must have a length between 1 and 4194304")
}
