package sign

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// brokenBlobs is a source whose blobs break off with an error the first times.
type brokenBlobs struct {
	errs []error
	read int
}

func (b *brokenBlobs) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	b.read++
	if b.read > len(b.errs) {
		return io.NopCloser(strings.NewReader("blob")), nil
	}
	return io.NopCloser(io.MultiReader(strings.NewReader("bl"), &broken{b.errs[b.read-1]})), nil
}

type broken struct{ err error }

func (b *broken) Read([]byte) (int, error) { return 0, b.err }

// TestBlobReadAgain counts how often a blob is read that breaks off: what the source itself has retried for minutes is
// not retried.
func TestBlobReadAgain(t *testing.T) {
	reset, gaveUp := errors.New("connection reset"), &retry.GaveUp{Err: errors.New("429 Too Many Requests")}
	d := content.Descriptor{Digest: digest.FromString("blob"), Size: 4}
	for name, tt := range map[string]struct {
		errs []error
		read int
		ok   bool
	}{
		"whole":         {nil, 1, true},
		"reset twice":   {[]error{reset, reset}, 3, true},
		"given up":      {[]error{gaveUp, gaveUp, gaveUp}, 1, false},
		"that is final": {[]error{content.Permanent(reset)}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &brokenBlobs{errs: tt.errs}
				data, err := readBlob(t.Context(), src, d)
				if (err == nil) != tt.ok || src.read != tt.read || tt.ok && string(data) != "blob" {
					t.Errorf("%q, %v after %d times", data, err, src.read)
				}
			})
		})
	}
}
