package layout

import (
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

const someSHA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// mustCopy copies and fails the test on an error.
func mustCopy(t *testing.T, src content.Source, dst content.Target, opts transfer.Options) transfer.Result {
	t.Helper()
	result, err := transfer.Copy(fixture.Context(t), src, dst, opts)
	fixture.Check(t, err)
	return result
}
