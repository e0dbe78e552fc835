package awscalls

import "testing"

// TestAnswerLimit counts 4 MiB for each manifest, each byte an escape of six, and never more than the manifests that one
// image with everything below it may have.
func TestAnswerLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		service, op string
		images      int
		want        int64 // MiB
	}{
		{"ECR", "BatchGetImage", 1, 25}, {"ECR", "BatchGetImage", 2, 49}, {"ECR", "BatchGetImage", 8, 193}, {"ECR", "BatchGetImage", 100, 193},
		{"ECR", "DescribeImages", 0, 64}, {"ECR", "GetAuthorizationToken", 0, 1}, {"STS", "AssumeRole", 0, 1}, {"", "", 0, 1},
	} {
		if got := answerLimit(test.service, test.op, test.images); got != test.want<<20 {
			t.Errorf("%s %s of %d: %d bytes, want %d MiB", test.service, test.op, test.images, got, test.want)
		}
	}
}
