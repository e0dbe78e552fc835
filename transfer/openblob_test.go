package transfer

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestOpenBlobAtNowhere opens a blob at bytes that it does not have.
func TestOpenBlobAtNowhere(t *testing.T) {
	t.Parallel()
	d := content.Descriptor{MediaType: "application/octet-stream", Digest: digest.FromString("four"), Size: 4}
	for first, ok := range map[int64]bool{-1: false, 0: true, 4: true, 5: false} {
		r, err := OpenBlobAt(t.Context(), &endless{}, d, first)
		if (err == nil) != ok {
			t.Errorf("at byte %d: %v", first, err)
		}
		if err == nil {
			r.Close()
		}
	}
}
