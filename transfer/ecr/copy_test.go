package ecr

import (
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// mustCopy copies and fails the test on an error.
func mustCopy(t *testing.T, src content.Source, dst content.Target, opts transfer.Options) transfer.Result {
	t.Helper()
	result, err := transfer.Copy(fixture.Context(t), src, dst, opts)
	fixture.Check(t, err)
	return result
}
