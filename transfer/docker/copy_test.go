package docker_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// mustCopy copies and fails the test on an error.
func mustCopy(t *testing.T, src content.Source, dst content.Target, opts transfer.Options) transfer.Result {
	t.Helper()
	result, err := transfer.Copy(fixture.Context(t), src, dst, opts)
	fixture.Check(t, err)
	return result
}

// copyTo copies to a target that is closed then.
func copyTo(t *testing.T, src content.Source, dst interface {
	content.Target
	Close() error
}, opts transfer.Options) (transfer.Result, error) {
	t.Helper()
	result, err := transfer.Copy(t.Context(), src, dst, opts)
	fixture.Check(t, dst.Close())
	return result, err
}

func opener(data []byte) tarball.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// onlyFile checks that a file is alone in its directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	fixture.Check(t, err)
	if len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v", path, files)
	}
}
