//go:build trial

package ecr

import "testing"

// TestTrialDamagedAnswers inverts many bytes of the answers of the ECR API.
func TestTrialDamagedAnswers(t *testing.T) {
	t.Parallel()
	testDamagedAnswers(t, 13)
}
