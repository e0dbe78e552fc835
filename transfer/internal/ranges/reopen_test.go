package ranges

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
)

// TestReopen has the connection to a source without ranges break again and again.
func TestReopen(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	disk := errors.New("the disk is gone")
	data := someContent(100_000)
	for name, tt := range map[string]struct {
		broken func(open int) (bytes int, err error) // of the body that is opened then
		opens  int
		want   error
	}{
		"clean":        {func(int) (int, error) { return len(data), io.EOF }, 1, nil},
		"reset":        {func(i int) (int, error) { return min(i*30_000, len(data)), reset }, 4, nil},
		"short":        {func(i int) (int, error) { return min(i*30_000, len(data)), io.ErrUnexpectedEOF }, 4, nil},
		"at its start": {func(i int) (int, error) { return len(data) * (i / 4), reset }, 4, nil},
		"for ever":     {func(int) (int, error) { return 10, reset }, retry.Default().Tries, reset},
		"not its own":  {func(int) (int, error) { return 10, disk }, 1, disk},
	} {
		t.Run(name, func(t *testing.T) {
			opens := 0
			open := func(context.Context) (io.ReadCloser, error) {
				opens++
				n, err := tt.broken(opens)
				if n == len(data) {
					err = io.EOF
				}
				return io.NopCloser(io.MultiReader(bytes.NewReader(data[:n]), failing{err})), nil
			}
			body, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(Reopen(fastclock.Context(t.Context()), body, open))
			if !errors.Is(err, tt.want) || tt.want == nil && !bytes.Equal(got, data) || opens != tt.opens {
				t.Errorf("%d bytes after %d opens: %v", len(got), opens, err)
			}
		})
	}
}

// failing fails with an error.
type failing struct{ err error }

func (b failing) Read([]byte) (int, error) { return 0, b.err }
