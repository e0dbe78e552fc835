package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// dripping is an upstream whose ranges send their first half, and the rest when the gate
// opens.
type dripping struct {
	*upstream
	open chan struct{}
}

func (u dripping) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		half := n / 2
		return io.NopCloser(io.MultiReader(
			bytes.NewReader(u.blob[first:first+half]),
			&gated{ctx, u.open, bytes.NewReader(u.blob[first+half : first+n])})), nil
	}, nil
}

// gated is a reader that waits before its first byte.
type gated struct {
	ctx  context.Context
	open chan struct{}
	io.Reader
}

func (g *gated) Read(p []byte) (int, error) {
	select {
	case <-g.open:
		return g.Reader.Read(p)
	case <-g.ctx.Done():
		return 0, content.Permanent(g.ctx.Err())
	}
}

// TestFirstBytes reads the first half of the first range before the second arrives, and
// never the last bytes before the digest agrees.
func TestFirstBytes(t *testing.T) {
	t.Parallel()
	u := dripping{newUpstream(5 << 20), make(chan struct{})}
	s := start(t, u, t.TempDir(), 16<<20)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+u.path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := make([]byte, 300<<10) // of a range of 640 KiB or more
	if _, err := io.ReadFull(response.Body, got); err != nil {
		t.Fatal(err)
	}
	close(u.open)
	rest, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(append(got, rest...), u.blob) {
		t.Errorf("other bytes, %v", err)
	}
}
